"""The domain's arms: which roots they open, and what they leave alone."""

import numpy as np
import pytest
from tiny_synthetic import TASK, program, random_domain

from trainers.fractal.domain import Suspect

WRONG = program("+ 6 * 2", "/ 3")  # its first stage is wrong


@pytest.fixture
def domain():
    return random_domain()


def reopened(domain, arm, root=0, count=5):
    (judgement,) = domain.verify(TASK, [WRONG])
    rng = np.random.default_rng(0)
    return domain.reopen(TASK, WRONG, judgement, Suspect(root, 0.0), arm, count, rng)


def test_only_roots_of_failing_stages_are_suspected_and_each_once(domain):
    (judgement,) = domain.verify(TASK, [WRONG])
    suspects = domain.localise(TASK, WRONG, judgement)
    assert {suspect.root for suspect in suspects} == {0, 1}
    weights = [suspect.weight for suspect in suspects]
    assert weights == sorted(weights, reverse=True)


def test_local_opens_the_guilty_chunk_only(domain):
    assert {one.text for one in reopened(domain, "local")} == {"+ ? * 2; / 3"}


def test_reroot_opens_the_guilty_root_with_another_operation(domain):
    for one in reopened(domain, "reroot"):
        assert one.text in {f"{symbol} ? * 2; / 3" for symbol in "-*/"}
        assert one.drafted == 1


def test_restage_drafts_the_stage_anew_and_leaves_the_others(domain):
    for one in reopened(domain, "restage"):
        assert one.stages[1] == WRONG.stages[1]
        assert all(root.operand is None for root in one.stages[0])
        assert one.drafted == len(one.stages[0]) + 1


def test_redraft_opens_everything(domain):
    for one in reopened(domain, "redraft"):
        assert all(root.operand is None for root in one.roots)


def test_one_arm_while_several_stages_are_wrong_and_several_for_one(domain):
    bad = program("+ 6 * 2", "/ 5")
    first, second = domain.verify(TASK, [WRONG, bad])
    assert len(domain.arms(TASK, WRONG, first)) > 1
    assert len(domain.arms(TASK, bad, second)) == 1


def test_a_chunk_is_not_rendered_anew_once_all_that_may_stand_there_was_refused(domain):
    tried = [program(f"+ {operand} * 2", "/ 3") for operand in range(1, 100) if operand != 5]
    judgements = domain.verify(TASK, tried)
    before = random_domain().localise(TASK, WRONG, judgements[5])
    after = domain.localise(TASK, WRONG, judgements[5])
    weight = {suspect.root: suspect.weight for suspect in before}
    assert all(one.weight < weight[one.root] for one in after if one.root == 0)
    domain.draft(TASK, 1, np.random.default_rng(0))
    again = domain.localise(TASK, WRONG, judgements[5])
    assert [one.weight for one in again] == pytest.approx([one.weight for one in before], abs=1e-4)


def test_a_right_stage_counts_more_than_any_wrong_one(domain):
    none, one, two = domain.verify(
        TASK, [program("+ 6 * 2", "/ 5"), WRONG, program("+ 5 * 2", "/ 3")]
    )
    assert none.score < one.score < two.score == 1.0
    assert two.passed


def test_what_the_renderer_said_of_a_stage_is_the_same_whenever_it_is_asked(domain):
    first = domain.blames(TASK, WRONG, (0, 1))
    other = random_domain().blames(TASK, WRONG, (0, 1))
    assert [one.sound for one in other.values()] == [one.sound for one in first.values()]
    assert domain.blames(TASK, WRONG, (1,)) == {2: first[2]}
