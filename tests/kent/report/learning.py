"""What a code stage and a fractal stage leave in the memory, written through the store."""

from memory.records import ProblemRow, SampleRow, VerdictRow
from memory.repair_records import (
    ConstraintRow,
    ObservationRow,
    PatternRow,
    RepairPairRow,
    RepairRow,
)
from memory.store import Store
from memory.swe_tasks import SweTaskRow
from tests.kent.report.filling import sha

SWAP = {"kind": "replace", "level": 0, "where": "", "before": ["tree", "Sub", []],
        "after": ["tree", "Add", []]}  # fmt: skip
BROKEN = "# adds\ndef f(a, b):\n    return a - b\n"
FIXED = "def f(a, b):\n    # as asked\n    return a + b\n"


def add_learned(store: Store, stage_run: int, text: str = "", splits: tuple[str, ...] = ("test",)):
    """Patterns, outcomes, failures, repairs in both orders, one repair pair; all name ``text``."""
    store.add_problems(
        [ProblemRow(f"learn/{text}", "learn", f"Add two. {text}", "f", "train", {"mode": "data"},
                    sha("learn"))], "by hand",
    )  # fmt: skip
    problem = f"learn/{text}"
    store.add_patterns([PatternRow("swap", "modify_line", SWAP)])
    tries = [("swap", True), ("swap", True), ("swap", False), (f"python:{text or 'rewrite'}", True),
             ("lost", False)]  # fmt: skip
    store.add_observations(
        ObservationRow(f"c{i}", name, good, problem_id=problem, stage_run_id=stage_run)
        for i, (name, good) in enumerate(tries)
    )
    store.add_constraints(
        ConstraintRow(f"c{i}", "modify_line", "program", "lost", 0.25, problem_id=problem,
                      stage_run_id=stage_run)
        for i in range(3)
    )  # fmt: skip
    for split in splits:
        _add_repairs(store, stage_run, split)
    _add_pair(store, stage_run, problem)


def _add_repairs(store: Store, stage_run: int, split: str) -> None:
    tasks = [f"{split}/{i}" for i in range(4)]
    store.add_swe_tasks(
        SweTaskRow(id=task, source="made", repo="o/r", base_commit=None, base_date=None,
                   issue="It breaks.", split=split, rule="by hand", trees=None, body={})
        for task in tasks
    )  # fmt: skip
    for task, mine, cold in zip(tasks, (3, 5, 100, 0), (30, 100, 100, 0), strict=True):
        unjudged = mine == 0
        for mode, count in ((split, mine), (f"{split}, untrained", cold)):
            outcome = "unjudged" if unjudged else "resolved" if count < 100 else "unrepaired"
            store.add_repairs([RepairRow(task, mode, outcome, count, 1.0, stage_run_id=stage_run)])


def _add_pair(store: Store, stage_run: int, problem: str) -> None:
    samples = [
        SampleRow(
            problem_id=problem, generator_id="gen", protocol="v1", params={}, params_hash="h",
            idx=i, seed=i, completion="c", code=code, program_hash=sha(code), tokens=9,
            logprob=None, finish_reason="stop", stage_run_id=stage_run,
        )
        for i, code in enumerate((BROKEN, FIXED))
    ]  # fmt: skip
    store.add_samples(samples)
    store.add_verdicts(
        VerdictRow(sample.program_hash, sha("learn"), "1", "rlimits", word, None, 0.01, 0.02, 9.0)
        for sample, word in zip(samples, ("failed", "passed"), strict=True)
    )
    found = store.query("SELECT id FROM samples WHERE problem_id = ? ORDER BY idx", (problem,))
    broken, fixed = (row["id"] for row in found)
    store.add_repair_pairs(
        [RepairPairRow(problem, broken, fixed, 0.9, span=(3, 3), change="rewrite")]
    )
