"""A store filled through its own methods, as rounds of the critic stage would fill it."""

import hashlib
from pathlib import Path

from memory.records import Figure, ProblemRow, SampleRow, VerdictRow
from memory.store import Store

NAMES = ("baseline_pass1", "verifier_pass1", "oracle_passN", "gap_closed", "auc_within_problem",
         "ece")  # fmt: skip


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def add_problems(store: Store, count: int = 12) -> list[str]:
    splits = ("train", "train", "validation", "test")
    rows = [
        ProblemRow(f"mbpp/{i}", "mbpp", f"Write f{i}.", "f", splits[i % 4], {"mode": "data"},
                   sha(str(i)))
        for i in range(count)
    ]  # fmt: skip
    store.add_problems(rows, "by hand")
    return [row.id for row in rows]


def add_samples(store: Store, stage_run: int, round_id: int, problems: list[str]) -> None:
    words = ("passed", "failed", "failed", "timeout")
    samples = [
        SampleRow(
            problem_id=problem, generator_id="gen", protocol="visible1/v1", params={},
            params_hash="h", idx=4 * round_id + i, seed=i, completion="c", code=f"{problem} {i}",
            program_hash=sha(f"{problem} {i}"), tokens=10 + i, logprob=None, finish_reason="stop",
            stage_run_id=stage_run,
        )
        for problem in problems
        for i in range(4)
    ]  # fmt: skip
    store.add_samples(samples)
    store.add_verdicts(
        VerdictRow(s.program_hash, sha(s.problem_id), "1", "rlimits", words[s.seed % 4], None, 0.01,
                   0.02, 10.0, stage_run_id=stage_run)
        for s in samples
    )  # fmt: skip


def figures(round_id: int, measured: dict[str, dict[str, float]] | None = None):
    """Figures that improve a little each round, each different; or the means of outcomes."""
    step = 0.01 * round_id
    values = (0.40 + step / 10, 0.45 + step, 0.70 + step / 9, 0.20 + 2 * step, 0.60 + step,
              0.20 / (1 + step))  # fmt: skip
    found = {
        name: Figure(value, value - 0.05 - step / 7, value + 0.06, 100 + i)
        for i, (name, value) in enumerate(zip(NAMES, values, strict=True))
    }
    for name in NAMES[:3] if measured else ():
        mean = sum(entry[name] for entry in measured.values()) / len(measured)
        found[name] = Figure(mean, mean - 0.1, mean + 0.1, len(measured))
    return found


def outcomes(round_id: int, count: int = 40) -> dict[str, dict[str, float]]:
    """What each test problem gave: the single rate, the critic's choice, any of the samples."""
    return {
        f"mbpp/{i}": {
            "baseline_pass1": (i % 5) / 4,
            "verifier_pass1": float(i % 5 > 4 - round_id),
            "oracle_passN": float(i % 5 > 0),
        }
        for i in range(count)
    }


def add_round(
    store: Store, *, samples: bool = False, paired: bool = False, decision: str | None = None,
    end: str = "done", error: str | None = None, close: str | None = "done",
    problem_set: str = "mbpp", code_version: str = "0.1.0", reason: str = "better", **more,
) -> int:  # fmt: skip
    """One round with a critic stage that measured; returns its id."""
    config = {"profile": "cpu"}
    round_id = store.open_round(seed=1, config=config, code_version=code_version).id
    run = store.begin_stage_run(round_id, "critic", pid=1, pid_start=1.0).id
    store.beat(run, "sample", 3, 12, "problems")
    if samples:
        add_samples(store, run, round_id, add_problems(store))
    metrics = {}
    measured = figures(round_id, outcomes(round_id) if paired else None)
    if end == "done":
        model = add_model(store, run, code_version)
        metrics = {
            **{name: figure.to_json() for name, figure in measured.items()},
            "n_problems": 100, "n_samples": 400, "generator": "gen", "critic": model,
            "protocol": "visible1/v1", "problem_set": problem_set, "seconds": {"train": 1.5},
        }  # fmt: skip
        store.add_evaluation(run, model, "mbpp", "validation", "visible1/v1", figures(90))
        store.add_evaluation(run, model, problem_set, "test", "visible1/v1", measured)
        store.add_evaluation(run, model, "humaneval", "test", "visible1/v1", figures(80))
        if decision:
            store.promote(model, run, decision=decision, effect=Figure(0.031, 0.004, 0.06, 90),
                          p_value=0.012, alpha=0.05, looks=1, reason=reason)  # fmt: skip
    if paired:
        metrics["per_problem"] = outcomes(round_id)
    store.end_stage_run(run, end, error=error, metrics={**metrics, **more})
    if close:
        store.close_round(round_id, close)
    return round_id


def add_model(store: Store, run: int, code_version: str = "0.1.0") -> str:
    model = store.begin_model(
        "critic", {"run": run}, generator_id="gen", parent=None, stage_run_id=run,
        code_version=code_version,
    )  # fmt: skip
    file = Path("checkpoints") / f"{model.id}.safetensors"
    return store.complete_model(model.id, file, "0" * 64).id
