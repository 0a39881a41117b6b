"""Texts to patches and back, the diff that git takes, and what counts as the same program."""

import subprocess
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.code_trainer.comparison import exact, normalised, same_program
from trainers.code_trainer.diffs import apply_patches, patches_of, unified_diff
from trainers.code_trainer.locations import Locations
from trainers.code_trainer.patches import WHOLE_FILE, CodePatch
from trainers.code_trainer.regions import largest_region_operation, regions, split_lines
from trainers.errors import PatchError

LINES = ["", "x = 1", "    y = 2", "def f(a):", "    return a", "class C:", "\tz", "q\r", "é\x0c"]
TEXT = st.builds(
    lambda lines, end: "\n".join(lines) + end,
    st.lists(st.sampled_from(LINES), max_size=12),
    st.sampled_from(["", "\n"]),
)
TREES = st.dictionaries(st.sampled_from(["a.py", "p/b.py", "p q/c.py"]), TEXT, max_size=3)

BEFORE = '''\
import os


@cached
def load(name):
    """Read."""
    if name is None:
        return None
    with open(name) as file:
        return file.read()


class Store:
    size = 3

    def get(self, key):
        value = self.find(key)
        return value

    def find(self, key):
        a = 1
        b = 2
        c = 3
        return a + b + c
'''


@given(TREES, TREES)
def test_patches_make_the_text_after_from_the_text_before(before, after):
    assert apply_patches(before, patches_of(before, after)) == after


@given(TEXT, TEXT)
def test_regions_are_disjoint_and_none_is_empty(before, after):
    found = regions(before, after)
    assert (not found) == (before == after)
    assert all(region.size for region in found)
    assert all(one.end < other.start for one, other in pairwise(found))


@settings(max_examples=25, deadline=None)
@given(TREES, TREES)
def test_git_apply_takes_the_diff(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("repository")
    for path, text in before.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(text.encode())
    diff = unified_diff(before, after)
    assert bool(diff) == (before != after)
    if diff:
        subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            input=diff.encode(), cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert {p.relative_to(folder).as_posix(): p.read_bytes().decode() for p in files} == after


FIND = "        value = self.find(key)\n"


@pytest.mark.parametrize(
    ("old", "new", "operation", "location"),
    [
        (FIND, FIND.replace("key", "key, 1"), "modify_line", "Store.get:1"),
        (FIND, "", "delete_line", "Store.get:1"),
        (FIND, FIND + "        v = 1\n", "add_line", "Store.get:1"),
        ("class Store", "def new():\n    pass\n\n\nclass Store", "add_function", "<module>:2"),
        ("    def get(self, key):\n", "    def get(self):\n", "modify_function", "Store.get:0"),
    ],
)
def test_operation_and_location_of_a_change(old, new, operation, location):
    (patch,) = patches_of({"s.py": BEFORE}, {"s.py": BEFORE.replace(old, new)})
    assert (patch.operation, patch.location) == (operation, location)


def test_half_of_a_function_is_a_modified_function():
    after = BEFORE.replace("a = 1", "a = 4").replace("b = 2", "b = 5").replace("c = 3", "c = 6")
    assert largest_region_operation(BEFORE, after) == "modify_function"


def test_the_operation_of_several_files_is_that_of_the_largest_region():
    before = {"a.py": "x = 1\n", "b.py": "y = 1\ny = 2\ny = 3\n"}
    after = {"a.py": "x = 2\n", "b.py": "y = 1\n", "c.py": ""}
    assert largest_region_operation(before, after) == "modify_line"
    assert largest_region_operation({"b.py": before["b.py"]}, {"b.py": "y = 1\n"}) == "delete_line"
    assert largest_region_operation(before, before) is None


def test_locations_lead_back_to_their_lines():
    locations = Locations(BEFORE)
    lines = split_lines(BEFORE)
    assert "load:3" in locations.all()
    first, last = locations.lines("load:3")
    assert lines[first:last] == ["        return None\n"]
    first, last = locations.lines("load:0")
    assert lines[first:last] == ["@cached\n", "def load(name):\n"]
    assert locations.lines("load:9") is None
    assert locations.lines("nowhere:1") is None


@given(st.integers(0, len(split_lines(BEFORE)) - 1))
def test_a_location_of_a_line_is_one_of_the_text_and_starts_no_later(line):
    locations = Locations(BEFORE)
    location = locations.at(line)
    assert location in locations.all()
    assert locations.lines(location)[0] <= line


def test_a_text_that_does_not_parse_has_one_location():
    assert Locations("def (:\n").all() == ["<module>:0"]
    assert Locations("def (:\n").at(0) == "<module>:0"


@pytest.mark.parametrize(
    "patch",
    [
        CodePatch("a.py", "modify_line", "<module>:1", "y\n", 0, "other\n"),
        CodePatch("a.py", "add_line", "<module>:1", "y\n", 7),
        CodePatch("b.py", "add_line", "<module>:1", "y\n"),
        CodePatch("a.py", "add_line", WHOLE_FILE, "y\n"),
        CodePatch("a.py", "delete_line", WHOLE_FILE, "", 0, "other\n"),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(patch):
    with pytest.raises(PatchError, match=patch.file):
        apply_patches({"a.py": "x\n"}, [patch])


def test_overlapping_patches_are_refused():
    one = CodePatch("a.py", "modify_line", "<module>:1", "z\n", 0, "x\ny\n")
    other = CodePatch("a.py", "delete_line", "<module>:2", "", 1, "y\n")
    with pytest.raises(PatchError, match="two patches"):
        apply_patches({"a.py": "x\ny\n"}, [one, other])


def test_a_path_that_a_diff_cannot_hold_is_refused():
    with pytest.raises(PatchError, match="rename"):
        unified_diff({}, {'a".py': "x\n"})


def test_what_is_not_run_does_not_count():
    one = 'def f():\n    """Old."""\n    return (1 +\n        2)  # three\n'
    other = "def f():\n    return 1 + 2\n"
    assert same_program(one, other)
    assert normalised({"a.py": one}, {"a.py": other})
    assert not exact({"a.py": one}, {"a.py": other})
    assert not same_program(other, other.replace("2", "3"))
    assert not same_program("def (:\n", "def  (:\n")
    assert not normalised({"a.py": one}, {"a.py": one, "b.py": ""})
