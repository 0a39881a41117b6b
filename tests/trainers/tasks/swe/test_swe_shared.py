"""A task file is read to its end, whatever is wrong with some of its lines, and that is told."""

import re

import pytest
from swe_files import AFTER, BEFORE, PATCH, Git, lines, record, shared_folder

from trainers.errors import TaskError
from trainers.tasks.swe.clones import Clones
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.reading import read_tasks
from trainers.tasks.swe.shared import read_records, read_swe
from trainers.tasks.swe.splits import shared_split
from trainers.tasks.swe.types import Judge


def read(path, tmp_path, **given):
    notes = Notes()
    return list(read_swe(path, cache=tmp_path / "cache", notes=notes, **given)), notes


def test_a_task_has_everything_of_its_record(tmp_path):
    folder = shared_folder(tmp_path)
    (task, *_), notes = read(folder / "swe_tasks.jsonl.gz", tmp_path)
    assert (task.task_id, task.repo, task.base_commit) == ("t-1", "owner/name", "c0ffee")
    assert task.base_date == 1583294767.0
    assert (task.code_before, task.code_after) == ({"pkg/a.py": BEFORE}, {"pkg/a.py": AFTER})
    assert task.judge == Judge(
        "project",
        test_patch="diff --git a/tests/test_a.py b/tests/test_a.py\n",
        fail_to_pass=("tests/test_a.py::test_f",),
    )
    assert task.source == "swe"
    assert task.split == shared_split("t-1", "owner/name", task.base_date)
    assert task.metadata == {"sets": ["lite"]}
    assert task.tree.text("pkg/b.py") == "b = 'é'\n"
    assert notes.lines() == []


def test_a_folder_gives_all_its_task_files(tmp_path):
    folder = shared_folder(tmp_path)
    lines(folder / "mined_tasks.jsonl.xz", [record("m-1", sets=["mined"], base_date=None)])
    tasks, notes = read(folder, tmp_path, split="test")
    assert [(t.task_id, t.source, t.split) for t in tasks] == [
        ("t-1", "swe", "test"), ("t-2", "swe", "test"), ("t-3", "swe", "test"),
        ("m-1", "mined", "test"),
    ]  # fmt: skip
    [line] = notes.lines()
    assert line.startswith("m-1: have no tree")
    assert tasks[-1].tree.files().keys() == {"pkg/a.py"}
    assert len(read(folder, tmp_path, limit=2)[0]) == 2


BROKEN = {
    "cut": ('{"task_id": "x', "not JSON"),
    "no object": ("[1]", "a JSON object is wanted"),
    "no id": (record("x", task_id=None), "no task_id or no repo"),
    "id of a wrong type": (record("x", task_id=7), "task_id is to be a text, not int"),
    "empty issue": (record("x", issue_text=" \n"), "x: its issue text is empty"),
    "no issue": (record("x", issue_text=None), "x: its issue text is empty"),
    "no code": (record("x", code_before=None), "x: it has no code_before"),
    "code of a wrong type": (record("x", code_before={"a": 1}), "an object of texts by path"),
    "no change": (record("x", code_after={"pkg/a.py": BEFORE}), "nothing in it changes the code"),
    "patch does not apply": (
        record("x", code_after=None, code_before={"pkg/a.py": "other\n"}),
        "x: the patch does not apply to pkg/a.py: .* and it has no code_after",
    ),
    "neither patch nor code": (record("x", code_after=None, patch=""), "nothing in it changes"),
    "bad date": (record("x", base_date="soon"), "x: base_date is no date: 'soon'"),
    "bad names": (record("x", FAIL_TO_PASS="[1"), "x: FAIL_TO_PASS is no list of names"),
    "twice": (record("first"), r"first is there already .*line 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_told_and_the_others_are_read(tmp_path, name):
    broken, said = BROKEN[name]
    path = lines(tmp_path / "tasks.jsonl", [record("first"), broken, record("last")])
    tasks, notes = read(path, tmp_path)
    assert [task.task_id for task in tasks] == ["first", "last"]
    assert notes.left_out == 1
    line = next(line for line in notes.lines() if f"{path}, line 2" in line)
    assert re.search(said, line), line
    assert "\n" not in line


def test_a_cut_file_gives_what_stands_before_the_cut(tmp_path):
    path = lines(tmp_path / "t.jsonl.gz", [record(f"t-{n}", pad=str(n) * 9999) for n in range(99)])
    path.write_bytes(path.read_bytes()[:-200])
    tasks, notes = read(path, tmp_path)
    assert tasks
    assert notes.left_out == 1
    assert any("is no whole gzip file" in line for line in notes.lines())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "does not exist"),
        (lambda path: path.write_text(""), "is empty"),
        (lambda path: path.mkdir(), "holds neither swe_tasks nor mined_tasks"),
        (lambda path: lines(path, ['{"test_kind": "io"}']), "these are quixbugs's; use"),
        (lambda path: lines(path, ['{"example_test": ""}']), "these are humanevalfix's; use"),
    ],
)
def test_what_is_no_task_file_is_refused(tmp_path, make, said):
    make(tmp_path / "tasks.jsonl")
    with pytest.raises(TaskError, match=said):
        read(tmp_path / "tasks.jsonl", tmp_path)


def test_a_patch_that_does_not_apply_gives_way_to_the_code_after(tmp_path):
    odd = record("odd", patch=PATCH.replace("x + 1", "y + 1"))
    tasks, notes = read(lines(tmp_path / "t.jsonl", [odd]), tmp_path)
    assert tasks[0].code_after == {"pkg/a.py": AFTER}
    assert any(line.startswith("odd: have a patch that does not apply") for line in notes.lines())
    assert notes.left_out == 0


def test_a_patch_alone_is_applied(tmp_path):
    tasks, _ = read(lines(tmp_path / "t.jsonl", [record("t", code_after=...)]), tmp_path)
    assert tasks[0].code_after == {"pkg/a.py": AFTER}


def test_code_that_does_not_parse_is_told_and_kept(tmp_path):
    old = record("old", code_before={"a.py": "print 1\n"}, code_after={"a.py": "x\n"}, patch="")
    tasks, notes = read(lines(tmp_path / "t.jsonl", [old]), tmp_path)
    assert tasks[0].code_before == {"a.py": "print 1\n"}
    assert any(one == "old: change a file that this Python cannot parse" for one in notes.lines())


def test_the_broken_rows_beside_a_file_are_told(tmp_path):
    folder = shared_folder(tmp_path)
    lines(folder / "repo_recency.jsonl.gz", ["{"])
    _, notes = read(folder, tmp_path)
    assert any("repo_recency.jsonl.gz, line 1: not JSON" in line for line in notes.lines())


def hub_record(base, **changes):
    """A record as SWE-bench has it on the Hub: a patch, no code, lists as JSON."""
    return {
        "instance_id": "owner__name-1",
        "repo": "owner/name",
        "base_commit": base,
        "patch": PATCH,
        "test_patch": "",
        "problem_statement": "f adds",
        "FAIL_TO_PASS": '["tests/test_a.py::test_f"]',
        "PASS_TO_PASS": "[]",
        "hints_text": "the answer",
    } | changes


@pytest.mark.parametrize("name", ["owner__name", "owner/name", "name"])
def test_code_that_a_task_lacks_comes_from_a_clone(tmp_path, name):
    git = Git(tmp_path / "clones" / name)
    base = git.commit("begin", {"pkg/a.py": BEFORE, "pkg/b.py": "b\n"})
    git.commit("go on", {"pkg/a.py": "later\n"})
    notes, sources = Notes(), Clones(tmp_path / "clones")
    records = [("set, 0", hub_record(base)), ("set, 1", hub_record("0" * 40, instance_id="x"))]
    tasks = list(read_records(records, notes=notes, sources=sources))
    [task] = tasks
    assert task.code_before == {"pkg/a.py": BEFORE}
    assert task.code_after == {"pkg/a.py": AFTER}
    assert task.base_date == git.now - 86400
    assert task.tree.text("pkg/b.py") == "b\n"
    assert task.judge.fail_to_pass == ("tests/test_a.py::test_f",)
    assert "hints_text" not in task.metadata
    [line] = notes.lines()
    assert line.startswith("set, 1: ")
    assert "lacks the commit 0000" in line
    assert "git fetch" in line


def test_a_clone_that_is_not_there_is_told_with_how_to_make_it(tmp_path):
    notes = Notes()
    records = [("set, 0", hub_record("c0ffee"))]
    assert list(read_records(records, notes=notes, sources=Clones(tmp_path))) == []
    assert "git clone https://github.com/owner/name" in notes.lines()[0]
    assert list(read_records(records, notes=notes)) == []
    assert "it has no code_before; a clone may have it" in notes.lines()[1]


def test_any_task_file_is_read_for_what_it_is(real_data, tmp_path):
    swe = real_data / "swe"
    given = {"cache": tmp_path, "limit": 2}
    sources = [
        {task.source for task in read_tasks(swe / name, **given)}
        for name in ("humanevalfix.jsonl", "mined_tasks.jsonl.xz", "quixbugs.jsonl")
    ]
    assert sources == [{"humanevalfix"}, {"mined"}, {"quixbugs"}]
