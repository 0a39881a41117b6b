"""Broken input to the code trainer's commands: one clear line for each, and the rest goes on."""

import json
import subprocess
from pathlib import Path

import pytest
from box import Box
from swe_records import BEFORE, record

from kent.cli import main

HEAD = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n def f(x):\n"
PATCH = f"{HEAD}-    return x + 1\n+    return x - 1\n"
STALE = f"{HEAD}-    return x * 2\n+    return x - 1\n"
ABSENT = "1234567890" * 4


BROKEN = (
    record("first"),
    record("stale", patch=STALE, code_after=None),
    record("told-anyway", patch=STALE),
    record("unread", code_before={"a.py": "def f(x:\n"}, code_after={"a.py": "def f(x):\n"}),
    record("absent", base_commit=ABSENT, patch=PATCH, code_before=None, code_after=None),
    record("silent", issue_text=" \n"),
    record("last"),
)
SAID = (
    "line 2: stale: the patch does not apply to a.py: the lines of its hunk at line 1 are not",
    "told-anyway: have a patch that does not apply to their code; code_after stands",
    "unread: change a file that this Python cannot parse",
    f"owner__name lacks the commit {ABSENT}; git fetch origin may bring it",
    "line 6: silent: its issue text is empty",
)


@pytest.fixture
def kent(box: Box, monkeypatch, capsys):
    """Run a command in the box, in this process; its code, output and errors."""
    monkeypatch.chdir(box.folder)
    monkeypatch.delenv("KENT_DATA", raising=False)
    box.add("[code]\nsources = []\nbenchmark_candidates = 20\ngenerator = false\n")

    def run(*arguments):
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def commit(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(BEFORE)
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@b.org"]
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tasks(tmp_path: Path) -> list[str]:
    """A file of tasks, most of them broken, and the clones that it needs, as arguments."""
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in BROKEN))
    commit(tmp_path / "clones" / "owner__name")
    return [str(file), "--clones", str(tmp_path / "clones")]


def test_an_import_tells_each_broken_task_in_a_line_and_takes_the_others(kent, tasks):
    code, out, err = kent("tasks", "import", "swe", *tasks)
    assert code == 1
    assert out.startswith("4 SWE tasks, 4 of them new")
    for said in SAID:
        assert len([line for line in err.splitlines() if said in line]) == 1, said
    assert "Traceback" not in err


def test_a_benchmark_measures_the_others_and_says_what_it_left_out(kent, tasks):
    code, out, err = kent("benchmark", "code", "--set", *tasks, "--mode", "bm25", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["n_tasks"] == 4
    for said in SAID:
        assert len([note for note in document["notes"] if said in note]) == 1, said


def learned(kent, tmp_path: Path) -> None:
    """A store with tasks in it, so that there is something to solve with."""
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(record("one")) + "\n")
    assert kent("tasks", "import", "swe", str(file), "--split", "train")[0] == 0


@pytest.mark.parametrize("issue", ["", " \n\t\n", None])
def test_an_empty_issue_is_one_line(kent, tmp_path, issue):
    learned(kent, tmp_path)
    repository = str(commit(tmp_path / "repo"))
    given = []
    if issue is not None:
        (tmp_path / "issue.txt").write_text(issue)
        given = ["--issue", str(tmp_path / "issue.txt")]
    code, out, err = kent("solve", "--repo", repository, *given)
    assert (code, out) == (2, "")
    assert "the issue is empty" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_repository_with_files_that_do_not_parse_is_searched_all_the_same(kent, tmp_path):
    learned(kent, tmp_path)
    repository = commit(tmp_path / "repo")
    (repository / "broken.py").write_text("def f(:\n    x adds subtract\n")
    (repository / "binary.py").write_bytes(bytes(range(256)))
    (repository / "nothing.py").write_text("")
    (repository / "gone.py").symlink_to("nowhere.py")
    (tmp_path / "issue.txt").write_text("f adds where it should subtract")
    code, out, err = kent(
        "solve", "--repo", str(repository), "--issue", str(tmp_path / "issue.txt")
    )
    assert code in (0, 1)
    assert "a.py: f" in err
    assert "Traceback" not in err + out


def test_a_folder_without_python_or_without_a_commit_is_told(kent, tmp_path):
    learned(kent, tmp_path)
    (tmp_path / "empty").mkdir()
    issue = tmp_path / "issue.txt"
    issue.write_text("f adds")
    code, out, err = kent("solve", "--repo", str(tmp_path / "empty"), "--issue", str(issue))
    assert (code, out) == (1, "")
    assert "holds no Python file" in err.splitlines()[-1]
    subprocess.run(["git", "init", "-q", tmp_path / "new"], check=True)
    (tmp_path / "new" / "a.py").write_text(BEFORE)
    code, _, err = kent("solve", "--repo", str(tmp_path / "new"), "--issue", str(issue))
    assert code in (0, 1)
    assert "a.py: f" in err
