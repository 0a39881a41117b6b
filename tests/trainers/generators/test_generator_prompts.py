"""Templates show what they may and no more; a program is found in whatever a model answers."""

import ast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory.records import ProblemRow
from trainers.generators.prompts import extract_code, protocol_id, solve_prompt

TESTS = ("assert add(1, 2) == 3", "assert add(5, 5) == 10", "assert add(-1, 1) == 0")
PROGRAM = "import math\n\ndef add(a, b):\n    return a + b"


def problem(**changes: object) -> ProblemRow:
    fields: dict[str, object] = {
        "id": "mbpp/1",
        "source": "mbpp",
        "statement": "Write a function that adds two numbers.",
        "entry_point": "add",
        "split": "train",
        "tests": {"hidden": "assert add(9, 9) == 18"},
        "tests_hash": "0" * 64,
        "visible_tests": TESTS,
        **changes,
    }
    return ProblemRow(**fields)  # type: ignore[arg-type]


STUB = """from typing import List


def helper(x):
    return x + 1


def add(a, b):
    'Adds.'"""


def shown(kind: str, **changes: object) -> str:
    return "\n".join(message.content for message in solve_prompt(problem(**changes), kind))


def test_visible1_shows_one_test_and_hides_the_rest() -> None:
    text = shown("visible1")
    assert TESTS[0] in text
    assert TESTS[1] not in text and TESTS[2] not in text and "add(9, 9)" not in text
    assert "`add`" in text


def test_seed_shows_every_visible_test_and_no_hidden_one() -> None:
    text = shown("seed")
    assert all(test in text for test in TESTS)
    assert "add(9, 9)" not in text


def test_stub_is_shown_whole() -> None:
    assert STUB in shown("visible1", stub=STUB, visible_tests=())


def test_protocol_id_names_kind_and_version() -> None:
    assert protocol_id("visible1") == "visible1/v1"


@pytest.mark.parametrize(
    "completion",
    [
        PROGRAM,
        f"```python\n{PROGRAM}\n```",
        f"```\n{PROGRAM}\n```",
        f"```py\n{PROGRAM}\n```",
        f"```Python\n{PROGRAM}\n```\n",
        f"```python title=answer.py\n{PROGRAM}\n```",
        f"```python\n{PROGRAM}",  # cut by the token limit, or no closing fence
        f"```python\n{PROGRAM}```",
        f"Sure! Here it is:\n\n```python\n{PROGRAM}\n```\n\nIt adds `a` and `b`.",
        f"Sure, here: ```python\n{PROGRAM}\n```",
        f"```python\n{PROGRAM}\n```".replace("\n", "\r\n"),
        f"```bash\npip install x\n```\n```python\n{PROGRAM}\n```",
        f"```python\nprint(1)\n```\nthen\n```python\n{PROGRAM}\n```",
        f"```python\n{PROGRAM}\n```\n```python\nprint(add(1, 2))\n```",
    ],
)
def test_program_is_found(completion: str) -> None:
    assert extract_code(completion, problem()).strip() == PROGRAM


def test_imports_and_helpers_of_the_stub_are_put_before_an_answer_that_leaves_them_out() -> None:
    answer = "```python\ndef add(a, b) -> int:\n    return helper(a) + b - 1\n```"
    code = extract_code(answer, problem(stub=STUB))
    space: dict[str, object] = {}
    exec(code, space)
    assert space["add"](1, 2) == 3  # type: ignore[operator]
    assert "List" in space


def test_answer_that_goes_on_from_the_stub_is_joined_to_it() -> None:
    code = extract_code("    return a + b\n", problem(stub=STUB))
    space: dict[str, object] = {}
    exec(code, space)
    assert space["add"](1, 2) == 3  # type: ignore[operator]


def test_stub_that_is_repeated_is_not_doubled() -> None:
    code = extract_code(f"```python\n{STUB}\n    return a + b\n```", problem(stub=STUB))
    assert code.count("def helper") == 1
    ast.parse(code)


@given(st.text())
@example("```")
@example("```python")
@example("``` ```")
@example("\r\n```\r")
def test_any_text_gives_some_code(text: str) -> None:
    assert isinstance(extract_code(text, problem()), str)
    assert isinstance(extract_code(text, problem(stub=STUB)), str)


NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
PROSE = st.text(st.characters(exclude_characters="`", codec="utf-8"), max_size=60)


@given(
    before=PROSE,
    after=PROSE,
    names=st.lists(NAMES, min_size=1, max_size=4),
    language=st.sampled_from(["", "python", "py", "Python3"]),
    closed=st.booleans(),
)
def test_fenced_program_comes_out_as_it_went_in(
    before: str, after: str, names: list[str], language: str, closed: bool
) -> None:
    body = "\n".join(f"    v_{name} = '{name}'" for name in names)
    program = f"def add(a, b):\n{body}\n    return a + b"
    tail = f"\n```\n{after}" if closed else ""
    completion = f"{before}\n```{language}\n{program}{tail}"
    assert extract_code(completion, problem()) == program


@given(st.integers(0, 3))
def test_indentation_of_a_body_survives(depth: int) -> None:
    lines = [f"{'    ' * (level + 1)}if a:" for level in range(depth)]
    body = "\n".join([*lines, f"{'    ' * (depth + 1)}return a + b", "    return b"])
    ast.parse(extract_code(body, problem(stub=STUB)))
