"""`kent solve`: what a person gives becomes a problem, or one clear line."""

import pytest

from kent.cli import main
from kent.errors import ConfigError
from kent.solve import as_problem

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


def test_the_command_line_says_what_is_missing(capsys, tmp_path):
    assert main(["--state", str(tmp_path), "solve", "Add two."]) == 2
    assert "which function" in capsys.readouterr().err
