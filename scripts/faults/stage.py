"""A tiny stage that is real in all that faults can hit: it samples, judges, trains and promotes.

``<state>/run/chaos.json`` may hold a trouble for its next attempt: ``{"trouble": WORD, "at": N}``,
where N units of work were done: memory, kill, segv, silent, hang, exit.
"""

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from memory.files import sha256_file, write_atomically
from memory.records import Figure, ProblemRow, Split
from sandbox import Sandbox, from_asserts, tests_hash, tests_to_json
from trainers.errors import CheckpointError
from trainers.labelling import sample_and_label
from trainers.samples import SampleSource, Want
from trainers.stage import Progress, StageContext, StageResult
from trainers.stage_generator import open_generator

KIND = "chaos"
PROBLEMS, SAMPLES = 6, 4  # samples of a problem in a round
CHECKPOINT_BYTES = 200_000


class ChaosStage:
    """Samples of ``PROBLEMS`` problems, and a model of them that the gate lets through."""

    name = "ChaosStage"

    def why_not_due(self, context: StageContext) -> str | None:
        """It always is."""
        return None

    def run(self, context: StageContext) -> StageResult:
        """Sample and judge, then train."""
        problems = [_problem(number) for number in range(PROBLEMS)]
        context.store.add_problems(problems, "chaos")
        champion = _champion(context)
        source = _sample(context, problems)
        model = _train(context, source, champion)
        figure = Figure(1.0, None, None, PROBLEMS)
        context.store.add_evaluation(
            context.stage_run_id, model, "adder", "validation", source.protocol, {"units": figure}
        )
        return StageResult({"units": figure.to_json()})


def _sample(context: StageContext, problems: list[ProblemRow]) -> SampleSource:
    generator, config = open_generator(context), context.settings.generator
    source = SampleSource.of(generator.id, "visible1", config)
    wants = [Want(problem, SAMPLES * context.round_id) for problem in problems]
    context.progress = _TroubledProgress(_take_trouble(context.state_dir))
    with generator, Sandbox(workers=2) as sandbox:
        sample_and_label(
            context, wants, source, generator, sandbox, prompt_kind="visible1",
            seed=context.stage_run_id,
        )  # fmt: skip
    return source


def _train(context: StageContext, source: SampleSource, champion: str | None) -> str:
    """The version of this round, promoted; what an earlier attempt did is not done again."""
    store = context.store
    context.progress.start("train", 1, "models")
    row = store.begin_model(
        KIND, {"round": context.round_id}, generator_id=source.generator_id, parent=champion,
        stage_run_id=context.stage_run_id, code_version="chaos",
    )  # fmt: skip
    file = Path("checkpoints") / f"{row.id}.bin"
    weights = random.Random(row.id).randbytes(CHECKPOINT_BYTES)
    write_atomically(context.state_dir / file, weights)
    store.complete_model(row.id, file, sha256_file(context.state_dir / file))
    store.promote(
        row.id, context.stage_run_id, decision="promoted", effect=Figure(0.1, 0.0, 0.2, 9),
        p_value=0.01, alpha=0.05, looks=1, reason="chaos",
    )  # fmt: skip
    context.progress.advance()
    return row.id


def _champion(context: StageContext) -> str | None:
    """The champion, whose file is what its hash says.

    Raises:
        CheckpointError: it is not.
    """
    row = context.store.champion(KIND)
    if row is None or row.checkpoint is None:
        return None
    content = (context.state_dir / row.checkpoint).read_bytes()
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise CheckpointError(f"{row.id}: {row.checkpoint} is not what its SHA-256 says")
    return row.id


def _problem(number: int) -> ProblemRow:
    split: Split = "train" if number % 3 else "validation"
    asserts = [f"assert add({x}) == {x + number}" for x in (1, 5, -3)]
    tests = from_asserts(asserts, entry_point="add")
    return ProblemRow(
        id=f"adder/{number}", source="adder", statement=f"Write a function add that adds {number}.",
        entry_point="add", split=split, tests=tests_to_json(tests), tests_hash=tests_hash(tests),
        visible_tests=tuple(asserts),
    )  # fmt: skip


def _take_trouble(state_dir: Path) -> dict[str, Any]:
    """The trouble that was ordered, once."""
    file = state_dir / "run" / "chaos.json"
    try:
        plan: dict[str, Any] = json.loads(file.read_text())
    except OSError:
        return {}
    file.unlink()
    return plan


class _TroubledProgress(Progress):
    """Progress that ends the stage's luck after so many units."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__()
        self._plan = plan

    def advance(self, count: int = 1) -> None:
        super().advance(count)
        if self._plan and self.done >= self._plan["at"]:
            _suffer(self._plan.pop("trouble", ""))


def _suffer(word: str) -> None:
    if word == "memory":
        raise MemoryError
    if word == "exit":
        os._exit(3)
    if word == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    signals = {"kill": signal.SIGKILL, "segv": signal.SIGSEGV, "silent": signal.SIGSTOP}
    if word in signals:
        os.kill(os.getpid(), signals[word])
