"""``kent benchmark code --score`` and ``--predictions``, on a small repository of its own."""

import json
import sys
from pathlib import Path

import pytest

from kent.cli import main
from memory.store import Store
from trainers.tasks.swe.judging import calibrations, environments
from trainers.tasks.swe.judging.local import LocalJudge
from trainers.tasks.swe.judging.recipes import RECIPES, Recipe

sys.path.append(str(Path(__file__).parents[1] / "trainers" / "tasks" / "swe"))

BEFORE = "def double(x):\n    return x + x + 1\n"
AFTER = "def double(x):\n    return x + x\n"
OLD_TEST = "from pkg.a import double\n\n\ndef test_type():\n    assert double(1) > 0\n"
TEST = "\n\ndef test_double():\n    assert double(2) == 4\n"
HEAD = "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1,2 +1,2 @@\n def double(x):\n-    return x + x + 1\n"
GOLDEN = f"{HEAD}+    return x + x\n"
TEST_PATCH = "--- a/tests/test_a.py\n+++ b/tests/test_a.py\n@@ -4,2 +4,6 @@\n" + "".join(
    f"{sign}{line}\n"
    for sign, line in (
        (" ", "def test_type():"), (" ", "    assert double(1) > 0"),
        *(("+", line) for line in TEST.splitlines()),
    )
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A task in SWE-bench's own form, a clone of its repository, and a state directory."""
    from swe_files import Git

    git = Git(tmp_path / "clones" / "o__r")
    files = {"pkg/__init__.py": "", "pkg/a.py": BEFORE, "tests/test_a.py": OLD_TEST}
    base = git.commit("base", files)
    git.commit("fix", {"pkg/a.py": AFTER})
    record = {
        "instance_id": "o__r-1", "repo": "o/r", "base_commit": base, "patch": GOLDEN,
        "problem_statement": "`double` in pkg/a.py is one off.", "test_patch": TEST_PATCH,
        "FAIL_TO_PASS": '["tests/test_a.py::test_double"]',
        "PASS_TO_PASS": '["tests/test_a.py::test_type"]',
    }  # fmt: skip
    (tmp_path / "set.jsonl").write_text(json.dumps(record) + "\n")
    (tmp_path / "kent.toml").write_text(
        "[daemon]\nmin_free_gb = 0\n[code]\nsources = []\ngenerator = false\n[tasks]\nhub = false\n"
    )
    Store.open(tmp_path / "state" / "kent.db").close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KENT_DATA", raising=False)
    monkeypatch.setitem(RECIPES, "o/r", Recipe("o/r", "pkg", (), (), "node"))
    monkeypatch.setattr(environments, "python_of", lambda recipe, folder: Path(sys.executable))
    return tmp_path


SET = ("--set", "set.jsonl", "--clones", "clones")


def calibrated(folder: Path) -> None:
    from trainers.tasks.swe.clones import Clones
    from trainers.tasks.swe.reading import read_tasks

    place = folder / "state" / calibrations.FOLDER
    judge = LocalJudge(place)
    tasks = list(read_tasks(folder / "set.jsonl", sources=Clones(folder / "clones")))
    (known,) = calibrations.calibrate(judge, tasks, place).values()
    judge.close()
    assert known.judged, known.reason


def scored(capsys, patch: str):
    line = {"instance_id": "o__r-1", "model_name_or_path": "any", "model_patch": patch}
    Path("predictions.jsonl").write_text(json.dumps(line) + "\n")
    code = main(["benchmark", "code", *SET, "--score", "predictions.jsonl", "--json"])
    out = capsys.readouterr()
    assert code == 0, out.err
    return json.loads(out.out)


def test_anybodys_predictions_are_scored_by_the_repositorys_tests(folder, capsys):
    unknown = scored(capsys, GOLDEN)
    assert (unknown["resolved"]["n"], unknown["not_judged"]) == (0, 1)

    calibrated(folder)
    levels = ("applies", "exact", "normalised", "resolved")
    for patch, values in {
        GOLDEN: (1, 1, 1, 1),
        f"{HEAD}+    return 2 * x\n": (1, 0, 0, 1),
        f"{HEAD}+    return 4 - x + 1\n": (1, 0, 0, 0),
        "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1 +1 @@\n-nowhere\n+x\n": (0, 0, 0, 0),
        "": (1, 0, 0, 0),
    }.items():
        found = scored(capsys, patch)
        assert tuple(found[name]["value"] for name in levels) == values, patch
        assert found["resolved"]["n"] == 1


@pytest.mark.slow
def test_predictions_of_a_set_that_is_not_in_the_store_are_written(folder, capsys):
    words = ["benchmark", "code", *SET, "--mode", "isolated", "--predictions", "out.jsonl"]
    assert main(words) == 0, capsys.readouterr().err
    (line,) = Path("out.jsonl").read_text().splitlines()
    prediction = json.loads(line)
    assert prediction["instance_id"] == "o__r-1"
    assert prediction["model_name_or_path"] == "kent/untrained"
    assert isinstance(prediction["model_patch"], str)
