"""The built-in problem set: complete, solvable, and not to be passed by saying always the same."""

import ast
import json
import re
from collections import Counter
from importlib.resources import files
from typing import Any

import pytest

from sandbox import Program, Sandbox
from sandbox.convert import from_asserts

FIELDS = {
    "id": str,
    "statement": str,
    "entry_point": str,
    "stub": str,
    "visible_test": str,
    "hidden_tests": list,
    "reference": str,
    "difficulty": int,
}


@pytest.fixture(scope="module")
def problems() -> list[dict[str, Any]]:
    text = files("trainers.tasks").joinpath("basics.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def all_tests(problem: dict[str, Any]) -> list[str]:
    return [problem["visible_test"], *problem["hidden_tests"]]


def parse_test(text: str) -> tuple[str, Any]:
    """Take ``assert f(literals) == literal`` apart; anything else is an error."""
    (statement,) = ast.parse(text).body
    assert isinstance(statement, ast.Assert), text
    comparison = statement.test
    assert isinstance(comparison, ast.Compare), text
    assert isinstance(comparison.ops[0], ast.Eq), text
    call = comparison.left
    assert isinstance(call, ast.Call), text
    assert isinstance(call.func, ast.Name), text
    assert not call.keywords, text
    for argument in call.args:
        ast.literal_eval(argument)
    return call.func.id, ast.literal_eval(comparison.comparators[0])


def program(problem: dict[str, Any], code: str, key: str) -> Program:
    tests = from_asserts(all_tests(problem), entry_point=problem["entry_point"])
    return Program(key=key, code=code, tests=tests)


def test_there_are_enough_and_every_field_is_there(problems):
    assert len(problems) >= 126
    for problem in problems:
        assert {name: type(value) for name, value in problem.items()} == FIELDS, problem["id"]
        assert re.fullmatch(r"basics/\d{4}", problem["id"])
        assert problem["difficulty"] in range(1, 6)
        assert len(problem["statement"]) >= 60, problem["id"]


def test_nothing_is_there_twice(problems):
    for field in ("id", "statement", "entry_point", "reference"):
        values = [problem[field] for problem in problems]
        assert len(set(values)) == len(values), field


def test_all_difficulties_are_well_represented(problems):
    count = Counter(problem["difficulty"] for problem in problems)
    assert set(count) == {1, 2, 3, 4, 5}
    assert max(count.values()) < len(problems) / 2


def test_every_test_is_a_call_with_plain_data(problems):
    for problem in problems:
        tests = all_tests(problem)
        assert len(problem["hidden_tests"]) >= 5, problem["id"]
        assert len(set(tests)) == len(tests), problem["id"]
        for text in tests:
            assert parse_test(text)[0] == problem["entry_point"], text


def test_reference_and_stub_define_the_entry_point(problems):
    for problem in problems:
        (reference,) = ast.parse(problem["reference"]).body
        (stub,) = ast.parse(problem["stub"] + "\n    pass").body
        assert isinstance(reference, ast.FunctionDef)
        assert isinstance(stub, ast.FunctionDef)
        assert reference.name == stub.name == problem["entry_point"]
        assert ast.dump(reference.args) == ast.dump(stub.args), problem["id"]


def test_statement_names_only_parameters_that_exist(problems):
    for problem in problems:
        (reference,) = ast.parse(problem["reference"]).body
        assert isinstance(reference, ast.FunctionDef)
        parameters = {argument.arg for argument in reference.args.args}
        assert set(re.findall(r"`(\w+)`", problem["statement"])) <= parameters, problem["id"]


def test_every_problem_is_judged_by_data(problems):
    for problem in problems:
        tests = program(problem, problem["reference"], problem["id"]).tests
        assert tests.mode == "data", (problem["id"], tests.reason)
        assert len(tests.calls) == len(all_tests(problem))


def test_references_pass_and_constants_fail_in_the_sandbox(problems):
    programs = []
    for problem in problems:
        programs.append(program(problem, problem["reference"], f"{problem['id']} reference"))
        values = Counter(repr(parse_test(text)[1]) for text in all_tests(problem))
        for value in ["None", values.most_common(1)[0][0]]:
            code = f"def {problem['entry_point']}(*args):\n    return {value}\n"
            programs.append(program(problem, code, f"{problem['id']} {value}"))
    with Sandbox(workers=2) as sandbox:
        passed = {verdict.key: verdict.passed for verdict in sandbox.run_many(programs)}
    assert len(passed) == len(programs)
    wrong = [key for key, ok in passed.items() if ok != key.endswith(" reference")]
    assert wrong == []
