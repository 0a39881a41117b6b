"""A small project with a fault, its tests, and what runs them."""

import tempfile

import pytest

from sandbox import LevelError
from sandbox.project import ProjectLimits, ProjectRunner

WRONG = "def add(a, b):\n    return a - b\n\n\ndef probe():\n    return None\n"
RIGHT = WRONG.replace("a - b", "a + b")
TESTS = """
import unittest
import pytest
from calc import add, probe

def test_add():
    assert add(2, 3) == 5

def test_zero():
    assert add(0, 0) == 0

@pytest.mark.parametrize("a,b", [(1, 2), (3, 4)])
def test_many(a, b):
    assert add(a, b) == a + b

class TestMore(unittest.TestCase):
    def test_inside(self):
        with self.subTest(i=1):
            self.assertEqual(add(1, 1), 2)

def test_probe():
    assert probe() == "reached"

def test_skipped():
    pytest.skip("not here")

def test_teardown(request):
    request.addfinalizer(lambda: 1 / add(0, 0))
"""
NAMES = tuple(
    f"tests/test_calc.py::{name}"
    for name in (
        "test_add",
        "test_zero",
        "test_many[1-2]",
        "test_many[3-4]",
        "TestMore::test_inside",
    )
)
PROBE = ("tests/test_calc.py::test_probe",)
SMALL = ProjectLimits(cpu_s=20, wall_s=30, memory_mb=1024, tree_mb=64)


@pytest.fixture(scope="module", params=["A", "B"])
def runner(request):
    try:
        with ProjectRunner(level=request.param) as made:
            yield made
    except LevelError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def best():
    """For what does not depend on the level."""
    return ProjectRunner()


@pytest.fixture
def tree(tmp_path):
    """A package in ``src`` with a fault, its tests, and settings that would get in the way."""
    root = tmp_path / "project"
    (root / "src" / "calc").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "src" / "calc" / "__init__.py").write_text(WRONG)
    (root / "tests" / "test_calc.py").write_text(TESTS)
    settings = "[tool.pytest.ini_options]\naddopts = '-x -m nothing -k nothing'\n"
    (root / "pyproject.toml").write_text(settings + "markers = ['nothing']\n")
    return root


def with_probe(body, top=""):
    """A right patch whose ``probe`` does something more."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"src/calc/__init__.py": f"{top}\n" + RIGHT.replace("    return None\n", lines)}


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where the runs of level B have their folders."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder
