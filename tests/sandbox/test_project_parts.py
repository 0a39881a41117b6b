"""How a project's tree is put together, and when its report is believed."""

# The fixtures are imported.
# ruff: noqa: F401, F811
import json

import pytest
from project_cases import (
    NAMES,
    WRONG,
    tree,
)
from test_levels import decide

from sandbox import LevelError, SandboxError, Word
from sandbox.project import ProjectRunner, ProjectTests
from sandbox.project_judge import judge
from sandbox.project_run import Ended
from sandbox.project_tree import compose, make_control, snapshot
from sandbox.project_use import Kept, exceeds
from sandbox.worker import seccomp
from sandbox.worker.project_filter import project_filter
from sandbox.worker.syscalls import MACHINES, NUMBERS


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x.py", "src/../../x.py", "a//b.py", "./a.py", "a/", "", "a\0b", "\ud800"],
)
def test_paths_that_leave_the_tree_are_refused(tree, path):
    with pytest.raises(SandboxError, match="path"):
        compose(tree, {path: "x"}, {}, 64)
    with pytest.raises(SandboxError, match="path"):
        compose(tree, {}, {path: "x"}, 64)


@pytest.mark.parametrize("path", ["out/x.py", "out", "inner/x.py", "inner", "x" * 300])
def test_paths_through_links_are_refused(tree, path):
    (tree / "out").symlink_to("/tmp")
    (tree / "inner").symlink_to("src")
    with pytest.raises(SandboxError, match="path"):
        compose(tree, {path: "x"}, {}, 64)
    assert "out" not in compose(tree, {"out": None}, {}, 64)


def test_what_a_patch_may_do_to_the_tree(tree):
    (tree / ".git").mkdir()
    (tree / ".git" / "HEAD").write_text("later")
    (tree / "run.sh").write_text("")
    (tree / "run.sh").chmod(0o755)
    (tree / "conftest.py").write_text("original")
    changed = {
        "run.sh": "new",
        "conftest.py": None,
        "tests/test_calc.py": None,
        "tests/test_calc.py/inside.py": "a folder in the way",
        "pyproject.toml/x.py": "and another",
        "src/calc/tox.ini": "",
        "src/calc/conftest/__init__.py": "",
    }
    found = compose(tree, changed, {"tests/test_calc.py": "task", "tests/conftest.py": "task"}, 64)
    assert {path: entry.read().decode() for path, entry in found.items()} == {
        "run.sh": "new",
        "conftest.py": "original",
        "pyproject.toml": (tree / "pyproject.toml").read_text(),
        "src/calc/__init__.py": WRONG,
        "tests/test_calc.py": "task",
        "tests/conftest.py": "task",
    }
    assert found["run.sh"].executable


def test_a_tree_that_is_too_large_is_refused(tree):
    (tree / "large").write_bytes(bytes(2 << 20))
    with pytest.raises(SandboxError, match="tree_mb allows 1"):
        compose(tree, {}, {}, 1)
    assert exceeds(str(tree), 1 << 20)
    assert not exceeds(str(tree), 4 << 20)


def test_names_and_levels_that_cannot_be_are_refused(tree):
    runner = ProjectRunner()
    for names in ((), ("tests",)):
        with pytest.raises(SandboxError, match="node ids"):
            runner.run(tree, ProjectTests(names))
    with pytest.raises(SandboxError, match="not a folder"):
        runner.run(tree / "nowhere", ProjectTests(NAMES))
    with pytest.raises(LevelError, match="not at 'C'"):
        ProjectRunner(level="C")
    with pytest.raises(SandboxError, match="does not run"):
        ProjectRunner(python="/nowhere/python")


def test_controls_fail_and_differ(tree):
    controls = [make_control(NAMES, snapshot(tree)) for _ in range(20)]
    assert len({control.name for control in controls}) > 10
    for control in controls:
        assert control.file.startswith("tests/test_calc_")
        names = {}
        exec(control.code, names)
        with pytest.raises(AssertionError):
            names[control.function]()


TOKEN, CONTROL = "t" * 32, "tests/test_c.py::test_c"


def line(token=TOKEN, **fields):
    return f"{token} {json.dumps(fields)}\n".encode()


def went(name, outcome="passed"):
    """The report of one test."""
    whens = {"setup": "passed", "call": outcome, "teardown": "passed"}
    return b"".join(
        line(kind="test", id=name, when=when, outcome=how, expected=False, text="")
        for when, how in whens.items()
    )


END = line(kind="end", status=1, failures=1)


@pytest.mark.parametrize(
    ("report", "status", "word", "outcome"),
    [
        (went("a") + went(CONTROL, "failed") + END, 1, Word.PASSED, "passed"),
        (went("a") + went(CONTROL, "failed") + END, 0, Word.ERROR, "passed"),
        (went("a") + went(CONTROL, "failed"), 1, Word.ERROR, "passed"),
        (went("a") + went(CONTROL, "failed") + END + END, 1, Word.ERROR, "passed"),
        (went("a") + went("a") + went(CONTROL, "failed") + END, 1, Word.ERROR, "missing"),
        (went("a") + went("b", "failed") + END, 1, Word.VIOLATION, "passed"),
        (went("a") + went(CONTROL) + went("b", "failed") + END, 1, Word.VIOLATION, "passed"),
        (went("a") + went("b", "failed") + went(CONTROL, "failed") + END, 1, Word.ERROR, "passed"),
        (line("u" * 32) + END, 1, Word.VIOLATION, "missing"),
        (b"\xff\n", 1, Word.VIOLATION, "missing"),
        (line(kind="test", id="a"), 1, Word.VIOLATION, "missing"),
        (line(kind="end", status=True, failures=[]), 1, Word.VIOLATION, "missing"),
        (line(kind=["end"]), 1, Word.VIOLATION, "missing"),
        (TOKEN.encode() + b" " + b"[" * 10**6 + b"\n", 1, Word.VIOLATION, "missing"),
        (went("a") + b"cut off", 1, Word.ERROR, "passed"),
        (b"", 0, Word.ERROR, "missing"),
    ],
)
def test_reports_are_believed_only_when_all_agrees(report, status, word, outcome):
    ended = Ended(Kept(100), bytearray(report), status << 8)
    found = judge(ended, ["a"], CONTROL, TOKEN)
    assert (found[0], found[1]) == (word, {"a": outcome})


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("level", ["A", "B"])
def test_the_filter_is_an_allow_list(machine, level):
    table = NUMBERS[machine]
    code = project_filter(machine, table, level=level)
    assert len(code) < 4096

    def of(name, *arguments):
        return decide(code, machine, table[name], *arguments)

    allow, refuse = seccomp._ALLOW, seccomp._EPERM
    assert of("execve") == of("wait4") == of("kill", 5, 9) == of("clone", 17) == allow
    assert of("socketpair", 1) == of("prlimit64", 0, 9, 1 << 40) == allow
    assert of("socketpair", 2) == of("prlimit64", 7, 9) == of("clone", 1 << 28) == refuse
    for name in ("unshare", "setns", "mount", "ptrace", "seccomp", "capset", "chroot"):
        assert of(name) == refuse
    assert of("fchmodat") == (allow if level == "A" else 0x00050000)
