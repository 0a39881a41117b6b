"""The flood: one forward pass, locked chunks stay, other candidates each time, what they cost."""

import numpy as np
import pytest
from tiny_synthetic import CONFIG, TASK, program, random_domain, random_model

from trainers.fractal.synthetic.flood import flood
from trainers.fractal.synthetic.programs import SyntheticTask


def fill(programs, task=TASK, seed=0):
    model = random_model()
    return flood(model.renderer, task, programs, CONFIG.temperature, np.random.default_rng(seed))


@pytest.mark.parametrize("candidates", [1, 16])
@pytest.mark.parametrize("stages", [1, 6])
def test_all_roots_of_all_candidates_take_one_forward_pass(candidates, stages):
    model = random_model()
    passes = []
    model.renderer.register_forward_hook(lambda *_: passes.append(1))
    task = SyntheticTask(tuple(range(50, 51 + stages)))
    drafts = [program(*["+ ? * ?"] * stages)] * candidates
    flood(model.renderer, task, drafts, 1.0, np.random.default_rng(0))
    assert len(passes) == 1


def test_locked_chunks_stay_and_open_ones_get_a_text():
    for one in fill([program("+ 5 * ?", "/ 3")] * 6):
        first, second = one.program.stages
        assert (first[0].operand, second[0].operand) == (5, 3)
        assert first[1].operand not in (None, 0)


@pytest.mark.parametrize("opened", ["+ ?", "+ ? * ?"])
def test_copies_of_a_program_come_back_as_different_candidates(opened):
    texts = [one.program.text for one in fill([program(opened, "/ 3")] * 8)]
    assert len(set(texts)) == len(texts) > 1


def test_only_what_is_rendered_or_drafted_is_paid_for():
    (one,) = fill([program("+ 5 * ?", "/ 3")])
    operand = one.program.stages[0][1].operand
    assert one.tokens == 1 + len(str(operand))
    domain, rng = random_domain(), np.random.default_rng(0)
    (draft,) = domain.draft(TASK, 1, rng)
    (drawn,) = domain.render(TASK, [draft], rng)
    roots = drawn.program.roots
    chunks = sum(1 + len(str(root.operand)) for root in roots)
    assert drawn.tokens == len(roots) + TASK.stages + chunks
    assert drawn.program.drafted == 0


def test_the_seed_fixes_the_candidates():
    drafts = [program("+ ? * ?", "/ ?")] * 5
    assert fill(drafts, seed=1) == fill(drafts, seed=1) != fill(drafts, seed=2)


def test_nothing_open_and_nothing_asked():
    assert fill([]) == []
    (one,) = fill([program("+ 5 * 2", "/ 3")])
    assert (one.program.text, one.tokens) == ("+ 5 * 2; / 3", 0)


def test_more_digits_than_any_in_training_are_read_as_they_are():
    assert fill([program("+ 123456 * ?", "/ 3")])
