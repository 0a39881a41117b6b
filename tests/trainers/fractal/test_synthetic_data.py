"""Tasks: solvable, in canonical form, of the asked size, and no stage in two splits."""

from itertools import pairwise

import pytest
from pydantic import ValidationError
from tiny_synthetic import CONFIG

from trainers.fractal.synthetic.data import examples, operands, split_of
from trainers.fractal.synthetic.verifier import verify
from trainers.synthetic_settings import DifficultyConfig

SPLITS = ("train", "validation", "test")
DIFFICULTY = DifficultyConfig()


@pytest.fixture(scope="module")
def drawn():
    return {split: examples(DIFFICULTY, split, 150, seed=3) for split in SPLITS}


def test_the_program_that_a_task_was_made_from_passes(drawn):
    for many in drawn.values():
        assert all(verify(one.task, one.program.text).passed for one in many)


def test_no_stage_is_in_two_splits(drawn):
    pairs = {
        split: {pair for one in many for pair in pairwise(one.task.values)}
        for split, many in drawn.items()
    }
    for split, own in pairs.items():
        assert {split_of(*pair) for pair in own} == {split}


def test_programs_are_canonical_and_within_the_difficulty(drawn):
    for one in drawn["train"]:
        roots = one.program.roots
        assert DIFFICULTY.min_roots <= len(roots) == one.task.roots <= DIFFICULTY.max_roots
        assert all(a.op.additive != b.op.additive for a, b in pairwise(roots))
        assert all(root.operand in operands(DIFFICULTY, root.op) for root in roots)
        assert all(len(stage) <= DIFFICULTY.stage_roots for stage in one.program.stages)
        bounds = range(DIFFICULTY.min_value, DIFFICULTY.max_value + 1)
        assert all(value in bounds for value in one.task.values)


def test_the_seed_fixes_the_tasks_and_they_differ():
    first, again, other = (examples(CONFIG.difficulty, "test", 40, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert len({one.task.statement for one in first}) == 40


def test_a_length_can_be_asked_for_beyond_training():
    assert {len(one.program.roots) for one in examples(DIFFICULTY, "test", 5, 0, roots=16)} == {16}


def test_impossible_difficulties_are_refused():
    with pytest.raises(ValidationError, match="must not exceed"):
        DifficultyConfig(min_roots=9, max_roots=8)
