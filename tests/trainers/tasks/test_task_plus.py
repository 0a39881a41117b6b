"""The + sets from small files: what is expected comes from the reference, told by the sandbox."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Program, Sandbox, tests_from_json
from trainers.tasks import humanevalplus, mbppplus
from trainers.tasks.expected import Job, record
from trainers.tasks.mbppplus_inputs import arguments

HUMANEVAL = {
    "task_id": "HumanEval/4",
    "prompt": 'import math\n\n\ndef half(x):\n    """ Halve x.\n    >>> half(3)\n    1.5\n    '
    '"""\n',
    "entry_point": "half",
    "canonical_solution": "    return math.nan if x > 99 else x / 2\n",
    "base_input": [[3], [0]],
    "plus_input": [[7], [100], ["x"]],
    "atol": 0,
}
MBPP = {
    "task_id": "Mbpp/2",
    "prompt": '"""\nWrite a function to find shared elements.\n'
    'assert set(shared((1, 2), (2,))) == {2}\n"""\n',
    "entry_point": "shared",
    "canonical_solution": "def shared(a, b):\n    print('hi')\n    return tuple(set(a) & set(b))\n",
    "base_input": [[[1, 2], [2]]],
    "plus_input": [[[5, 4, 3], [3, 4]], [[], []]],
    "assertion": "\nassert shared((1, 2), (2,)) == (2,)\nassert shared((3,), (3,)) == (3,)\n",
    "atol": 0,
}


def words(rows, *programs):
    with Sandbox(workers=1) as sandbox:
        tests = tests_from_json(rows[0].tests)
        return [sandbox.run(Program("p", code, tests)).word for code in programs]


def test_humanevalplus_row():
    made = humanevalplus.rows([HUMANEVAL], "file")
    row = made.rows[0]
    assert (row.id, row.source, row.split) == ("humanevalplus/4", "humanevalplus", "test")
    assert row.metadata["base"] == "humaneval/4"
    assert row.stub == "import math\n\n\ndef half(x):"
    assert row.statement.startswith("Halve x.")
    assert made.notes == [
        "HumanEval/4: 2 of 5 inputs left out: the reference raises, is slow, "
        "or returns what is too large or does not equal itself"
    ]
    assert words(
        made.rows,
        row.reference,
        "def half(x):\n    return x * 0.50000000001",
        "def half(x):\n    return x // 2",
    ) == ["passed", "passed", "failed"]


def test_mbppplus_row():
    made = mbppplus.rows([MBPP], "official", "file")
    row = made.rows[0]
    assert (row.id, row.split, row.entry_point) == ("mbppplus/2", "prompt", "shared")
    assert row.statement == "Write a function to find shared elements."
    assert row.visible_tests == (
        "assert set(shared((1, 2), (2,))) == {2}",
        "assert shared((3,), (3,)) == (3,)",
    )
    assert made.notes == []
    # Its order is free, and its inputs are tuples, which JSON could not say.
    assert words(
        made.rows,
        "def shared(a, b):\n    return [x for x in a + b if x in a and x in b]",
        "def shared(a, b):\n    return set(a) & set(b) if a == () or type(a) is tuple else 0",
        "def shared(a, b):\n    return a",
    ) == ["passed", "passed", "failed"]


def test_a_result_that_only_has_to_be_there():
    record_ = MBPP | {
        "task_id": "Mbpp/737",
        "canonical_solution": "import re\ndef shared(a, b):\n    return re.search(a, b)",
        "base_input": [["a", "cat"]],
        "plus_input": [["a", "dog"]],
    }
    made = mbppplus.rows([record_], "official", "file")
    assert words(
        made.rows, "def shared(a, b):\n    return a in b", "def shared(a, b):\n    return True"
    ) == ["passed", "failed"]


def test_what_cannot_be_made_is_said():
    broken = MBPP | {"task_id": "Mbpp/3", "canonical_solution": "raise OSError('no')"}
    two = MBPP | {"task_id": "Mbpp/581"}
    made = mbppplus.rows([broken, two], "official", "file")
    assert made.rows == []
    assert made.notes == [
        "Mbpp/3 left out: its reference ends in error no",
        "Mbpp/581 left out: it has two right answers",
    ]


def test_the_hubs_editions():
    test = (
        "def assertion(out, exp, atol):\n    assert out == exp\n\n"
        "inputs = [[3, 4], [5, 6]]\nresults = [7, 11]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion({}(*inp), exp, 0)\n"
    )
    code = "def add(a, b):\n    return a + b\n"
    mbpp_record = {
        "task_id": 602,
        "prompt": "Add.",
        "code": code,
        "test_list": ["assert add(1, 2) == 3"],
        "test": test.format("add"),
    }
    made = mbppplus.rows([mbpp_record], "official", "hub")
    assert (made.rows[0].id, made.rows[0].split) == ("mbppplus/602", "train")
    assert words(made.rows, code, "def add(a, b):\n    return 7") == ["passed", "failed"]
    body = test.format("candidate").partition("inputs")
    check = (
        f"{body[0]}def check(candidate):\n    inputs{body[2].replace(chr(10), chr(10) + '    ')}"
    )
    hub_record = {
        "task_id": "HumanEval/1",
        "prompt": 'def add(a, b):\n    """Add."""\n',
        "entry_point": "add",
        "canonical_solution": "    return a + b\n",
        "test": check,
    }
    found = humanevalplus.rows([hub_record], "hub").rows
    assert words(found, found[0].reference, "def add(a, b):\n    return 7") == ["passed", "failed"]


def test_many_and_large_values_come_back_whole():
    inputs = [(n,) for n in range(3000)]
    code = "import random\ndef f(n):\n    return random.Random(n).random() if n else 'x' * 50_000"
    (found,) = record([Job("k", code, "f", inputs)])
    assert not found.error
    assert found.dropped == 0
    assert [arguments for arguments, _ in found.pairs] == inputs
    assert len({value for _, value in found.pairs}) == 3000


def test_a_value_too_large_to_keep_is_dropped():
    code = "import random\ndef f(n):\n    return random.Random(1).randbytes(n)"
    (found,) = record([Job("k", code, "f", [(5,), (50_000,), (7,)])])
    assert ([arguments for arguments, _ in found.pairs], found.dropped) == ([(5,), (7,)], 1)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(), max_size=3), min_size=2, max_size=2))
def test_unlisted_problems_take_their_arguments_as_they_are(packed):
    assert arguments(1, packed) == tuple(packed)


@pytest.mark.parametrize(
    ("number", "packed", "expected"),
    [
        (116, [[1, 2]], ((1, 2),)),
        (63, [[[1, 2], [3, 4]]], ([(1, 2), (3, 4)],)),
        (75, [[[6, 24]], 6], ([(6, 24)], 6)),
        (106, [[5, 6], [9]], ([5, 6], (9,))),
        (124, ["0", "1j"], (0.0, 1j)),
        (252, ["(1+2j)"], (1 + 2j,)),
        (259, [[[1, 3]], [[6, 7]]], (((1, 3),), ((6, 7),))),
        (278, [[1, [4, [6]]]], ((1, (4, [6])),)),
        (580, [[4, [7, [2]]]], ((4, (7, (2,))),)),
        (722, [{"a": [6.2, 70]}, 6.0, 70], ({"a": (6.2, 70)}, 6.0, 70)),
        (808, [[10, 4], 6], ((10, 4), 6)),
    ],
)
def test_arguments_that_json_could_not_say(number, packed, expected):
    found = arguments(number, json.loads(json.dumps(packed)))
    assert found == expected
    assert repr(found) == repr(expected)
