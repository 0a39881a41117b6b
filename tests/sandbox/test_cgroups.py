"""The memory group around each zygote, where this machine lets us make one."""

import signal
import subprocess
import sys
from dataclasses import replace

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


def test_groups_of_an_earlier_life_are_swept(ours):
    parent, _ = cgroups._parent()
    left = parent / "kent-sandbox-1-1"
    left.mkdir()
    cgroups.sweep()
    assert ours() == set()
