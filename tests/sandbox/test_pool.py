"""Many programs: order, back-pressure, cancelling, lost zygotes, and nothing left behind."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from sandbox_programs import RIGHT, program

from sandbox import LevelError, Sandbox, Word


def zygotes(pid=None):
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):  # it may end while we look
            if any("boot.py" in part for part in process.cmdline()):
                found.append(process)
    return found


def gone(processes, within_s):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        alive = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not alive:
            return True
        time.sleep(0.005)
    return False


def test_every_program_gets_its_verdict(sandbox):
    programs = [program(RIGHT if i % 3 else "def f(x): return 0", key=str(i)) for i in range(60)]
    verdicts = {v.key: v.passed for v in sandbox.run_many(programs)}
    assert verdicts == {str(i): bool(i % 3) for i in range(60)}


def test_programs_are_read_lazily(sandbox):
    read = []

    def endless():
        n = 0
        while True:
            read.append(n)
            yield program(RIGHT, key=str(n))
            n += 1

    stream = sandbox.run_many(endless())
    assert next(stream).passed
    time.sleep(0.3)
    assert len(read) < 400
    stream.close()


def test_verdicts_come_while_the_source_blocks(sandbox):
    more = threading.Event()

    def source():
        yield program(RIGHT, key="first")
        assert more.wait(20)
        yield program(RIGHT, key="second")

    stream = sandbox.run_many(source())
    assert next(stream).key == "first"
    more.set()
    assert [v.key for v in stream] == ["second"]


def test_what_the_source_raises_is_raised_here(sandbox):
    def source():
        yield program(RIGHT)
        raise KeyError("lost")

    stream = sandbox.run_many(source())
    assert next(stream).passed
    with pytest.raises(KeyError, match="lost"):
        next(stream)


def test_two_streams_at_once(sandbox):
    one = sandbox.run_many(program(RIGHT, key=f"a{i}") for i in range(20))
    two = sandbox.run_many(program(RIGHT, key=f"b{i}") for i in range(20))
    first = next(one)
    assert {v.key for v in two} == {f"b{i}" for i in range(20)}
    assert {first.key} | {v.key for v in one} == {f"a{i}" for i in range(20)}


def test_no_programs_no_verdicts(sandbox):
    assert list(sandbox.run_many([])) == []


def test_cancel_ends_streams_and_the_sandbox_goes_on():
    with Sandbox(workers=1) as box:
        stream = box.run_many([program(RIGHT)] + [program("while True: pass")] * 5)
        assert next(stream).passed
        threading.Timer(0.2, box.cancel).start()
        start = time.monotonic()
        assert list(stream) == []
        assert time.monotonic() - start < 2
        assert box.run(program(RIGHT)).passed


def test_a_lost_zygote_costs_no_verdict():
    others = zygotes()
    with Sandbox(workers=1) as box:
        assert box.run(program(RIGHT)).passed
        mine = [p for p in zygotes() if p not in others]
        threading.Timer(0.2, lambda: [p.kill() for p in mine]).start()
        code = "import time\ntime.sleep(0.6)\n" + RIGHT
        assert box.run(program(code)).passed


def test_what_fails_twice_is_not_judged():
    others = zygotes()
    with Sandbox(workers=1) as box:
        box.run(program(RIGHT))
        stop = threading.Event()

        def killer():
            while not stop.wait(0.05):
                for child in zygotes():
                    if child not in others:
                        with suppress(psutil.Error):
                            child.kill()

        thread = threading.Thread(target=killer)
        thread.start()
        verdict = box.run(program("import time\ntime.sleep(2)\n" + RIGHT))
        stop.set()
        thread.join()
        assert verdict.word is Word.NOT_JUDGED
        assert not verdict.passed
        assert box.run(program(RIGHT)).passed


def test_unknown_levels_are_refused():
    with pytest.raises(LevelError, match="no level 'Z'"):
        Sandbox(level="Z")
    with pytest.raises(ValueError, match="workers"):
        Sandbox(workers=0)


def test_closing_leaves_no_process_and_no_descriptor():
    before, others = list(Path("/proc/self/fd").iterdir()), zygotes()
    with Sandbox(workers=2) as box:
        list(box.run_many([program(RIGHT)] * 20))
        children = [p for p in zygotes() if p not in others]
        assert children
    assert gone(children, 0.5)
    assert len(list(Path("/proc/self/fd").iterdir())) <= len(before)


def test_more_zygotes_while_programs_sleep_and_none_too_many_after():
    others = zygotes()
    code = "import time\ntime.sleep(0.5)\n" + RIGHT
    with Sandbox(workers=1) as box:
        stream = box.run_many([program(code, key=str(i)) for i in range(12)])
        most = 0
        for verdict in stream:
            assert verdict.passed
            most = max(most, len({p.pid for p in zygotes()} - {p.pid for p in others}))
        box.run(program(RIGHT))
        left = [p for p in zygotes() if p not in others]
    assert most >= 2  # a zygote has two processes at level A, one at B
    assert len(left) <= 2


DRIVER = """
import sys, threading
sys.path[:0] = [{root!r}, {root!r} + "/tests/sandbox"]
from sandbox import Sandbox
from sandbox_programs import program
box = Sandbox(workers=2)
threading.Timer(0.5, print, ("up",), {{"flush": True}}).start()
list(box.run_many([program("import time\\ntime.sleep(60)")] * 2))
"""


def test_a_killed_parent_leaves_nothing():
    root = str(Path(__file__).resolve().parents[2])
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(root=root)], stdout=subprocess.PIPE
    )
    assert driver.stdout.readline() == b"up\n"
    children = psutil.Process(driver.pid).children(recursive=True)
    assert len(children) >= 3
    os.kill(driver.pid, signal.SIGKILL)
    assert gone(children, 0.5)
    driver.wait()
    driver.stdout.close()
