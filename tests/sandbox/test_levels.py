"""The level is chosen by what a program can reach, and what is in the way is told."""

import pytest
from sandbox_programs import RIGHT, program

from sandbox import LevelError, Sandbox, Word, describe, levels, native
from sandbox.worker import seccomp
from sandbox.worker.syscalls import AUDIT_ARCH, MACHINES, NUMBERS

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def decide(code, machine, number, *arguments):
    """What the kernel would make of a call: classic BPF over the call's data."""
    data = {0: number, 4: AUDIT_ARCH.get(machine, 0)}
    for index in range(6):
        value = arguments[index] if index < len(arguments) else 0
        data[16 + 8 * index], data[20 + 8 * index] = value & 0xFFFFFFFF, value >> 32
    at = loaded = 0
    while True:
        op, yes, no, k = code[at]
        at += 1
        if op == 0x20:
            loaded = data[k]
        elif op == 0x06:
            return k
        else:
            holds = {0x15: loaded == k, 0x45: bool(loaded & k), 0x35: loaded >= k}[op]
            at += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
def test_the_program_filter_decides_alike_on_every_machine(machine):
    table = NUMBERS[machine]
    code = seccomp.program_filter(machine, table, pid=7)

    def of(name, *arguments):
        return decide(code, machine, table[name], *arguments)

    assert of("read") == of("openat") == of("mmap") == ALLOW
    assert of("clone", 0x003D0F00) == ALLOW  # a thread
    assert of("clone", 17) == of("clone", 0x00010000 | 0x10000000) == EPERM
    assert of("kill", 7, 9) == of("tgkill", 7, 7, 6) == ALLOW
    assert of("kill", 0, 9) == of("kill", 2**32 - 1, 9) == of("tgkill", 8, 8, 9) == EPERM
    assert of("prlimit64", 0, 9, 0, 1) == ALLOW
    assert of("prlimit64", 0, 9, 1 << 40) == of("prlimit64", 5, 9, 0) == EPERM
    assert of("prctl", 15) == ALLOW
    assert of("prctl", 1) == of("prctl", 38) == EPERM
    assert of("ioctl", 0, 0x5401) == ALLOW
    assert of("ioctl", 0, 0x5412) == EPERM
    assert of("socketpair", 1) == ALLOW
    assert of("socketpair", 2) == EPERM
    for name in ("unshare", "setns", "capset", "seccomp", "setsid", "pidfd_open"):
        assert of(name) == EPERM
    assert decide(code, "i386", 20) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_the_zygote_filter_is_an_allow_list(machine):
    table = NUMBERS[machine]
    code = seccomp.zygote_filter(machine, table)
    assert len(code) < 4096
    for name in ("execve", "execveat", "mount", "ptrace", "pivot_root", "chroot", "setresuid"):
        assert decide(code, machine, table[name]) == EPERM
    assert decide(code, machine, table["clone3"]) == ENOSYS
    assert decide(code, machine, table["read"]) == ALLOW
    assert decide(code, machine, 425) == decide(code, machine, 1000) == EPERM  # io_uring, unknown


def test_x32_numbers_kill():
    for code in (
        seccomp.program_filter("x86_64", NUMBERS["x86_64"], 1),
        seccomp.zygote_filter("x86_64", NUMBERS["x86_64"]),
    ):
        assert decide(code, "x86_64", 0x40000000) == KILL


def test_the_level_is_described():
    found = describe()
    assert found["level"] in levels.CHOSEN
    assert {o["level"] for o in found["obstacles"]} == set(
        levels.CHOSEN[: levels.CHOSEN.index(found["level"])]
    )


def test_a_level_that_keeps_nothing_is_found_out_by_its_effect(monkeypatch):
    monkeypatch.setattr(levels, "CHOSEN", ("D", "B"))
    monkeypatch.setattr(levels, "_proved", set())
    with pytest.raises(LevelError, match="could reach a file"):
        levels.prove("D")
    found, obstacles = levels.highest()
    assert (found, obstacles[0].level) == ("B", "D")


def test_a_wall_that_is_refused_keeps_the_level(monkeypatch):
    monkeypatch.setattr(levels, "_proved", set())
    monkeypatch.setattr("sandbox.process._PACKAGE", levels.Path("/nowhere"))
    with pytest.raises(LevelError, match="its zygote ended"):
        levels.prove("A")


@pytest.mark.parametrize("level", ["C", "D"])
def test_typed_levels_run_programs(level):
    with Sandbox(workers=1, level=level) as box:
        verdict = box.run(program(RIGHT))
        assert (verdict.word, verdict.level) == (Word.PASSED, level)


def test_the_extension_can_be_done_without(monkeypatch, tmp_path):
    monkeypatch.setenv(native.SWITCH, "0")
    assert native.extension() is None
    monkeypatch.setenv(native.SWITCH, "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert native._built.__wrapped__() is None
