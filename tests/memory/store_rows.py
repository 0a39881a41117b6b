"""Rows for tests, and the short ways to fill a store with them."""

import hashlib
from dataclasses import replace
from pathlib import Path

from memory.files import sha256_file, write_atomically
from memory.records import (
    Figure,
    LabelledSample,
    ModelRow,
    ProblemRow,
    SampleRow,
    Split,
    VerdictRow,
)
from memory.store import Store

RECIPE = {"generator_id": "gen", "protocol": "visible1/v1", "params_hash": "h"}
SANDBOX = {"sandbox_version": "1", "level": "rlimits"}
EFFECT = Figure(0.1, 0.05, 0.15, 90)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def problem(id: str, split: Split = "train", **changes) -> ProblemRow:
    row = ProblemRow(
        id=id,
        source=id.split("/")[0],
        statement=f"Write {id}.",
        entry_point="f",
        split=split,
        tests={"mode": "data", "calls": [id]},
        tests_hash=sha(id),
        visible_tests=("assert f(1) == 1",),
        metadata={"sanitized": True},
    )
    return replace(row, **changes)


def sample(problem_id: str = "p/train", idx: int = 0, **changes) -> SampleRow:
    code = changes.pop("code", f"def f(x):\n    return {idx}  # {problem_id}\n")
    row = SampleRow(
        problem_id=problem_id,
        generator_id="gen",
        protocol="visible1/v1",
        params={"temperature": 0.8},
        params_hash="h",
        idx=idx,
        seed=idx,
        completion=f"```python\n{code}```",
        code=code,
        program_hash=sha(code),
        tokens=20,
        logprob=-3.5,
        finish_reason="stop",
        stage_run_id=1,
    )
    return replace(row, **changes)


def verdict(of: SampleRow, word: str = "passed", **changes) -> VerdictRow:
    row = VerdictRow(
        program_hash=of.program_hash,
        tests_hash=sha(of.problem_id),
        sandbox_version="1",
        sandbox_level="rlimits",
        verdict=word,
        failure=None if word == "passed" else {"call": 0, "type": "AssertionError"},
        cpu_s=0.01,
        wall_s=0.02,
        peak_memory_mb=12.0,
        stage_run_id=1,
    )
    return replace(row, **changes)


def add_labelled(store: Store, problem_id: str, count: int = 3) -> list[LabelledSample]:
    samples = [sample(problem_id, idx) for idx in range(count)]
    store.add_samples(samples)
    store.add_verdicts([verdict(row) for row in samples])
    return store.labelled(problem_ids=[problem_id], **RECIPE, **SANDBOX)


def pairs(rows: list[LabelledSample]) -> list[tuple[int, int]]:
    return [(row.sample.id, row.verdict_id) for row in rows]


def begin(store: Store, *, stage_run_id: int = 1, **changes) -> ModelRow:
    given = {"config": {"layers": 2}, "generator_id": "gen", "parent": None, "code_version": "0"}
    given.update(changes)
    kind = given.pop("kind", "critic")
    return store.begin_model(kind, given.pop("config"), stage_run_id=stage_run_id, **given)


def add_candidate(store: Store, **changes) -> ModelRow:
    model = begin(store, **changes)
    file = Path("checkpoints") / f"{model.id}.safetensors"
    write_atomically(store.path.parent / file, f"weights of {model.id}".encode())
    return store.complete_model(model.id, file, sha256_file(store.path.parent / file))


def promote(store: Store, model: ModelRow, decision: str = "promoted", stage_run_id: int = 1):
    gate = {"p_value": 0.01, "alpha": 0.05, "looks": 1, "reason": "better"}
    store.promote(model.id, stage_run_id, decision=decision, effect=EFFECT, **gate)
