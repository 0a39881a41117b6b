"""APPS from records in the public form: what becomes a row, what is left out, who passes."""

import gzip
import json

import pytest

from sandbox import Program, Sandbox, tests_from_json
from trainers.config import TasksConfig
from trainers.errors import TaskError
from trainers.generators.prompts import extract_code, solve_prompt
from trainers.tasks import apps, load_problems


def apps_record(number, name, inputs, outputs, *solutions, starter="", **changes):
    tests = {"inputs": inputs, "outputs": outputs} | ({"fn_name": name} if name else {})
    return {
        "problem_id": number,
        "question": f"Task {number}: take the numbers and say what they are.\n\nExample: none.",
        "solutions": json.dumps(list(solutions)) if solutions else "",
        "input_output": json.dumps(tests),
        "difficulty": "introductory",
        "url": f"https://example.org/kata/{number}",
        "starter_code": starter,
    } | changes


# An output wrapped in a list, as most of the functions have it.
DOUBLE = apps_record(
    1, "double_all", [[[1, 2]], [[]]], [[[2, 4]], [[]]],
    "def double_all(xs):\n    return [2 * x for x in xs]", starter="def double_all(xs):\n\t",
)  # fmt: skip
# An output that stands for itself, and is a list of one thing.
SINGLE = apps_record(
    2, "single", [[1], [2]], [[1], [2]], "def single(x):\n    return [x]"
)  # fmt: skip
# What JSON has no form for: a tuple, and keys that are numbers.
SPREAD = apps_record(
    3, "spread", [[[3, 1]], [[5]]], [[1, 3], [5, 5]], "def spread(xs):\n    return min(xs), max(xs)"
)
TOTAL = apps_record(
    4, "total", [[{"1": 10, "2": 5}]], [[20]],
    "def total(shop):\n    return sum(key * value for key, value in shop.items())",
)  # fmt: skip
MEAN = apps_record(
    5,
    "mean",
    [[[1, 2]], [[1, 1, 2]]],
    [1.5, 1.3333333],
    "def mean(xs):\n    return sum(xs) / len(xs)",
)
METHOD = apps_record(
    6, "twoSum", [[[2, 7, 11, 15], 9], [[3, 3], 6]], [[0, 1], [0, 1]],
    "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
    "        seen = defaultdict(int)\n"
    "        for i, x in enumerate(nums):\n"
    "            if target - x in seen:\n                return (seen[target - x], i)\n"
    "            seen[x] = i",
    starter="class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
    "        ",
    difficulty="interview",
)  # fmt: skip
STDIN = apps_record(
    7, None, ["3\n1 2 3\n"], ["6\n"], "input()\nprint(sum(map(int, input().split())))"
)


def made(*records):
    return apps.rows(records)


def words(row, *programs):
    tests = tests_from_json(row.tests)
    with Sandbox(workers=1) as sandbox:
        return [sandbox.run(Program("p", code, tests)).word for code in programs]


def test_a_function_becomes_a_row_that_hides_its_tests():
    found = made(DOUBLE)
    [row] = found.rows
    assert found.notes == []
    assert (row.id, row.source, row.split, row.entry_point) == (
        "apps/1", "apps", "test", "double_all",
    )  # fmt: skip
    assert row.statement == DOUBLE["question"]
    assert row.stub == "def double_all(xs):"
    assert (row.visible_tests, row.metadata) == ((), {"difficulty": "introductory"})
    assert row.tests["mode"] == "data"
    prompt = solve_prompt(row, "seed")[-1].content
    assert "Begin with:\n```python\ndef double_all(xs):\n```" in prompt
    assert "assert" not in prompt
    assert words(
        row, row.reference, "def double_all(xs):\n    return [x + x for x in xs]",
        "def double_all(xs):\n    return [[x + x for x in xs]]", "def other(xs):\n    return []",
    ) == ["passed", "passed", "failed", "error"]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "right", "wrong"),
    [
        (SINGLE, "def single(x):\n    return [x]", "def single(x):\n    return x"),
        (SPREAD, "def spread(xs):\n    return [min(xs), max(xs)]", "def spread(xs): return 1"),
        (TOTAL, "def total(s):\n    return sum(k * s[k] for k in s)", "def total(s): return 15"),
        (MEAN, "def mean(xs):\n    return sum(xs) / len(xs) + 1e-9", "def mean(xs): return 1.5"),
    ],
    ids=["itself", "tuple", "number keys", "floats"],
)  # fmt: skip
def test_the_reference_says_how_an_output_is_to_be_read(record, right, wrong):
    [row] = made(record).rows
    assert row.tests["mode"] == "data"
    *good, bad = words(row, row.reference, right, wrong)
    assert good == ["passed", "passed"]
    assert bad in ("failed", "error")


def test_a_method_of_class_solution_is_judged_in_split_mode():
    [row] = made(METHOD).rows
    assert (row.entry_point, row.tests["mode"]) == ("twoSum", "split")
    assert row.stub.startswith("from typing import List\n\n\nclass Solution:")
    right = (
        "class Solution:\n    def twoSum(self, nums, target):\n"
        "        return [(i, j) for j in range(len(nums)) for i in range(j)"
        " if nums[i] + nums[j] == target][0]\n"
    )
    keeps = (
        "class Solution:\n    n = 0\n    def twoSum(self, nums, target):\n        return [0, 0]\n"
    )
    bare = "def twoSum(nums, target):\n    return [0, 1]\n"
    liar = (
        "class Yes:\n    def __eq__(self, other): return True\n"
        "    def __len__(self): return 2\n    def __iter__(self): return iter([0, 1])\n"
        "class Solution:\n    def twoSum(self, nums, target): return Yes()\n"
    )
    assert words(row, row.reference, right, keeps, bare, liar) == [
        "passed", "passed", "failed", "error", "failed",
    ]  # fmt: skip
    assert set(words(row, METHOD["starter_code"] + "pass\n")) == {"error"}  # no List without import


def test_an_answer_that_leaves_out_the_imports_of_a_method_gets_them():
    [row] = made(METHOD).rows
    answer = "```python\nclass Solution:\n    def twoSum(self, nums: List[int], target):\n" + (
        "        return [0, 1]\n```"
    )
    code = extract_code(answer, row)
    assert code.startswith("from typing import List")
    assert code.count("class Solution") == 1
    assert words(row, code) == ["passed"]


def test_what_is_left_out_is_counted_with_the_reason():
    wrong = apps_record(8, "f", [[1]], [2], "def f(x):\n    return 3")
    crashes = apps_record(9, "f", [[1]], [2], "def f(x:\n    return 3")
    empty = apps_record(10, None, [], [], "print(1)")
    bare = DOUBLE | {"problem_id": 11, "solutions": "", "input_output": ""}
    broken = DOUBLE | {"problem_id": 12, "input_output": '{"inputs": ['}
    huge = DOUBLE | {"problem_id": 13, "input_output": '{"inputs": [[%s]]}' % ("9" * 5000)}
    flat = apps_record(14, "f", ["1 2"], [3], "def f(x):\n    return 3")
    uneven = apps_record(15, "f", [[1], [2]], [3], "def f(x):\n    return 3")
    unsolved = DOUBLE | {"problem_id": 16, "solutions": ""}
    found = made(STDIN, wrong, crashes, empty, bare, broken, huge, flat, uneven, unsolved, DOUBLE)
    assert [row.id for row in found.rows] == ["apps/1"]
    assert found.notes == [
        f"1 left out: {apps.AMBIGUOUS} (apps/16)",
        f"2 left out: {apps.WRONG} (apps/8, apps/9)",
        f"4 left out: {apps.UNREADABLE} (apps/12, apps/13, apps/14, apps/15)",
        f"2 left out: {apps.NO_TESTS} (apps/10, apps/11)",
        f"1 left out: {apps.STDIN} (apps/7)",
    ]


def test_many_are_not_all_named():
    [note] = made(*(STDIN | {"problem_id": number} for number in range(40))).notes
    assert note.startswith("40 left out: they read standard input")
    assert note.endswith("(apps/0, apps/1, apps/2, apps/3, apps/4 ...)")


def test_calls_that_the_solution_does_not_answer_as_stored_are_lost_and_told():
    record = apps_record(
        17, "f", [[1], [2], [0]], [1, 5, 0], "def f(x):\n    return 1 // x and x"
    )  # fmt: skip
    found = made(record)
    [row] = found.rows
    assert len(row.tests["calls"]) == 1
    assert found.notes == [
        "1 lost the calls that their solution does not answer as stored (apps/17)"
    ]


def test_without_a_solution_outputs_that_can_be_read_one_way_are_taken():
    found = made(MEAN | {"solutions": ""}, SPREAD | {"solutions": "[]"})
    assert [(row.id, row.reference) for row in found.rows] == [("apps/5", ""), ("apps/3", "")]
    assert words(found.rows[0], "def mean(xs):\n    return sum(xs) / len(xs)") == ["passed"]


def test_it_is_a_further_set_from_the_folder(data_folder):
    lines = "".join(json.dumps(one) + "\n" for one in (DOUBLE, METHOD, STDIN))
    (data_folder / "apps.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    config = TasksConfig(data_dir=data_folder, hub=False)
    loaded = load_problems(config, {}, also=["apps"])
    found = [row for row in loaded.rows if row.source == "apps"]
    assert [row.id for row in found] == ["apps/1", "apps/6"]
    assert {row.split for row in found} == {"test"}
    assert "apps: test" in loaded.rule
    notes = [note for note in loaded.notes if note.startswith("apps: ")]
    assert "3 problems from" in notes[0]
    assert notes[1] == f"apps: 1 left out: {apps.STDIN} (apps/7)"


def test_an_absent_or_broken_set_is_told(data_folder):
    config = TasksConfig(data_dir=data_folder, hub=False)
    loaded = load_problems(config, {}, also=["apps"])
    assert any(note.startswith("apps: not found: no apps.jsonl") for note in loaded.notes)
    for broken, said in (
        (DOUBLE | {"problem_id": "1"}, "problem_id is to be int, not str"),
        ({"question": "?"}, "lacks problem_id, solutions"),
        (DOUBLE | {"question": " "}, "apps/1: its question is empty"),
    ):
        (data_folder / "apps.jsonl").write_text(json.dumps(broken) + "\n")
        with pytest.raises(TaskError, match=said):
            load_problems(config, {}, also=["apps"])
