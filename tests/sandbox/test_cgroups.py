"""The memory group around each zygote, where this machine lets us make one."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sandbox_programs import RIGHT, program

from sandbox import Limits, Sandbox, Word, cgroups, pool

WHY_NOT = cgroups.obstacle()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

EATER = """
import os, sys
os.write(int(sys.argv[1]), b"0")
keep = bytearray(int(sys.argv[2]) << 20)
"""


@pytest.fixture
def ours():
    """The groups made since the test began."""
    parent, _ = cgroups._parent()
    before = set(parent.glob("kent-sandbox-*"))
    return lambda: set(parent.glob("kent-sandbox-*")) - before


def eat(group, megabytes):
    command = [sys.executable, "-c", EATER, str(group.procs), str(megabytes)]
    return subprocess.run(command, pass_fds=[group.procs], check=False).returncode


def test_what_a_group_holds_together_is_bounded(ours):
    group = cgroups.make(64)
    try:
        assert eat(group, 16) == 0
        assert not group.killed()
        assert eat(group, 200) == -signal.SIGKILL
        assert group.killed()
        assert not group.killed()  # told once
        group.limit(400)
        assert eat(group, 200) == 0
    finally:
        group.close()
    assert ours() == set()


def test_zygotes_have_groups_and_leave_none(ours):
    with Sandbox(workers=2, limits=Limits(memory_mb=100)) as box:
        plain = replace(program(RIGHT), limits=None)
        assert all(verdict.passed for verdict in box.run_many([plain] * 20))
        paths = ours()
        assert paths
        for path in paths:
            [limit] = [f for f in ("memory.max", "memory.limit_in_bytes") if (path / f).exists()]
            assert int((path / limit).read_text()) == (2 * 100 + 64 + 128) << 20
            assert (path / "cgroup.procs").read_text().split()
    assert ours() == set()


def test_a_program_over_the_groups_limit_is_out_of_memory(monkeypatch):
    monkeypatch.setattr(pool, "ZYGOTE_MB", 32 - 2 * 512)  # less than one program may have
    eater = "b = bytearray(300_000_000)\nimport os\n" + RIGHT
    with Sandbox(workers=1) as box:
        assert box.run(program(eater)).word is Word.OUT_OF_MEMORY
        assert box.run(program(RIGHT)).passed
        more = replace(program(eater), limits=Limits(memory_mb=800))
        assert box.run(more).passed  # a program's own limit raises the group's


MAKER = """
import sys
from sandbox import cgroups
group = cgroups.make(64)
print(group.procs, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def maker():
    """Another process that has made a group, in which nothing runs yet."""
    with subprocess.Popen(
        [sys.executable, "-c", MAKER], cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout.readline()
        yield process
        process.kill()


def test_the_groups_of_a_process_that_is_gone_are_swept(ours, maker):
    assert len(ours()) == 1
    maker.kill()
    maker.wait()
    cgroups.sweep()
    assert ours() == set()


def test_a_group_that_another_sandbox_has_just_made_is_not_swept(ours, maker):
    mine = cgroups.make(64)
    try:
        Sandbox(workers=1).close()
        assert len(ours()) == 2
        assert eat(mine, 1) == 0
    finally:
        mine.close()


def test_a_process_with_the_pid_of_one_that_is_gone_keeps_no_group(ours):
    parent, _ = cgroups._parent()
    (parent / f"kent-sandbox-{os.getpid()}-1-1").mkdir()  # of one that began at tick 1
    cgroups.sweep()
    assert ours() == set()


def test_sandboxes_that_start_at_once_take_nothing_from_each_other():
    def one(number):
        with Sandbox(workers=1) as box:
            return [verdict.passed for verdict in box.run_many([program(RIGHT)] * 3)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(passed) for passed in pool.map(one, range(12)))
