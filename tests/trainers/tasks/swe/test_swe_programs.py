"""QuixBugs and HumanEvalFix: every fixed program passes in the sandbox, every broken one fails."""

import json
import re

import pytest
from swe_files import lines

from sandbox import Limits, Program, Sandbox, tests_from_json
from trainers.tasks.swe.humanevalfix import read_humanevalfix
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.quixbugs import read_quixbugs


def quix(name, before, after, **changes):
    return {
        "task_id": f"quixbugs/{name}",
        "repo": "jkoppel/QuixBugs",
        "base_commit": "4257f44b",
        "issue_text": "it does not",
        "code_before": {f"python_programs/{name}.py": before},
        "code_after": {f"python_programs/{name}.py": after},
        "patch": "",
        "entry_point": name,
        "test_kind": "io",
        "tests": [[[1], 2], [[5], 6]],
        "compare": "eq",
        "test_code": "",
        "slow_tests": [],
    } | changes


NODES = """\
class Node:
    def __init__(self, value, successor=None):
        self.value = value
        self.successor = successor


def test1():
    last = Node(1)
    assert tail(Node(3, Node(2, last))) is last


def test2():
    assert tail(None) is None
"""
QUIX = [
    quix("up", "def up(x):\n    return x - 1\n", "def up(x):\n    return x + 1\n"),
    quix(
        "pairs",
        "def pairs(n):\n    return [(i, 0) for i in range(n)]\n",
        "def pairs(n):\n    return [(i, i) for i in range(n)]\n",
        tests=[[[2], [[0, 0], [1, 1]]], [[0], []]],
    ),
    quix(
        "stream",
        "def stream(n):\n    yield from range(n, 0)\n",
        "def stream(n):\n    yield from range(n)\n",
        tests=[[[2], [0, 1]]],
        compare="list",
    ),
    quix(
        "half",
        "def half(x, near):\n    return x\n",
        "def half(x, near):\n    return x / 2 + near / 3\n",
        tests=[[[9.0, 0.5], 4.5], [[1000.0, 0.5], 500.0]],
        compare="approx",
    ),
    quix(
        "tail",
        "def tail(node):\n    return node\n",
        "def tail(node):\n    while node and node.successor:\n        node = node.successor\n"
        "    return node\n",
        test_kind="code",
        tests=["test1", "test2"],
        compare=None,
        test_code=NODES,
    ),
    quix(
        "dubbed",
        "def dubbed(x):\n    return x\n",
        "def dubbed(x):\n    return 2 * x\n",
        test_kind="code",
        tests=["test1"],
        compare=None,
        test_code="def test1():\n    assert dubbed(4) == 8\n",
    ),
]
FIX = {
    "task_id": "humanevalfix/900",
    "repo": "bigcode/humanevalpack",
    "base_commit": None,
    "issue_text": "Double it.",
    "code_before": {"solution.py": "def f(x):\n    return x + 2\n"},
    "code_after": {"solution.py": "def f(x):\n    return x * 2\n"},
    "patch": "",
    "entry_point": "f",
    "test_code": "def check(f):\n    assert f(2) == 4\n    assert f(3) == 6\n",
    "example_test": "def check(f):\n    assert f(2) == 4\ncheck(f)\n",
    "prompt": 'def f(x):\n    """Double it."""\n',
    "bug_type": "operator misuse",
}


def words(tasks, limits=None):
    """What the sandbox says of each side of each task under each of its tests."""

    def programs():
        for task in tasks:
            for side in ("before", "after"):
                [code] = getattr(task, f"code_{side}").values()
                for kind in ("visible", "hidden"):
                    document = getattr(task.judge, kind)
                    if document is not None:
                        tests = tests_from_json(json.loads(json.dumps(document)))
                        yield Program(f"{side} {kind} {task.task_id}", code, tests, limits)

    with Sandbox() as sandbox:
        return {verdict.key: verdict for verdict in sandbox.run_many(programs())}


def check(verdicts):
    for key, verdict in verdicts.items():
        if key.startswith("after"):
            assert verdict.passed, (key, verdict.failure)
        elif "hidden" in key:
            assert verdict.word in ("failed", "error", "timeout"), key


def test_each_kind_of_program_is_judged_as_its_set_judges_it(tmp_path):
    notes = Notes()
    tasks = read_quixbugs(lines(tmp_path / "q.jsonl", QUIX), notes=notes)
    assert notes.lines() == []
    assert [task.task_id for task in tasks] == [one["task_id"] for one in QUIX]
    assert {task.split for task in tasks} == {"test"}
    assert all(task.judge.visible == task.judge.hidden for task in tasks)
    assert tasks[1].judge.hidden["calls"][0]["expected"] == [{"~tuple": [0, 0]}, {"~tuple": [1, 1]}]
    check(words(tasks))


def test_a_case_that_takes_half_a_second_costs_no_task(tmp_path):
    waits = "import time\n\n\ndef up(x):\n    end = time.process_time() + 0.5\n"
    waits += "    while time.process_time() < end:\n        pass\n    return x + 1\n"
    path = lines(tmp_path / "q.jsonl", [quix("up", "def up(x):\n    return x\n", waits)])
    [task] = read_quixbugs(path)
    assert len(task.judge.hidden["calls"]) == 2


def test_near_means_within_the_last_argument_whatever_the_size(tmp_path):
    [task] = read_quixbugs(lines(tmp_path / "q.jsonl", [QUIX[3]]))
    code = "def half(x, near):\n    return x / 2 + 0.6\n"
    with Sandbox() as sandbox:
        verdict = sandbox.run(Program("k", code, tests_from_json(task.judge.hidden)))
    assert verdict.word == "failed"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tests": [[[1], 3]]}, "its fixed program gives 2, not 3"),
        ({"code_after": {"a.py": "def up(x):\n    raise ValueError\n"}}, "cannot be judged"),
        ({"code_after": {"a.py": "x", "b.py": "y"}}, "is to have one program"),
        ({"compare": "about"}, "compare is one of eq, list, approx"),
        ({"tests": [[1, 2]]}, r"a test is \[arguments, expected\]"),
        ({"test_kind": "film"}, "test_kind is io or code, not 'film'"),
        ({"test_kind": "code", "tests": ["t"], "test_code": "def"}, "its test_code is no Python"),
        ({"entry_point": 3}, "entry_point is to be str, not int"),
    ],
)
def test_a_broken_program_is_told_and_the_others_are_read(tmp_path, changes, said):
    notes = Notes()
    path = lines(tmp_path / "q.jsonl", [QUIX[0] | changes, QUIX[1]])
    assert [task.task_id for task in read_quixbugs(path, notes=notes)] == ["quixbugs/pairs"]
    [line] = notes.lines()
    assert re.search(said, line), line
    assert f"{path}, line 1: " in line


def test_the_example_is_visible_and_the_check_is_hidden(tmp_path):
    notes = Notes()
    broken = FIX | {"task_id": "humanevalfix/901", "test_code": "no check here"}
    blind = FIX | {"task_id": "humanevalfix/902", "example_test": ""}
    path = lines(tmp_path / "h.jsonl", [FIX, broken, blind])
    first, second = read_humanevalfix(path, notes=notes)
    assert len(first.judge.visible["calls"]) == 1
    assert len(first.judge.hidden["calls"]) == 2
    assert second.judge.visible is None
    assert first.metadata["bug_type"] == "operator misuse"
    assert len(notes.lines()) == 2
    assert notes.left_out == 1
    verdicts = words([first])
    check(verdicts)
    assert verdicts["before visible humanevalfix/900"].passed


@pytest.mark.slow
def test_all_shared_programs_fail_before_and_pass_after(real_data):
    notes = Notes()
    tasks = read_quixbugs(real_data / "swe" / "quixbugs.jsonl", notes=notes)
    assert len(tasks) == 27
    tasks += read_humanevalfix(real_data / "swe" / "humanevalfix.jsonl", notes=notes)
    assert len(tasks) == 27 + 110
    assert notes.left_out == 0
    check(words(tasks, Limits(cpu_s=4.0, wall_s=120.0)))
