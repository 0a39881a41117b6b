"""A store of a million samples and verdicts: how fast it is filled, reported on, asked and copied.

    python scripts/bench_store.py [--samples 1000000] [--folder DIR] [--repeat 5] [--json FILE]

It fills a new store through the same methods as the stages, in batches, and times the commands that
a person waits for, each in a process of its own. With ``--folder`` the store stays there and is
used again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from memory.records import Figure, ProblemRow, SampleRow, Split, VerdictRow
from memory.store import Store

BATCH = 10_000
PROBLEMS, ROUNDS = 1000, 100
_WORDS = ("passed", "failed", "failed", "error", "timeout")
_SPLITS: tuple[Split, ...] = ("train", "train", "validation", "test")
_SAME = 3  # every so many samples repeat a program of their problem


def main() -> int:
    """Fill, time, print."""
    options = _options()
    with ExitStack() as stack:
        folder = options.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kent-bench-store-"))
        )
        found: dict[str, Any] = {"samples": options.samples}
        if not (folder / "kent.db").exists():
            found |= fill(folder / "kent.db", options.samples)
            _say(f"filled: {found}")
        found["database_mb"] = round((folder / "kent.db").stat().st_size / 2**20)
        for words in (["report"], ["report", "--json"], ["daemon", "status"],
                      ["state", "prune", "--dry-run"]):  # fmt: skip
            found[f"kent {' '.join(words)} s"] = _timed(folder, words, options.repeat)
        copies = iter(range(options.repeat + 1))
        found["kent state backup s"] = _timed(
            folder, ["state", "backup", lambda: str(folder / f"copy-{next(copies)}.db")], 1
        )
        found["kent state verify s"] = _timed(folder, ["state", "verify"], 1)
        for copy in folder.glob("copy-*.db"):
            copy.unlink()
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    if options.json:
        options.json.write_text(json.dumps(found))
    return 0


def fill(path: Path, count: int) -> dict[str, Any]:
    """Make the store; how many rows a second went in, the making of the rows not counted."""
    with Store.open(path) as store:
        problems = [_problem(number) for number in range(PROBLEMS)]
        store.add_problems(problems, "bench")
        spent = {"samples": 0.0, "samples_cpu": 0.0, "verdicts": 0.0}
        stored = {"samples": 0, "verdicts": 0}
        for round_number in range(ROUNDS):
            run = _begin(store, round_number)
            rows = _samples(run, round_number, count // ROUNDS)
            while batch := list(islice(rows, BATCH)):
                verdicts = [_verdict(row) for row in batch]
                began, cpu = time.perf_counter(), time.process_time()
                stored["samples"] += store.add_samples(batch)
                middle = time.perf_counter()
                spent["samples_cpu"] += time.process_time() - cpu
                stored["verdicts"] += store.add_verdicts(verdicts)
                spent["samples"] += middle - began
                spent["verdicts"] += time.perf_counter() - middle
            _end(store, round_number, run)
        store.checkpoint()
    return {
        "samples_stored": stored["samples"],
        "verdicts_stored": stored["verdicts"],
        "samples_per_s": round(stored["samples"] / spent["samples"]),
        "samples_per_cpu_s": round(stored["samples"] / spent["samples_cpu"]),
        "verdict_rows_offered_per_s": round(stored["samples"] / spent["verdicts"]),
    }


def _begin(store: Store, number: int) -> int:
    round_id = store.open_round(seed=number, config={"profile": "cpu"}, code_version="bench").id
    return store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id


def _end(store: Store, number: int, run: int) -> None:
    """A version of the round with its figures, decided on, and the round's end."""
    model = store.begin_model(
        "critic", {"round": number}, generator_id="bench", parent=None, stage_run_id=run,
        code_version="bench",
    )  # fmt: skip
    store.complete_model(model.id, Path("checkpoints") / f"{model.id}.bin", "0" * 64)
    for split in ("validation", "test"):
        figures = {
            name: Figure(0.4 + 0.001 * number + 0.05 * place, 0.3, 0.7, 250)
            for place, name in enumerate(
                ("baseline_pass1", "verifier_pass1", "oracle_passN", "gap_closed", "ece")
            )
        }
        store.add_evaluation(run, model.id, "mbpp", split, "visible1/v1", figures)
    store.promote(
        model.id, run, decision="kept" if number % 5 else "promoted",
        effect=Figure(0.01, 0.0, 0.02, 250), p_value=0.04, alpha=0.05, looks=1, reason="bench",
    )  # fmt: skip
    store.end_stage_run(run, "done")
    store.close_round(number + 1, "done")


def _problem(number: int) -> ProblemRow:
    return ProblemRow(
        f"mbpp/{number}", "mbpp", f"Write f{number}." * 10, "f", _SPLITS[number % 4],
        {"mode": "data"}, sha256(str(number).encode()).hexdigest(),
    )  # fmt: skip


def _samples(run: int, round_number: int, count: int) -> Iterator[SampleRow]:
    """Programs of about 300 characters, some the same as another of their problem."""
    for number in range(count):
        problem, place = number % PROBLEMS, number // PROBLEMS
        idx = round_number * (count // PROBLEMS) + place
        body = f"    return x + {problem} * {idx // _SAME}\n"
        code = f"def f{problem}(x):\n" + "    # what a sampled program looks like\n" * 6 + body
        yield SampleRow(
            problem_id=f"mbpp/{problem}", generator_id="bench", protocol="visible1/v1",
            params={"temperature": 0.8, "top_p": 0.95, "max_tokens": 384}, params_hash="h" * 16,
            idx=idx, seed=idx, completion=f"```python\n{code}```", code=code,
            program_hash=sha256(code.encode()).hexdigest(), tokens=90, logprob=-20.5,
            finish_reason="stop", stage_run_id=run,
        )  # fmt: skip


def _verdict(row: SampleRow) -> VerdictRow:
    number = int(row.problem_id.rpartition("/")[2])
    word = _WORDS[int(row.program_hash[:4], 16) % len(_WORDS)]
    return VerdictRow(
        row.program_hash, sha256(str(number).encode()).hexdigest(), "1", "A", word,
        None if word == "passed" else {"call": 0, "type": "AssertionError"}, 0.01, 0.02, 20.0,
        stage_run_id=row.stage_run_id,
    )  # fmt: skip


def _timed(folder: Path, words: list[Any], repeat: int) -> float:
    """The median wall time of a command, in seconds, after one that is not counted."""
    taken = []
    for number in range(repeat + (repeat > 1)):
        arguments = [word() if callable(word) else word for word in words]
        command = [sys.executable, "-m", "kent", "--state", str(folder), *arguments]
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if number or repeat == 1:
            taken.append(time.perf_counter() - began)
    return round(median(taken), 3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="a state directory to fill, or to use again")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
