"""A repository's tests run by name, and patches that cheat."""

# The fixtures are imported.
# ruff: noqa: F401, F811
import json
from pathlib import Path

import pytest
from project_cases import (
    NAMES,
    PROBE,
    RIGHT,
    SMALL,
    TESTS,
    WRONG,
    best,
    runner,
    tree,
    with_probe,
)

from sandbox import Word
from sandbox.project import ProjectLimits, ProjectTests


def test_a_right_patch_passes(runner, tree):
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    verdict = runner.run(
        tree, ProjectTests(NAMES), changed={"src/calc/__init__.py": RIGHT}, limits=SMALL
    )
    assert verdict.word is Word.PASSED, verdict
    assert verdict.passed
    assert verdict.outcomes == dict.fromkeys(NAMES, "passed")
    assert 0 < verdict.cpu_s < 20
    assert 0 < verdict.wall_s < 30
    assert (verdict.level, verdict.version) == (runner.level, runner.version)
    assert "1 failed" in verdict.output_head + verdict.output_tail  # the control
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_a_wrong_tree_fails_test_by_test(runner, tree):
    odd = ("tests/test_calc.py::test_skipped", "tests/test_calc.py::test_teardown")
    verdict = runner.run(tree, ProjectTests(NAMES + odd), limits=SMALL)
    assert verdict.word is Word.FAILED, verdict
    found = {name.partition("::")[2]: outcome for name, outcome in verdict.outcomes.items()}
    assert found == {
        "test_add": "failed",
        "test_zero": "passed",
        "test_many[1-2]": "failed",
        "test_many[3-4]": "failed",
        "TestMore::test_inside": "failed",
        "test_skipped": "skipped",
        "test_teardown": "error",
    }
    assert verdict.failure.startswith("tests/test_calc.py::test_add: assert -1 == 5")


def test_a_missing_test_is_no_pass(best, tree):
    missing = ("tests/test_calc.py::test_gone", "tests/test_gone.py::test_x")
    verdict = best.run(tree, ProjectTests((NAMES[1], *missing)), limits=SMALL)
    assert verdict.word is Word.ERROR
    assert verdict.outcomes == {NAMES[1]: "passed"} | dict.fromkeys(missing, "missing")


def test_what_does_not_import_is_an_error(best, tree):
    changed = {"src/calc/__init__.py": "def add(:\n"}
    verdict = best.run(tree, ProjectTests(NAMES[:2]), changed=changed, limits=SMALL)
    assert verdict.word is Word.ERROR
    assert verdict.outcomes == dict.fromkeys(NAMES[:2], "error")
    assert "SyntaxError" in verdict.failure


def test_the_tasks_files_lie_over_the_patch(best, tree):
    easy = "def test_add():\n    pass\n"
    changed = {"tests/test_calc.py": easy, "src/calc/__init__.py": RIGHT}
    tests = ProjectTests(NAMES[:2], {"tests/test_calc.py": TESTS, "tests/data/in.bin": b"\xff"})
    assert best.run(tree, tests, changed=changed, limits=SMALL).passed
    changed["src/calc/__init__.py"] = WRONG
    assert best.run(tree, tests, changed=changed, limits=SMALL).word is Word.FAILED


def test_a_single_file_and_its_cases(best, tmp_path):
    (tmp_path / "gcd.py").write_text("def gcd(a, b):\n    return gcd(a % b, b) if b else a\n")
    cases = json.dumps([[[17, 0], 17], [[13, 13], 13], [[37, 600], 1], [[20, 100], 20]])
    test = f"""
import pytest
from gcd import gcd
@pytest.mark.parametrize("given,expected", {cases})
def test_gcd(given, expected):
    assert gcd(*given) == expected
"""
    names = tuple(f"test_gcd.py::test_gcd[given{i}-{n}]" for i, n in enumerate((17, 13, 1, 20)))
    tests = ProjectTests(names, {"test_gcd.py": test})
    wrong = best.run(tmp_path, tests, limits=SMALL)
    assert (wrong.word, wrong.outcomes[names[0]]) == (Word.FAILED, "passed")
    right = {"gcd.py": "def gcd(a, b):\n    return gcd(b, a % b) if b else a\n"}
    assert best.run(tmp_path, tests, changed=right, limits=SMALL).passed


def test_temporary_files_and_subprocesses_work(runner, tree):
    code = """
import asyncio, shutil, subprocess, sys, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
import calc

def test_tools(tmp_path, monkeypatch, capsys):
    (tmp_path / "a").write_text("text")
    shutil.copy2(tmp_path / "a", tmp_path / "b")
    shutil.move(tmp_path / "b", "moved-here")
    assert open("moved-here").read() == "text"
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(tmp_path, folder + "/copy")
    command = [sys.executable, "-c", "import calc; print(calc.add(1, 2))"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True)
    assert done.stdout == b"3\\n"
    assert asyncio.run(asyncio.sleep(0, "slept")) == "slept"
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
    print("seen")
    assert capsys.readouterr().out == "seen\\n"
"""
    tests = ProjectTests(("tests/test_tools.py::test_tools",), {"tests/test_tools.py": code})
    changed = {"src/calc/__init__.py": RIGHT}
    verdict = runner.run(tree, tests, changed=changed, limits=SMALL)
    assert verdict.passed, (verdict.failure, verdict.output_tail)


CHEATS = {
    "a conftest": {
        "conftest.py": "import pytest\n@pytest.hookimpl(hookwrapper=True)\n"
        "def pytest_runtest_makereport(item, call):\n"
        "    r = yield\n    r.get_result().outcome = 'passed'\n"
    },
    "settings": {"pytest.ini": "[pytest]\npython_functions = nothing\n"},
    "a module named pytest": {
        "pytest.py": "import os\nos._exit(0)\n",
        "src/json.py": "import os\nos._exit(0)\n",
    },
    "sitecustomize": {
        "sitecustomize.py": "import os\nos._exit(0)\n",
        "usercustomize/__init__.py": "import os\nos._exit(0)\n",
        "x.pth": "import os; os._exit(0)\n",
    },
    "reports": "from _pytest.reports import TestReport as T\nold = T.from_item_and_call\n"
    "def new(item, call):\n    call.excinfo = None\n    return old(item, call)\n"
    "T.from_item_and_call = new\n",
    "runtest": "import pytest\npytest.Function.runtest = lambda self: None\n",
    "outcomes": "from _pytest.reports import TestReport as T\n"
    "T.outcome = property(lambda self: 'passed', lambda self, value: None)\n",
    "calls": "from _pytest.runner import CallInfo\nold = CallInfo.from_call\n"
    "def new(func, when, reraise=None):\n"
    "    return old((lambda: None) if when == 'call' else func, when, reraise)\n"
    "CallInfo.from_call = new\n",
    "leaving": "import os\nos._exit(0)\n",
    "leaving later": "import atexit, os\natexit.register(os._exit, 0)\n",
    "sys.exit": "import sys\nsys.exit(0)\n",
    "pytest.exit": "import pytest\npytest.exit('done', returncode=0)\n",
    "flooding descriptors": "import json, os\n"
    "for name in ['test_add', 'test_zero']:\n"
    "    for when in ['setup', 'call', 'teardown']:\n"
    "        for fd in range(64):\n"
    "            try:\n"
    "                os.write(fd, json.dumps(dict(kind='test', id='tests/test_calc.py::' + name,"
    " when=when, outcome='passed', expected=False, text='')).encode() + b'\\n')\n"
    "            except OSError: pass\n"
    "os._exit(0)\n",
    "closing descriptors": "import os\nos.closerange(3, 64)\n",
}


@pytest.mark.parametrize("name", CHEATS)
def test_cheap_cheating_does_not_pass(best, tree, name):
    changed = CHEATS[name]
    if isinstance(changed, str):
        changed = {"src/calc/__init__.py": changed + WRONG}
    verdict = best.run(tree, ProjectTests(NAMES[:2]), changed=changed, limits=SMALL)
    assert verdict.word in (Word.FAILED, Word.ERROR, Word.VIOLATION), verdict
    expected = Word.FAILED if "src/calc/__init__.py" not in changed else verdict.word
    assert verdict.word is expected
    if name in ("reports", "runtest", "outcomes", "calls", "flooding descriptors"):
        assert verdict.word is Word.VIOLATION


def test_output_is_kept_at_both_ends(best, tree):
    limits = ProjectLimits(cpu_s=20, wall_s=20, tree_mb=64, output_bytes=2000)
    changed = with_probe("print('y' * 10 ** 6)")
    verdict = best.run(tree, ProjectTests(PROBE), changed=changed, limits=limits)
    assert verdict.word is Word.FAILED
    assert [len(end.encode()) for end in (verdict.output_head, verdict.output_tail)] == [1000] * 2
    assert verdict.output_head.startswith("=====")


def test_faults_of_ours_are_not_judged(best, tree, monkeypatch):
    monkeypatch.setattr("sandbox.project_run._PACKAGE", Path("/nowhere"))
    verdict = best.run(tree, ProjectTests(NAMES[:1]), limits=SMALL)
    assert (verdict.word, verdict.outcomes) == (Word.NOT_JUDGED, {NAMES[0]: "missing"})
    assert verdict.failure == "the supervisor ended"
