"""The exported samples: what went in comes out, chosen as asked, whole or not there at all."""

import gzip
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from box import ROOT

from kent.cli import main
from memory.records import LabelledSample, ProblemRow, SampleRow, VerdictRow
from memory.sample_stream import SampleFilter, open_samples
from memory.store import Store
from sandbox import Sandbox
from tests.trainers.scripted import ScriptedGenerator, adder, adder_programs, context_in
from trainers.config import GeneratorConfig
from trainers.generators.base import Completion, Message, Request, SamplingParams
from trainers.labelling import sample_and_label
from trainers.samples import SampleSource, Want

Json = dict[str, Any]
KINDS = ("visible1", "seed")
SPLITS = {1: "train", 2: "train", 3: "validation", 4: "test"}


@dataclass
class Recording(ScriptedGenerator):
    """Remembers the chats that it was asked, by problem."""

    chats: dict[str, tuple[Message, ...]] = field(default_factory=dict)

    def generate(self, requests: Any, params: SamplingParams) -> Iterator[Completion]:
        def seen() -> Iterator[Request]:
            for request in requests:
                self.chats[request.key] = request.messages
                yield request

        yield from super().generate(seen(), params)


@dataclass
class Sampled:
    """A state in which problems of all splits were sampled under both protocols, and judged."""

    folder: Path
    chats: dict[tuple[str, str], tuple[Message, ...]]
    labelled: list[LabelledSample]
    problems: dict[str, ProblemRow]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    folder = tmp_path_factory.mktemp("sampled") / "state"
    folder.mkdir()
    problems = [adder(number, split) for number, split in SPLITS.items()]
    context = context_in(folder)
    context.store.add_problems(problems, "by hand")
    chats, labelled = {}, []
    with context.store, Sandbox(workers=1) as sandbox:
        for kind in KINDS:
            programs = {row.id: adder_programs(int(row.id.split("/")[1])) for row in problems}
            generator = Recording(programs)
            source = SampleSource.of(generator.id, kind, GeneratorConfig())
            sample_and_label(context, [Want(row, 6) for row in problems], source, generator,
                             sandbox, prompt_kind=kind, seed=3)  # fmt: skip
            chats |= {(key, source.protocol): chat for key, chat in generator.chats.items()}
            labelled += context.store.labelled(
                generator_id=source.generator_id, protocol=source.protocol,
                sandbox_version=sandbox.version, level=sandbox.level,
            )  # fmt: skip
    assert len(labelled) == 48
    return Sampled(folder, chats, labelled, {row.id: row for row in problems})


def kent(state: Path, *words: str) -> int:
    return main(["--state", str(state), "state", "export", "samples", *words])


def read(path: Path) -> tuple[Json, list[Json]]:
    raw = path.read_bytes()
    lines = (gzip.decompress(raw) if path.name.endswith(".gz") else raw).splitlines()
    header, *rows = map(json.loads, lines)
    return header, rows


def exported(sampled: Sampled, folder: Path, *words: str) -> tuple[Json, list[Json]]:
    target = folder / "samples.jsonl"
    assert kent(sampled.folder, str(target), "--force", *words) == 0
    assert [path.name for path in folder.iterdir()] == ["samples.jsonl"]
    return read(target)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def key(row: SampleRow) -> tuple[str, str, int]:
    return row.problem_id, row.protocol, row.idx


def test_a_critic_can_be_trained_from_the_file_alone(sampled: Sampled, tmp_path: Path) -> None:
    """Everything that training reads of a sample and its problem is rebuilt from the lines."""
    _, rows = exported(sampled, tmp_path, "--split", "all")
    stored = {key(one.sample): one for one in sampled.labelled}
    assert len(rows) == len(stored)
    of_sample = [name for name in SampleRow.__dataclass_fields__ if name not in
                 ("id", "stage_run_id")]  # fmt: skip
    for row in rows:
        sample = SampleRow(**{name: row[name] for name in of_sample}, stage_run_id=0)
        one = stored.pop(key(sample))
        assert replace(one.sample, id=None, stage_run_id=0) == sample
        assert (row["verdict"], row["passed"], row["split"]) == (one.verdict, one.passed, one.split)
        problem = sampled.problems[row["problem_id"]]
        for name in ("source", "statement", "entry_point", "stub", "tests_hash"):
            assert row[name] == getattr(problem, name), name
        assert tuple(row["visible_tests"]) == problem.visible_tests
        needed = {
            "problem_id", "source", "split", "statement", "entry_point", "visible_tests", "prompt",
            "completion", "code", "program_hash", "tokens", "logprob", "generator_id", "protocol",
            "params", "verdict", "cpu_s", "sandbox_version", "sandbox_level", "tests_hash",
            "kent_version",
        }  # fmt: skip
        assert not {name for name in needed if row[name] in (None, "", [], {})}
        assert (row["failure"] is None) == row["passed"]
        assert row["kent_version"] == "test"
        assert row["problem_changed"] is False
        assert "tests" not in row
    assert stored == {}


def test_the_prompt_is_the_chat_that_the_generator_was_asked(
    sampled: Sampled, tmp_path: Path
) -> None:
    _, rows = exported(sampled, tmp_path, "--split", "all")
    for row in rows:
        chat = sampled.chats[row["problem_id"], row["protocol"]]
        assert row["prompt"] == [asdict(message) for message in chat]
    assert len({json.dumps(row["prompt"]) for row in rows}) == 2 * len(SPLITS)


def test_the_header_counts_the_lines_and_names_the_licences(
    sampled: Sampled, tmp_path: Path
) -> None:
    header, rows = exported(sampled, tmp_path, "--split", "all")
    assert header["schema"] == "kent-samples/1"
    assert (header["samples"], header["problems"], header["not_judged"]) == (48, 4, 0)
    for name, counts in header["by"].items():
        assert counts == Counter(row[name] for row in rows), name
    assert header["licences"] == {"adder": "unknown"}
    assert header["filter"]["split"] is None
    ids = [row["problem_id"] for row in rows]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("words", "problems", "protocols", "count"),
    [
        ((), {"adder/1", "adder/2"}, 2, 24),
        (("--split", "train"), {"adder/1", "adder/2"}, 2, 24),
        (("--split", "validation"), {"adder/3"}, 2, 12),
        (("--split", "test"), {"adder/4"}, 2, 12),
        (("--split", "test", "--protocol", "seed/v1"), {"adder/4"}, 1, 6),
        (("--source", "adder", "--generator", "scripted/1"), {"adder/1", "adder/2"}, 2, 24),
    ],
)
def test_filters(
    sampled: Sampled, tmp_path: Path, words: tuple[str, ...], problems: set[str], protocols: int,
    count: int,
) -> None:  # fmt: skip
    header, rows = exported(sampled, tmp_path, *words)
    assert {row["problem_id"] for row in rows} == problems
    assert len({row["protocol"] for row in rows}) == protocols
    assert len(rows) == header["samples"] == count
    assert {row["split"] for row in rows} == {SPLITS[int(id[-1])] for id in problems}


def test_a_packed_file_holds_the_same_lines(sampled: Sampled, tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl.gz"):
        assert kent(sampled.folder, name) == 0
    assert (tmp_path / "b.jsonl.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert read(tmp_path / "a.jsonl")[1] == read(tmp_path / "b.jsonl.gz")[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--source", "mbpp"), "no judged sample of split train, source mbpp; nothing was written"),
        (("--generator", "other"), "no judged sample of split train, generator_id other"),
        (("--protocol", "seed/v0"), "no judged sample"),
    ],
)
def test_a_filter_that_lets_nothing_through_writes_nothing(
    sampled: Sampled, tmp_path: Path, words: tuple[str, ...], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert kent(sampled.folder, "none.jsonl", *words) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert said in line
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_replaced_only_when_forced(
    sampled: Sampled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "samples.jsonl"
    target.write_text("precious")
    assert kent(sampled.folder, str(target)) == 1
    assert "exists; name another file, or replace it with --force" in capsys.readouterr().err
    assert target.read_text() == "precious"
    assert kent(sampled.folder, str(target), "--force") == 0
    assert read(target)[0]["samples"] == 24


def test_no_store_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kent(tmp_path / "state", "samples.jsonl") == 1
    assert "does not exist" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# Stores of plain rows, for what a sampled one cannot show.


def rows_of(problem: int, count: int, padding: str = "", **changes: Any) -> list[SampleRow]:
    row = SampleRow(
        problem_id=f"adder/{problem}", generator_id="gen", protocol="visible1/v1", params={"t": 1},
        params_hash="h", idx=0, seed=1, completion="c", code="", program_hash="", tokens=5,
        logprob=None, finish_reason="stop", stage_run_id=1,
    )  # fmt: skip
    return [
        replace(row, idx=idx, completion=f"{idx} {padding}", code=f"{problem} {idx}",
                program_hash=f"{problem} {idx}", **changes)
        for idx in range(count)
    ]  # fmt: skip


def judged(store: Store, samples: list[SampleRow], word: str, version: str = "1") -> None:
    store.add_verdicts(
        [
            VerdictRow(row.program_hash, adder(1).tests_hash, version, "A", word, None, 0.1, 0.2, 9)
            for row in samples
        ]
    )


@pytest.fixture
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    context = context_in(tmp_path_factory.mktemp("plain"))
    context.store.add_problems([adder(1)], "by hand")
    with context.store:
        yield context.store


def test_the_last_verdict_counts_and_what_was_not_judged_is_left_out(
    store: Store, tmp_path: Path
) -> None:
    samples = rows_of(1, 3)
    store.add_samples(samples)
    judged(store, samples[:2], "timeout", "1")
    judged(store, samples[:1], "passed", "2")
    assert kent(store.path.parent, "samples.jsonl") == 0
    header, rows = read(tmp_path / "samples.jsonl")
    assert [(row["verdict"], row["sandbox_version"]) for row in rows] == [
        ("passed", "2"), ("timeout", "1"),
    ]  # fmt: skip
    assert (header["samples"], header["not_judged"]) == (2, 1)
    assert header["by"]["verdict"] == {"passed": 1, "timeout": 1}


def test_a_problem_that_changed_after_it_was_sampled_is_marked(
    store: Store, tmp_path: Path
) -> None:
    store.add_samples(samples := rows_of(1, 1))
    judged(store, samples, "passed")
    time.sleep(0.01)
    store.add_problems([replace(adder(1), statement="Another text.")], "by hand")
    assert kent(store.path.parent, "samples.jsonl") == 0
    _, [row] = read(tmp_path / "samples.jsonl")
    assert row["problem_changed"] is True


def test_a_prompt_that_is_no_longer_made_is_refused(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.add_samples(samples := rows_of(1, 1, protocol="visible1/v0"))
    judged(store, samples, "passed")
    assert kent(store.path.parent, "samples.jsonl") == 1
    assert "protocol visible1/v0, whose prompt this KENT does not make" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_rows_are_streamed_and_never_all_held(store: Store, tmp_path: Path) -> None:
    store.add_samples(samples := rows_of(1, 1500, "x" * 20_000))
    judged(store, samples, "failed")
    with open_samples(store.path, SampleFilter("train")) as stream:
        tracemalloc.start()
        assert sum(1 for _ in stream.samples()) == 1500
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        assert kent(store.path.parent, "samples.jsonl.gz") == 0
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert held < 2e6
    assert written < 12e6
    assert len(read(tmp_path / "samples.jsonl.gz")[1]) == 1500


def test_an_export_is_one_moment_while_others_write(store: Store) -> None:
    store.add_samples(samples := rows_of(1, 5))
    judged(store, samples[:3], "failed")
    with open_samples(store.path, SampleFilter(None)) as stream:
        before = stream.groups()
        judged(store, samples[3:], "passed")
        assert stream.groups() == before
        assert [row["verdict"] for row in stream.samples()] == ["failed"] * 3
        assert stream.problems() == 1


def test_what_fails_in_the_middle_leaves_nothing(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.add_samples(samples := rows_of(1, 50, "x" * 5000))
    judged(store, samples, "failed")
    connection = sqlite3.connect(store.path)
    connection.execute("UPDATE samples SET params = 'broken' WHERE idx = 49")
    connection.commit()
    connection.close()
    assert kent(store.path.parent, "samples.jsonl") == 1
    assert capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_killed_export_leaves_no_file_of_that_name_and_the_next_one_tidies_up(
    store: Store, tmp_path: Path
) -> None:
    store.add_samples(samples := rows_of(1, 4000, "x" * 10_000))
    judged(store, samples, "failed")
    words = ["--state", str(store.path.parent), "state", "export", "samples", "samples.jsonl.gz"]
    command = [sys.executable, "-m", "kent", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment) as process:
        deadline = time.monotonic() + 60
        while not (left := list(tmp_path.iterdir())) or not left[0].stat().st_size:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "samples.jsonl.gz").exists()
    assert len(list(tmp_path.iterdir())) == 1
    assert kent(store.path.parent, "samples.jsonl.gz") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["samples.jsonl.gz"]
