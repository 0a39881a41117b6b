"""Small rounds of the code stage: programs whose comparison is one off, in all three splits."""

from pathlib import Path

from memory.store import Store
from sandbox import from_asserts, tests_to_json
from trainers.config import CodeConfig, TrainerSettings
from trainers.stage import StageContext
from trainers.tasks.swe.loading import to_row
from trainers.tasks.swe.types import Judge, SWETask

SETTINGS = TrainerSettings(
    code=CodeConfig(
        sources=(),
        dimensions=1000,
        tasks_per_round=3,
        candidates=150,
        seconds=5,
        broken=4,
        library_functions=200,
        generator=False,
    )
)
# The same for a daemon that is run as a process.
TOML = """\
[daemon]
min_free_gb = 0
heartbeat_s = 0.2
[code]
sources = []
dimensions = 1000
library_functions = 200
benchmark_candidates = 150
benchmark_seconds = 60
generator = false
[tasks]
hub = false
"""
NAMES = ("limit", "order", "price", "label", "route", "frame", "token", "group")


def off_by_one(name: str, number: int, split: str) -> SWETask:
    before = (
        f"def {name}(value, top):\n    if value < top:\n        return value\n    return None\n"
    )
    visible = from_asserts([f"assert {name}({number}, {number}) == {number}"])
    hidden = from_asserts(
        [f"assert {name}(1, 5) == 1", f"assert {name}({number + 1}, {number}) is None"]
    )
    return SWETask(
        f"{split}/{name}", "local", f"{name} forgets the last value at the top",
        {f"{name}.py": before}, {f"{name}.py": before.replace("<", "<=")},
        source="injected", split=split,
        judge=Judge("program", tests_to_json(visible), tests_to_json(hidden)),
    )  # fmt: skip


def fill(store: Store) -> None:
    tasks = [
        off_by_one(name, number + 2, split)
        for number, name in enumerate(NAMES)
        for split in (("train",) if number < 4 else ("validation", "test"))
    ]
    store.add_swe_tasks(to_row(task, "by hand") for task in tasks)


def context_in(folder: Path, settings: TrainerSettings = SETTINGS) -> StageContext:
    store = Store.open(folder / "kent.db")
    if not store.query("SELECT 1 FROM swe_tasks"):
        fill(store)
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "code", pid=None, pid_start=None)
    return StageContext(store, settings, folder, round_id, run.id, seed=1)


def run_round(folder: Path, stage, settings: TrainerSettings = SETTINGS):
    context = context_in(folder, settings)
    metrics = stage.run(context).metrics
    context.store.end_stage_run(context.stage_run_id, "done", metrics=metrics)
    context.store.close_round(context.round_id, "done")
    return metrics, context.store
