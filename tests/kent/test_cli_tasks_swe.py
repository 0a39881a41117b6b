"""``kent tasks`` for SWE tasks: what is imported, what is told, and with which exit code."""

import gzip
import json
import subprocess
from pathlib import Path

import pytest
from box import Box
from swe_records import AFTER, record

from kent.cli import main


def write(path: Path, *records) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return str(path)


@pytest.fixture
def kent(box: Box, monkeypatch, capsys):
    """Run a command in the box, in this process; its code, output and errors."""
    monkeypatch.chdir(box.folder)
    monkeypatch.delenv("KENT_DATA", raising=False)

    def run(*arguments):
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def listed(kent, *arguments):
    code, out, _ = kent("tasks", "list", "--swe", "--json", *arguments)
    assert code == 0
    return {row["id"]: row["split"] for row in json.loads(out)}


def test_a_file_is_imported_listed_and_shown(kent, tmp_path):
    path = write(tmp_path / "tasks.jsonl", record("t-1"), record("t-2"))
    code, out, err = kent("tasks", "import", "swe", path)
    assert code == 0
    assert out.startswith("2 SWE tasks, 2 of them new; ")
    assert "have no tree" in err
    assert kent("tasks", "import", "swe", path)[1].startswith("2 SWE tasks, 0 of them new")
    assert listed(kent).keys() == {"t-1", "t-2"}
    out = kent("tasks", "list", "--swe")[1]
    assert "t-1 adds" in out
    assert "where it should" not in out
    out = kent("tasks", "show", "t-1")[1]
    assert out.startswith("t-1: swe, ")
    assert "where it should subtract" in out
    document = json.loads(kent("tasks", "show", "t-1", "--json")[1])
    assert document["body"]["code_after"] == {"a.py": AFTER}
    assert kent("tasks", "show", "t-9")[0] == 1


def test_a_broken_line_is_one_line_and_the_rest_goes_on(kent, tmp_path):
    path = write(
        tmp_path / "t.jsonl", record("t-1"), "{", record("t-2", issue_text=""), record("t-3")
    )
    code, out, err = kent("tasks", "import", "swe", path)
    assert code == 1
    assert out.startswith("2 SWE tasks, 2 of them new")
    assert [line for line in err.splitlines() if ", line 2: not JSON" in line]
    assert [line for line in err.splitlines() if ", line 3: t-2: its issue text is empty" in line]
    assert listed(kent).keys() == {"t-1", "t-3"}


def test_a_split_that_is_named_holds_for_the_whole_file(kent, tmp_path):
    held_out = write(tmp_path / "held.jsonl", *(record(f"h-{n}") for n in range(20)))
    assert kent("tasks", "import", "swe", held_out, "--split", "test", "--limit", "19")[0] == 0
    assert set(listed(kent).values()) == {"test"}
    assert len(listed(kent)) == 19
    code, out, err = kent("tasks", "import", "swe", held_out, "--split", "train")
    assert code == 1
    assert out == ""
    assert "split guard" in err.splitlines()[0]
    assert listed(kent, "--split", "train") == {}


def test_without_a_name_the_data_folder_is_read(kent, tmp_path, monkeypatch):
    code, _, err = kent("tasks", "import", "swe")
    assert code == 1
    assert "KENT_DATA" in err
    monkeypatch.setenv("KENT_DATA", str(tmp_path / "data"))
    write(tmp_path / "data" / "swe" / "swe_tasks.jsonl.gz", record("t-1"))
    assert kent("tasks", "import", "swe")[0] == 0
    assert listed(kent).keys() == {"t-1"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["import", "swe", "absent.jsonl"], "absent.jsonl does not exist"),
        (["import", "swe", "owner/set"], "owner/set: no such file or folder here, and the Hub"),
        (["import", "swe", ".", "--clones", "absent"], "absent is no folder"),
        (["import", "quixbugs", "absent.jsonl"], "cannot be read: No such file"),
        (["import", "humanevalfix", "absent.jsonl"], "cannot be read: No such file"),
        (["mine", "absent"], "absent does not exist"),
        (["mine", "."], "is no git repository"),
    ],
)
def test_a_mistake_is_one_line(kent, monkeypatch, arguments, said):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    code, out, err = kent("tasks", *arguments)
    assert code == 1
    assert out == ""
    [line] = err.splitlines()
    assert said in line


def test_quixbugs_and_humanevalfix_are_test_unless_told_otherwise(kent, tmp_path):
    quix = record("quixbugs/f", entry_point="f", test_kind="io", compare="eq", tests=[[[3], 2]])
    fix = record(
        "humanevalfix/f",
        entry_point="f",
        prompt="",
        test_code="def check(f):\n    assert f(3) == 2\n",
        example_test="def check(f):\n    assert f(1) == 0\n",
    )
    assert kent("tasks", "import", "quixbugs", write(tmp_path / "q.jsonl", quix))[0] == 0
    path = write(tmp_path / "h.jsonl", fix)
    assert kent("tasks", "import", "humanevalfix", path)[0] == 0
    assert listed(kent) == {"quixbugs/f": "test", "humanevalfix/f": "test"}
    assert listed(kent, "--source", "quixbugs") == {"quixbugs/f": "test"}


def test_bugs_are_injected_without_any_data(kent):
    code, out, err = kent("tasks", "import", "injected", "--count", "3", "--seed", "1")
    assert code == 0, err
    assert out.startswith("3 SWE tasks, 3 of them new")
    assert kent("tasks", "import", "injected", "--count", "0")[0] == 2


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_repository_is_mined_and_what_was_mined_keeps_its_split(kent, tmp_path):
    project = tmp_path / "project"
    (project / "tests").mkdir(parents=True)
    git(project, "init", "-q")

    def fix(first: int, last: int) -> None:
        for number in range(first, last):
            (project / "a.py").write_text(f"x = {number}\n")
            (project / "tests" / "test_a.py").write_text(f"assert {number}\n")
            git(project, "add", "-A")
            date = f"2020-01-01T00:{number // 60:02}:{number % 60:02}Z"
            git(project, "commit", "-q", "-m", f"Fix {number}", f"--date={date}")

    fix(0, 9)
    code, out, _ = kent("tasks", "mine", str(project))
    assert code == 0
    assert out.startswith("8 SWE tasks, 8 of them new")
    before = listed(kent, "--source", "git")
    fix(9, 22)
    assert kent("tasks", "mine", str(project))[0] == 0
    after = listed(kent, "--source", "git")
    assert len(after) == 21
    assert {task: after[task] for task in before} == before
    assert kent("tasks", "mine", str(project), "--limit", "1", "--since", "2001-01-01")[0] == 0


def test_import_without_a_word_still_reads_the_problems(kent):
    code, out, _ = kent("tasks", "import")
    assert code == 0
    assert "problems" in out
