"""An engine in a child process: kept full, watched, ended; whatever it does, one clear error."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from scripted_engine import ECHO, READY, scripted_engine

from trainers.errors import GeneratorError
from trainers.generators.base import Message, Request, SamplingParams
from trainers.generators.engine import EngineGenerator

REPO = Path(__file__).resolve().parents[3]
PARAMS = SamplingParams(temperature=0.5, top_p=0.9, max_tokens=32, seed=7, stop=("\n\n",))
Make = Callable[..., EngineGenerator]


def request(key: str, n: int = 1) -> Request:
    return Request(key, (Message("user", f"say {key}"),), n)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(script: str, parallel: int = 4, timeout_s: float = 20.0) -> EngineGenerator:
        return EngineGenerator(
            "test/engine",
            python=scripted_engine(tmp_path, script),
            engine={"backend": "test", "model": "m"},
            env={},
            parallel=parallel,
            timeout_s=timeout_s,
            log_path=tmp_path / "logs" / "engine.log",
            on_engine=lambda pid, start, role: seen.append((pid, start, role)),
        )

    seen: list[tuple[int, float, str]] = []
    made.seen = seen  # type: ignore[attr-defined]
    return made


def ended(pid: int) -> bool:
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


def test_every_sample_comes_back_with_its_key(make: Make) -> None:
    with make(ECHO) as generator:
        got = list(generator.generate([request("a", 3), request("b", 2)], PARAMS))
    assert sorted(one.key for one in got) == ["a", "a", "a", "b", "b"]
    first = got[0]
    assert (first.tokens, first.logprob, first.finish_reason) == (2, -1.5, "stop")
    told = [json.loads(one.text) for one in got]
    assert told[0]["messages"] == [{"role": "user", "content": f"say {first.key}"}]
    assert {job["params"]["max_tokens"] for job in told} == {32}
    assert told[0]["params"]["stop"] == ["\n\n"]
    assert len({job["params"]["seed"] for job in told}) == 5


def test_the_end_is_told_once_when_the_child_is_gone(tmp_path: Path) -> None:
    pids: list[int] = []
    alive_at_end: list[bool] = []
    generator = EngineGenerator(
        "test/engine",
        python=scripted_engine(tmp_path, ECHO),
        engine={"backend": "test", "model": "m"},
        env={},
        parallel=1,
        timeout_s=20,
        log_path=tmp_path / "engine.log",
        on_engine=lambda pid, start, role: pids.append(pid),
        on_ended=lambda: alive_at_end.append(psutil.pid_exists(pids[0])),
    )
    with generator:
        assert psutil.pid_exists(pids[0])
        assert alive_at_end == []
    generator.__exit__()
    assert alive_at_end == [False]


def test_run_is_repeated_by_its_seed_and_changed_by_another(make: Make) -> None:
    def seeds(seed: int) -> list[int]:
        with make(ECHO) as generator:
            params = SamplingParams(seed=seed)
            got = generator.generate([request("a", 3)], params)
            return [json.loads(one.text)["params"]["seed"] for one in got]

    assert seeds(1) == seeds(1)
    assert not set(seeds(1)) & set(seeds(2))


def test_requests_are_read_as_capacity_frees(make: Make) -> None:
    read: list[str] = []

    def requests() -> Iterator[Request]:
        for number in range(50):
            read.append(str(number))
            yield request(str(number))

    with make(ECHO, parallel=4) as generator:
        answers = generator.generate(requests(), PARAMS)
        next(answers)
        assert len(read) <= 8
        assert len(list(answers)) == 49


def test_infill_uses_the_models_tokens(make: Make) -> None:
    with make(ECHO) as generator:
        (one,) = generator.infill("def f(", "):", 1, PARAMS)
    prompt = json.loads(one.text)["prompt"]
    assert prompt == "<|fim_prefix|>def f(<|fim_suffix|>):<|fim_middle|>"


def test_engine_is_announced_and_gone_after_leaving(make: Make) -> None:
    with make(ECHO):
        ((pid, start, role),) = make.seen  # type: ignore[attr-defined]
        assert psutil.Process(pid).create_time() == start
        assert role == "engine test"
    assert ended(pid)


def test_run_that_is_left_does_not_reach_the_next(make: Make) -> None:
    late = READY + "for job in jobs():\n    time.sleep(0.05)\n    answer(job, str(job['job']))\n"
    with make(late) as generator:
        answers = generator.generate([request("old", 20)], PARAMS)
        next(answers)
        answers.close()
        got = list(generator.generate([request("new", 3)], PARAMS))
    assert [one.key for one in got] == ["new"] * 3


def test_second_run_beside_an_unfinished_one_is_refused(make: Make) -> None:
    with make(ECHO) as generator:
        answers = generator.generate([request("a", 9)], PARAMS)
        next(answers)
        with pytest.raises(GeneratorError, match="still generating"):
            list(generator.infill("a", "b", 1, PARAMS))
        with pytest.raises(GeneratorError, match="still generating"):
            generator.score([], ["x"])
        assert len(list(answers)) == 8


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), 9)", "memory is short"),
        ("print('Segmentation fault (core dumped)', flush=True)", "not a message"),
        ("print('[1, 2]', flush=True)", "not a message"),
        ("send(error='it is too long for the context')", "too long for the context"),
        ("send(hello=1)", "without 'job'"),
        ("answer(job, tokens=None)", "lacks or garbles"),
        ("send(job=job['job'], text='x')", "lacks or garbles"),
        ("time.sleep(60)", "silent for 1 s"),
    ],
)
def test_engine_that_fails_in_the_middle(make: Make, script: str, words: str) -> None:
    body = (
        f"for count, job in enumerate(jobs()):\n    if count < 2: answer(job)\n    else: {script}\n"
    )
    began = time.monotonic()
    with make(READY + body, timeout_s=1.0 if "sleep" in script else 20.0) as generator:
        answers = generator.generate([request("a", 6)], PARAMS)
        assert [next(answers).key, next(answers).key] == ["a", "a"]  # these stay valid
        with pytest.raises(GeneratorError, match=words) as caught:
            list(answers)
        assert "\n" not in str(caught.value)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("sys.exit(1)", "exit code 1"),
        ("send(error='the engine did not start: no such file')", "did not start"),
        ("print('garbage', flush=True)", "not a message"),
    ],
)
def test_engine_that_does_not_start(make: Make, script: str, words: str) -> None:
    with pytest.raises(GeneratorError, match=words), make(script):
        raise AssertionError("it started")
    assert ended(make.seen[0][0])  # type: ignore[attr-defined]


def test_generator_outside_its_with_statement_is_refused(make: Make) -> None:
    with pytest.raises(GeneratorError, match="with statement"):
        list(make(ECHO).generate([request("a")], PARAMS))


def test_real_child_that_cannot_boot_says_why(tmp_path: Path) -> None:
    generator = EngineGenerator(
        "llama.cpp/none",
        python=sys.executable,
        engine={"backend": "llama.cpp"},
        env={},
        parallel=1,
        timeout_s=20,
        log_path=tmp_path / "engine.log",
        on_engine=lambda *identity: None,
    )
    with pytest.raises(GeneratorError, match="did not start: KeyError"), generator:
        raise AssertionError("it started")
    assert "Traceback" in (tmp_path / "engine.log").read_text()


def test_real_child_ends_with_its_parent_though_its_input_stays_open() -> None:
    """A sibling process may hold the other end of the pipe; the child must not live by it."""
    reading, writing = os.pipe()
    parent = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'trainers.generators.engine_child'],"
        f" stdin={reading})\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, pass_fds=[reading], cwd=REPO
    ) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        time.sleep(1.0)
        assert psutil.pid_exists(pid)
        started.send_signal(signal.SIGKILL)
    assert ended(pid)
    os.close(reading)
    os.close(writing)
