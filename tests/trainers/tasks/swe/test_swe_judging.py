"""Judging by tests: names to node ids, places from releases, golden and empty patches for real."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest
from swe_files import Git

from trainers.errors import TaskError
from trainers.tasks.swe import predictions
from trainers.tasks.swe.judging import calibrations, environments, local, releases
from trainers.tasks.swe.judging.local import Calibration, LocalJudge
from trainers.tasks.swe.judging.names import node_ids
from trainers.tasks.swe.judging.official import read_report
from trainers.tasks.swe.judging.places import OWN, places
from trainers.tasks.swe.judging.recipes import RECIPES, Recipe
from trainers.tasks.swe.judging.releases import Release
from trainers.tasks.swe.judging.resolver import Resolver
from trainers.tasks.swe.repository import GitTree
from trainers.tasks.swe.trees import OwnTree
from trainers.tasks.swe.types import Judge, SWETask

BEFORE = "def double(x):\n    return x + x + 1\n"
AFTER = "def double(x):\n    return x + x\n"
OLD_TEST = "from pkg.a import double\n\n\ndef test_type():\n    assert double(1) > 0\n"
NEW_TEST = OLD_TEST + "\n\ndef test_double():\n    assert double(2) == 4\n"
TEST_PATCH = """\
--- a/tests/test_a.py
+++ b/tests/test_a.py
@@ -3,3 +3,7 @@

 def test_type():
     assert double(1) > 0
+
+
+def test_double():
+    assert double(2) == 4
"""
RECIPE = Recipe("o/r", "pkg", ("1.0", "2.0"), (), "function")


def write(folder: Path, files) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def release(folder: Path, version: str, date: float, test: str = OLD_TEST, **more) -> Release:
    files = {
        "pkg/__init__.py": "", "pkg/a.py": "gone = 1\n", "pkg/only_here.py": "", "data.txt": "x",
        "tests/test_a.py": test, **more,
    }  # fmt: skip
    target = write(folder / f"pkg-{version}", files)
    (target / ".kent-release.json").write_text(json.dumps({"date": date}))
    return Release("pkg", version, target, date)


def task(**changes) -> SWETask:
    judge = Judge(
        "project", test_patch=TEST_PATCH, fail_to_pass=("test_double",), pass_to_pass=("test_type",)
    )
    given = {
        "task_id": "o__r-1", "repo": "o/r", "issue_text": "double is one off",
        "code_before": {"pkg/a.py": BEFORE}, "code_after": {"pkg/a.py": AFTER},
        "base_commit": "c", "base_date": 150.0, "judge": judge,
        "tree": OwnTree({"pkg/a.py": BEFORE, "pkg/__init__.py": "# package\n"}),
    }  # fmt: skip
    return SWETask(**{**given, **changes})


def test_names_of_each_style_become_node_ids():
    text = 'class Case:\n    def test_x(self):\n        """It works. \n\n        So."""\n'
    files = {"tests/app/tests.py": text}
    django = RECIPES["django/django"]
    names = ["test_x (app.tests.Case)", "test_x (app.tests.Case.test_x)", "It works.", "Unknown."]
    node = "tests/app/tests.py::Case::test_x"
    assert node_ids(django, names, files) == dict(zip(names, [node, node, node, None], strict=True))
    found = node_ids(
        RECIPES["sympy/sympy"], ["test_x", "test_y"], {"a/test_b.py": "def test_x(): 0"}
    )
    assert found == {"test_x": "a/test_b.py::test_x", "test_y": None}


def test_a_place_has_the_base_commits_code_and_the_releases_tests(tmp_path):
    before, after = release(tmp_path, "1.0", 100.0), release(tmp_path, "2.0", 300.0)
    first, *_ = places(task(), [before, after], tmp_path)
    assert first.told == "pkg 2.0, tests of 1.0"  # nearer in time
    assert first.folder == after.folder
    assert first.base == {
        "pkg/a.py": BEFORE, "pkg/__init__.py": "# package\n", "pkg/only_here.py": None,
    }  # fmt: skip
    assert first.named == {"tests/test_a.py": NEW_TEST}


def test_a_release_that_has_the_new_tests_already_serves(tmp_path):
    only = release(tmp_path, "2.0", 300.0, NEW_TEST + "\n\ndef test_later():\n    pass\n")
    (place,) = places(task(), [only], tmp_path)
    assert "test_later" in place.tests["tests/test_a.py"]


def test_a_release_whose_tests_do_not_fit_is_passed_over(tmp_path):
    assert not list(places(task(), [release(tmp_path, "1.0", 100.0, "other = 1\n")], tmp_path))
    with pytest.raises(TaskError, match="no tree or no test patch"):
        next(places(task(tree=None), [], tmp_path))


def test_a_clone_brings_its_own_tests(judge, tmp_path):
    git = Git(tmp_path / "clone")
    files = {"pkg/__init__.py": "", "pkg/a.py": BEFORE, "tests/test_a.py": OLD_TEST}
    base = git.commit("base", files)
    git.commit("fix", {"pkg/a.py": AFTER})
    cloned = task(base_commit=base, tree=GitTree(git.folder, base))
    known = judge.calibrate(cloned)
    assert known.judged, known.reason
    assert known.release == OWN
    assert judge.judge(cloned, {"pkg/a.py": AFTER}, known).outcome == "resolved"
    assert judge.judge(cloned, {"pkg/a.py": "x = 1\n"}, known).outcome == "unresolved"


def test_an_archive_is_unpacked_without_what_no_test_needs(tmp_path):
    archive = tmp_path / "pkg-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for path, date in (("pkg-1.0/a.py", 50), ("pkg-1.0/doc/x.rst", 900)):
            info = tarfile.TarInfo(path)
            info.size, info.mtime = 1, date
            out.addfile(info, io.BytesIO(b"x"))
    releases.unpack(archive, tmp_path / "all" / "pkg-1.0", ("doc/*",))
    (found,) = releases.found(RECIPE, tmp_path / "all")
    assert (found.name, found.date) == ("pkg 1.0", 900.0)
    assert (found.folder / "a.py").exists()
    assert not (found.folder / "doc").exists()


@pytest.fixture
def judge(tmp_path, monkeypatch):
    """A judge whose environment is this one: it has pytest."""
    monkeypatch.setitem(RECIPES, "o/r", RECIPE)
    monkeypatch.setattr(environments, "python_of", lambda recipe, folder: Path(sys.executable))
    release(tmp_path / "releases", "1.0", 100.0)
    release(tmp_path / "releases", "2.0", 300.0)
    made = LocalJudge(tmp_path)
    yield made
    made.close()


def test_a_task_is_judged_where_the_golden_patch_passes_and_no_patch_fails(judge, tmp_path):
    known = calibrations.calibrate(judge, [task()], tmp_path)["o__r-1"]
    assert known.judged, known.reason
    assert known.fail_to_pass == ("tests/test_a.py::test_double",)
    assert known.pass_to_pass == ("tests/test_a.py::test_type",)
    assert judge.judge(task(), {"pkg/a.py": AFTER}, known).outcome == "resolved"
    wrong = judge.judge(task(), {"pkg/a.py": "def double(x):\n    return 4 - x * 9\n"}, known)
    assert (wrong.outcome, "test" in wrong.reason) == ("unresolved", True)
    resolves = Resolver(tmp_path)
    assert resolves.judged == ["o__r-1"]
    assert resolves(task(), {}) is False
    assert resolves(task(task_id="unknown"), {"pkg/a.py": AFTER}) is None
    assert calibrations.counts([known]) == {"o/r": {"judged": 1, "tried": 1}}


def test_a_task_whose_golden_patch_fails_is_not_judged(judge):
    wrong = task(code_after={"pkg/a.py": "def double(x):\n    return 5\n"})
    known = judge.calibrate(wrong)
    assert not known.judged
    assert "golden patch: failed" in known.reason
    assert judge.judge(wrong, {}, known).outcome == "not_judged"


def test_a_session_that_cannot_begin_is_told_by_its_error(judge, tmp_path):
    for version in ("1.0", "2.0"):
        (tmp_path / "releases" / f"pkg-{version}" / "conftest.py").write_text(
            "def pytest_sessionstart(session):\n    import nowhere_to_be_found\n"
        )
    known = judge.calibrate(task())
    assert not known.judged
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in known.reason


def test_a_task_that_passes_without_a_patch_is_not_judged(judge):
    known = judge.calibrate(task(tree=OwnTree({"pkg/a.py": AFTER, "pkg/__init__.py": "\n"})))
    assert (known.judged, "pass without a patch" in known.reason) == (False, True)


def test_what_was_found_out_is_kept_and_tried_again_when_asked(judge, tmp_path):
    unknown = task(task_id="x", repo="no/recipe")
    told: list[Calibration] = []
    calibrations.calibrate(judge, [unknown], tmp_path, tell=told.append)
    calibrations.calibrate(judge, [unknown], tmp_path, tell=told.append)
    calibrations.calibrate(judge, [unknown], tmp_path, again=True, tell=told.append)
    assert [one.judged for one in told] == [False, False]
    assert "no recipe" in calibrations.read(tmp_path)["x"].reason
    assert local.Calibration.from_json(told[0].to_json()) == told[0]


def test_predictions_are_read_and_written_in_the_official_form(tmp_path):
    made = [predictions.Prediction("a", "m", "diff"), predictions.Prediction("b", "m", "")]
    path = tmp_path / "p.jsonl"
    assert predictions.write(made, path) == 2
    assert predictions.read(path) == made
    listed = tmp_path / "p.json"
    listed.write_text(json.dumps([json.loads(line) for line in path.read_text().splitlines()]))
    assert predictions.read(listed) == made
    listed.write_text('{"a": {"instance_id": "a", "model_patch": null}}')
    assert predictions.read(listed) == [predictions.Prediction("a", "", "")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "holds no predictions"),
        ('{"model_patch": ""}', "has no instance_id"),
        ('{"instance_id": "a", "model_patch": 3}', "is to be a text"),
        ('{"instance_id": "a"}\n{"instance_id": "a"}', "is there twice"),
    ],
)
def test_predictions_in_a_wrong_form_are_told(tmp_path, text, said):
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(TaskError, match=said):
        predictions.read(path)


def test_a_patch_is_applied_to_the_whole_tree():
    other = task(code_before={"pkg/b.py": "b = 1\n"})
    patch = "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1,2 +1,2 @@\n def double(x):\n"
    patch += "-    return x + x + 1\n+    return x + x\n"
    assert predictions.changed_texts(other, patch) == {"pkg/a.py": AFTER}
    assert predictions.changed_texts(other, "") == {}
    assert predictions.changed_texts(other, "no diff at all") is None


def test_the_harness_report_is_read(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"resolved_ids": ["a"], "unresolved_ids": ["b"], "error_ids": ["c"]}')
    assert read_report(path) == {"a": True, "b": False}
