"""`kent solve`: what a person gives becomes a problem, or one clear line."""

import io
import json

import pytest

from kent.cli import main
from kent.errors import ConfigError
from kent.solve import as_problem, is_stub

TEST = "assert add(2) == 4"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statement": " "}, "nothing to solve"),
        ({"statement": "Add."}, "which function"),
        ({"statement": "Add.", "tests": ["assert f("]}, "--test"),
    ],
)
def test_what_cannot_be_solved_is_one_clear_line(given, message):
    asked = {"statement": None, "stub": None, "entry_point": None, "tests": []} | given
    with pytest.raises(ConfigError, match=message):
        as_problem(**asked)


def test_the_function_is_named_by_a_stub_a_test_or_the_user():
    stub = "import math\n\ndef helper(a):\n    return a\n\ndef area(r):\n    '''Of a circle.'''\n"
    assert as_problem(None, stub=stub, entry_point=None, tests=[]).entry_point == "area"
    assert as_problem("x", stub=None, entry_point=None, tests=[TEST]).entry_point == "add"
    assert as_problem("x", stub=None, entry_point="mine", tests=[]).entry_point == "mine"


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("Write `is_prime` that tells primes.", "is_prime"),
        ("Write a function `area(r)` of a circle.", "area"),
        ("Write a function add(a, b) that adds.", "add"),
        ("Write a function named rev that reverses a string.", "rev"),
        ("Write a function sum_even that sums.", "sum_even"),
    ],
)
def test_a_function_may_be_named_by_the_statement(statement, name):
    assert as_problem(statement, stub=None, entry_point=None, tests=[]).entry_point == name


@pytest.mark.parametrize(
    "statement", ["Write a function that reverses.", "Write a function to add."]
)
def test_a_word_after_function_is_no_name(statement):
    with pytest.raises(ConfigError, match="which function"):
        as_problem(statement, stub=None, entry_point=None, tests=[])


def test_a_file_that_is_not_there_is_said(capsys, tmp_path):
    assert main(["--state", str(tmp_path), "solve", str(tmp_path / "what.txt")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_the_command_line_says_what_is_missing(capsys, tmp_path):
    assert main(["--state", str(tmp_path), "solve", "Add two."]) == 2
    assert "which function" in capsys.readouterr().err


def test_python_that_begins_a_function_is_a_stub_and_prose_is_none():
    assert is_stub('def add(a, b):\n    """Add them."""\n')
    assert is_stub("import math\n\ndef area(r: float) -> float:\n")
    assert not is_stub("Write a function add that returns a sum.")
    assert not is_stub("import is what a port does")
    assert not is_stub("class of problems: write def f")


@pytest.mark.parametrize("text", ["# nothing\n\n", ""])
def test_a_file_without_tests_is_refused(capsys, tmp_path, text):
    (tmp_path / "tests.txt").write_text(text)
    asked = ["solve", "Add two.", "--tests", str(tmp_path / "tests.txt")]
    assert main(["--state", str(tmp_path), *asked]) == 2
    assert "holds no test" in capsys.readouterr().err


@pytest.mark.weights
def test_a_statement_of_a_file_is_solved_with_the_tests_of_another(capsys, tmp_path):
    (tmp_path / "what.txt").write_text("Write a function add(a, b) that returns the sum of both.")
    (tmp_path / "tests.txt").write_text(
        "# of add\nassert add(1, 2) == 3\n\nassert add(-1, 1) == 0\n"
    )
    asked = [
        "solve",
        str(tmp_path / "what.txt"),
        "--tests",
        str(tmp_path / "tests.txt"),
        "--n",
        "4",
    ]
    assert main(["--state", str(tmp_path / "state"), *asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tests_passed"] is True
    assert told["repair_tokens"] == 0
    names: dict[str, object] = {}
    exec(told["code"], names)
    assert names["add"](20, 22) == 42


@pytest.mark.weights
def test_what_no_sample_passes_is_repaired_until_the_budget_is_spent(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("Write a function add that returns the sum."))
    impossible = ["--test", "assert add(1, 1) == 3", "--test", "assert add(1, 1) == 4"]
    asked = ["solve", "-", *impossible, "--n", "2", "--budget", "60", "--explain", "--json"]
    assert main(["--state", str(tmp_path / "state"), *asked]) == 1
    output = capsys.readouterr()
    told = json.loads(output.out)
    assert told["tests_passed"] is False
    assert told["repair_tokens"] > 0
    assert len(told["trace"]) > 1
    assert "new programs" in output.err
