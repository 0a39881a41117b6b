"""Do every kind of fault to a daemon, several times each, and count what was lost: nothing may be.

    python scripts/chaos.py [--repeat 3] [--only WORD] [--long] [--jobs 1] [--json FILE]

Each trial is a state directory of its own on which some rounds of a tiny stage run that is real in
all that faults can hit: it samples from a model server, runs programs in the sandbox, trains, and
promotes. The exit code is 0 when no row was lost, changed or doubled, every `kent state verify` was
clean, no process was left, and every round came to its end.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kent.processes import find
from memory.maintenance import verify
from scripts.faults.catalogue import FAULTS, LONG, Fault, disk_of_its_own
from scripts.faults.rows import compare, query, snapshot
from scripts.faults.stage import PROBLEMS, SAMPLES
from scripts.faults.world import World

ROUNDS = 3


@dataclass
class Trial:
    """What one trial found; all counts are of rows."""

    fault: str
    seed: int
    seconds: float = 0.0
    starts: int = 0
    attempts: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    changed: int = 0
    doubled: int = 0
    not_judged: int = 0
    problems: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Nothing was lost and nothing is wrong."""
        return not (self.lost or self.changed or self.doubled or self.problems)


def run_trial(fault: Fault, seed: int, folder: Path) -> Trial:
    """One fault at one moment on a new state directory below ``folder``."""
    trial, began = Trial(fault.name, seed), time.monotonic()
    try:
        with ExitStack() as stack:
            if fault.disk_mb:
                stack.enter_context(disk_of_its_own(folder / "state", fault.disk_mb))
            world = stack.enter_context(World(folder, ROUNDS))
            fault.inject(world, random.Random(f"{fault.name}/{seed}"))
            if problem := world.finish():
                trial.problems.append(problem)
            world.kill_all()
            _judge(world, trial)
    except PermissionError as error:
        trial.skipped = str(error)
    trial.seconds = round(time.monotonic() - began, 1)
    return trial


def _judge(world: World, trial: Trial) -> None:
    """Compare the end with what was seen on the way, and with what the rounds should have made."""
    state = world.state
    difference = compare(world.snapshots, snapshot(state))
    trial.lost = difference.lost.total()
    trial.changed, trial.doubled = difference.changed.total(), difference.doubled.total()
    trial.starts = world.starts
    trial.attempts = dict(query(state, "SELECT status, count(*) FROM stage_runs GROUP BY status"))
    trial.problems += verify(state)
    trial.problems += [
        f"process {pid} was left" for pid, began in world.seen if find(pid, began) is not None
    ]
    ended = Counter(row[0] for row in query(state, "SELECT status FROM rounds"))
    if ended != {"done": ROUNDS}:
        trial.problems.append(f"rounds: {dict(ended)}")
    per_problem = query(state, "SELECT problem_id, count(*) FROM samples GROUP BY problem_id")
    if per_problem != [(f"adder/{number}", SAMPLES * ROUNDS) for number in range(PROBLEMS)]:
        trial.problems.append(f"samples: {per_problem}")
    trial.not_judged, lost = _without_verdict(state)
    if lost:
        trial.problems.append(f"{lost} samples have no verdict, and nobody says why")
    models = query(state, "SELECT count(*), count(DISTINCT config) FROM models")
    if models != [(ROUNDS, ROUNDS)]:
        trial.problems.append(f"models and rounds with one: {models}")


def _without_verdict(state: Path) -> tuple[int, int]:
    """Samples that the sandbox itself could not judge, as it said; and those without a word."""
    told = {
        key
        for (data,) in query(state, "SELECT data FROM events WHERE kind = 'labelling.not_judged'")
        for key in json.loads(data)["programs"]
    }
    rows = query(
        state,
        "SELECT x.program_hash || ':' || p.tests_hash FROM samples x JOIN problems p "
        "ON p.id = x.problem_id WHERE NOT EXISTS (SELECT 1 FROM verdicts v "
        "WHERE v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash)",
    )
    known = sum(key in told for (key,) in rows)
    return known, len(rows) - known


def main() -> int:
    """Run the trials and print the table."""
    options = _options()
    faults = [*FAULTS, *(LONG if options.long else [])]
    wanted = [fault for fault in faults if options.only in fault.name]
    trials = _read(options.json)
    done = {(trial.fault, trial.seed) for trial in trials}
    # One trial of every kind first, so that a run that is cut has seen them all.
    jobs = [(fault, seed) for seed in range(options.repeat) for fault in wanted]
    jobs = [(fault, seed) for fault, seed in jobs if (fault.name, seed) not in done]
    with (
        tempfile.TemporaryDirectory(prefix="kent-chaos-") as scratch,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        running = [
            pool.submit(run_trial, fault, seed, Path(scratch) / str(number))
            for number, (fault, seed) in enumerate(jobs)
        ]
        for future in as_completed(running):
            trial = future.result()
            trials.append(trial)
            _tell(trial, options.json)
    sys.stdout.write("\n".join(_table(trials)) + "\n")
    return 0 if all(trial.ok for trial in trials) else 1


def _read(file: Path | None) -> list[Trial]:
    """The trials that an earlier run, which was cut, has written."""
    if file is None or not file.exists():
        return []
    return [Trial(**json.loads(line)) for line in file.read_text().splitlines()]


def _tell(trial: Trial, file: Path | None) -> None:
    said = trial.skipped or "; ".join(trial.problems) or ("ok" if trial.ok else "rows are lost")
    sys.stderr.write(f"{trial.fault}, {trial.seed}: {said} ({trial.seconds:g} s)\n")
    sys.stderr.flush()
    if file is not None:
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(trial)) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="trials of each kind")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument("--long", action="store_true", help="also what takes minutes")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once")
    parser.add_argument(
        "--json",
        type=Path,
        help="write every trial to this file; those that are there are not run again",
    )
    return parser.parse_args()


def _table(trials: list[Trial]) -> list[str]:
    """One line a kind of fault, and the sum."""
    lines = [f"{'fault':38} trials  attempts  lost  changed  doubled  not judged  trouble"]
    names = dict.fromkeys(trial.fault for trial in trials)
    for name in [*names, "all"]:
        mine = [trial for trial in trials if name in (trial.fault, "all")]
        done = [trial for trial in mine if not trial.skipped]
        attempts = sum(sum(trial.attempts.values()) for trial in done)
        figures = [sum(getattr(trial, word) for trial in done)
                   for word in ("lost", "changed", "doubled", "not_judged")]  # fmt: skip
        bad = sum(bool(trial.problems) for trial in done)
        note = f"  ({len(mine) - len(done)} skipped)" if len(done) < len(mine) else ""
        lines.append(
            f"{name:38} {len(done):6}  {attempts:8}  {figures[0]:4}  {figures[1]:7}  "
            f"{figures[2]:7}  {figures[3]:10}  {bad:7}{note}"
        )
    return lines


if __name__ == "__main__":
    sys.exit(main())
