"""A patch gives what ``git apply`` gives, or says that it does not apply."""

import gzip
import json
import lzma
import subprocess
from difflib import unified_diff
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.errors import TaskError
from trainers.tasks.swe.patching import apply_patch, parse_patch

TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", " d", "--- x", "+++ y", "\r", "@@"])).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def diff(before, after, path="a.py"):
    lines = unified_diff(
        [f"{line}\n" for line in before.split("\n")[:-1]],
        [f"{line}\n" for line in after.split("\n")[:-1]],
        f"a/{path}",
        f"b/{path}",
    )
    return "".join(lines)


@given(before=TEXTS, after=TEXTS)
def test_a_diff_gives_what_it_was_made_from(before, after):
    if before != after:
        assert apply_patch(diff(before, after), {"a.py": before}) == {"a.py": after}


@given(before=TEXTS, after=TEXTS, above=TEXTS)
def test_lines_that_moved_are_found(before, after, above):
    if before != after and before.strip():
        moved = {"a.py": above + before}
        try:
            applied = apply_patch(diff(before, after), moved)
        except TaskError:
            return  # no place where all of its context stands, such as a pure insertion's
        assert applied["a.py"].count("\n") - moved["a.py"].count("\n") == after.count(
            "\n"
        ) - before.count("\n")


@pytest.mark.parametrize(
    "case", ["plain", "new file", "gone file", "no newline", "renamed", "crlf", "twice", "stranger"]
)
def test_it_is_as_git_applies_it(tmp_path, case):
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "a.py").write_text("".join(f"line {n}\n" for n in range(40)))
        (folder / "b.py").write_bytes(b"one\r\ntwo\r\n")
        (folder / "notes.txt").write_text("news\n")
    text = (new / "a.py").read_text()
    if case == "new file":
        (new / "c.py").write_text("c = 1\n")
    elif case == "gone file":
        (new / "b.py").unlink()
    elif case == "no newline":
        (new / "a.py").write_text(text.rstrip("\n"))
    elif case == "renamed":
        (new / "a.py").rename(new / "d.py")
        (new / "d.py").write_text(text.replace("line 7\n", "line seven\n"))
    elif case == "crlf":
        (new / "b.py").write_bytes(b"one\r\nzwei\r\n")
    elif case == "stranger":
        (new / "notes.txt").write_text("more news\n")
        (new / "a.py").write_text(text + "end\n")
    else:
        changed = text.replace("line 3\n", "") if case == "plain" else text.replace("line 1", "L 1")
        (new / "a.py").write_text(changed)
    patch = subprocess.run(
        ["git", "diff", "--no-index", "-M", "old", "new"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    ).stdout.decode()
    patch = patch.replace("a/old/", "a/").replace("b/new/", "b/")
    patch = patch.replace("rename from old/", "rename from ").replace(
        "rename to new/", "rename to "
    )

    def texts(folder):
        return {p.name: p.read_bytes().decode() for p in folder.iterdir() if p.suffix == ".py"}

    applied = apply_patch(patch, texts(old))
    assert {path: text for path, text in applied.items() if text} == texts(new)


def test_a_file_of_another_kind_is_passed_over():
    patch = diff("old\n", "new\n", "CHANGES.txt") + diff("a\n", "b\n")
    assert apply_patch(patch, {"a.py": "a\n"}) == {"a.py": "b\n"}


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("not a diff at all\n", "no file's diff"),
        (diff("a\nb\n", "a\nc\n"), r"does not apply to a.py: .* line 1 are not there"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n a\n", "hunk of a.py is cut, at line 5"),
        ("--- a/a.py\n+++ b/a.py\n@@ -1,1 +1,1 @@\n?x\n", "is cut, at line 4"),
    ],
)
def test_what_does_not_apply_says_so(patch, said):
    with pytest.raises(TaskError, match=said):
        apply_patch(patch, {"a.py": "x\ny\n"})


@given(st.text(alphabet="@+- \\\nab1,/", max_size=80))
def test_any_text_is_a_patch_or_a_task_error(text):
    try:
        parse_patch(f"--- a/a.py\n+++ b/a.py\n{text}")
    except TaskError as error:
        assert "\n" not in str(error)


def test_the_patches_of_the_shared_tasks_give_their_code(real_data):
    with gzip.open(real_data / "swe" / "swe_tasks.jsonl.gz") as first:
        tasks = [json.loads(line) for line in first]
    with lzma.open(real_data / "swe" / "mined_tasks.jsonl.xz") as second:
        tasks += [json.loads(line) for line in islice(second, 100)]
    for task in tasks:
        assert apply_patch(task["patch"], task["code_before"]) == task["code_after"], task[
            "task_id"
        ]


FUZZY = "--- a/f.py\n+++ b/f.py\n@@ -1,5 +1,6 @@\n a\n b\n c\n+new\n d\n e\n"


@pytest.mark.parametrize(
    ("text", "needed"),
    [("a\nb\nc\nd\ne\n", 0), ("x\nb\nc\nd\ne\n", 1), ("x\ny\nc\nd\nz\n", 2)],
)
def test_context_may_differ_at_its_ends_as_far_as_is_allowed(text, needed):
    for fuzz in range(3):
        if fuzz < needed:
            with pytest.raises(TaskError, match="does not apply"):
                apply_patch(FUZZY, {"f.py": text}, fuzz=fuzz)
        else:
            found = apply_patch(FUZZY, {"f.py": text}, fuzz=fuzz)
            assert found == {"f.py": text.replace("c\n", "c\nnew\n")}


def test_no_fuzz_touches_the_lines_that_change():
    replaces = FUZZY.replace("+1,6", "+1,5").replace(" c\n", "-c\n")
    assert apply_patch(replaces, {"f.py": "c\n"}, fuzz=2) == {"f.py": "new\n"}
    with pytest.raises(TaskError, match="does not apply"):
        apply_patch(replaces, {"f.py": "a\nb\nd\ne\n"}, fuzz=9)
