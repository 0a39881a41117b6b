"""What the trainers do for each other: learned edits for the loop, a choice that sees no more."""

from dataclasses import replace
from pathlib import Path

import pytest

from kent.partners import CriticChooser, editors
from memory.records import ProblemRow, SampleRow
from memory.repair_records import RepairPairRow
from memory.store import Store
from sandbox import Sandbox, from_asserts, tests_hash, tests_to_json
from trainers.code_trainer.pattern_store import remember_pairs
from trainers.fractal.python.localise import Evidence
from trainers.fractal.python.program import PythonProgram
from trainers.samples import program_hash

ASSERTS = ("assert double(1) == 2", "assert double(0) == 0", "assert double(5) == 10")


def problem(split: str = "train") -> ProblemRow:
    tests = from_asserts(ASSERTS, entry_point="double")
    return ProblemRow(
        id=f"p/{split}", source="s", statement="Double it.", entry_point="double", split=split,
        tests=tests_to_json(tests), tests_hash=tests_hash(tests), visible_tests=ASSERTS,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "kent.db") as opened:
        yield opened


def test_without_patterns_and_models_there_is_no_editor(store, tmp_path):
    assert editors(store, tmp_path)() == {}


def test_what_repair_pairs_teach_is_proposed_for_another_program(store, tmp_path):
    store.add_problems([problem()], "rule")
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "fractal", pid=None, pid_start=None).id
    codes = ["def double(x):\n    return x + 1\n", "def double(x):\n    return x * 2\n"]
    store.add_samples([
        SampleRow("p/train", "g", "v", {}, "h", n, 0, code, code, program_hash(code), 1, None,
                  "stop", run)
        for n, code in enumerate(codes)
    ])  # fmt: skip
    ids = [row["id"] for row in store.query("SELECT id FROM samples ORDER BY idx")]
    store.add_repair_pairs([RepairPairRow("p/train", ids[0], ids[1], 0.8, span=(2, 2))])
    remember_pairs(store, run)
    open_editor = editors(store, tmp_path)
    code = "def area(a, b):\n    return a + b\n"
    first = open_editor()["edit"].edits(code, "Area.", Evidence(), 400)
    assert "def area(a, b):\n    return a * b\n" in first
    assert len(set(first)) == len(first)
    editor = open_editor()["edit"]
    assert editor.edits(code, "Area.", Evidence(), 2) == first[:2]
    assert editor.edits(code, "Area.", Evidence(), 2) == first[2:4], "it goes on where it was"
    assert editor.edits("def broken(:", "", Evidence(), 5) == []


def test_the_chooser_does_not_see_the_hidden_tests():
    """Most programs agree and are wrong on hidden tests: whoever saw these would pick the other."""
    programs = [
        PythonProgram(f"def double(x):\n    return {body}\n", tokens=5, logprob=-1.0)
        for body in ("x + x", "x + 1", "1 + x", "x - -1")
    ]
    with Sandbox(workers=1) as sandbox:
        chosen = CriticChooser(None, None, 8).choose(problem("test"), "visible1", programs, sandbox)
    assert chosen != 0


def test_a_problem_that_shows_no_test_is_chosen_by_agreement_alone():
    shown = replace(problem("test"), visible_tests=())
    programs = [PythonProgram("def double(x):\n    return x * 2\n", tokens=5, logprob=-1.0)]
    with Sandbox(workers=1) as sandbox:
        assert CriticChooser(None, None, 8).choose(shown, "visible1", programs, sandbox) == 0
