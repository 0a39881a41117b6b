"""Picking for a user: the best picker that there is, and a probability that means something."""

import numpy as np
import pytest
import torch
from scripted import ScriptedGenerator
from test_training import synthetic

from memory.records import ProblemRow
from sandbox import Call, Sandbox, from_asserts, tests_hash, tests_to_json
from trainers.critic.model import Critic, CriticSpec
from trainers.critic.scalars import NAMES
from trainers.critic.solve import pick, write_programs
from trainers.critic.train import train
from trainers.generators.base import SamplingParams

RIGHT = "def add(x):\n    return x + 2"
ALSO_RIGHT = "def add(x):\n    two = 2\n    return two + x"
WRONG = "def add(x):\n    return x * 2"
BROKEN = "def add(x):\n    return undefined"
TEST = "assert add(2) == 4"  # WRONG passes it as well


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox(workers=1) as one:
        yield one


@pytest.fixture(scope="module")
def critic() -> Critic:
    """One that learned from numbers alone: it has an opinion, and P(pass) between 0 and 1."""
    from trainers.config import CriticConfig

    spec = CriticSpec("scripted/1", "visible1/v1", "none", "mean", 0, NAMES)
    sets = []
    for seed, name in ((0, "a"), (1, "b")):
        data = synthetic(40, 6, seed, name=name)
        inputs = torch.zeros(len(data.passed), len(NAMES))
        inputs[:, 0] = data.inputs[:, 0]
        object.__setattr__(data, "inputs", inputs)
        sets.append(data)
    return train(*sets, spec, CriticConfig(epochs=20)).critic


def asked(*tests: str) -> ProblemRow:
    judged = from_asserts(tests or [TEST], entry_point="add")
    return ProblemRow(
        id="solve",
        source="solve",
        statement="Add two.",
        entry_point="add",
        split="test",
        tests=tests_to_json(judged),
        tests_hash=tests_hash(judged),
        visible_tests=tests,
    )


def programs_of(problem, *codes, count=12):
    generator = ScriptedGenerator({"solve": codes, "inputs": ["add(5)\nadd(-1)\nadd('x')"]})
    params = SamplingParams(seed=3)
    with generator:
        return write_programs(generator, problem, "visible1", count, params)


def test_the_majority_by_behaviour_beats_a_lucky_pass(sandbox):
    problem = asked(TEST)
    samples, calls = programs_of(problem, RIGHT, ALSO_RIGHT, WRONG, BROKEN)
    assert calls == [Call((5,), None, function="add"), Call((-1,), None, function="add")]
    found = pick(problem, "visible1", samples, calls, sandbox, critic=None, features=None, wanted=8)
    assert found.code in (RIGHT, ALSO_RIGHT)
    assert (found.picker, found.tests_passed, found.p_pass) == ("agreement", True, None)
    assert found.n_samples == 12
    assert found.n_distinct <= 4


def test_without_tests_or_a_critic_the_likeliest_text_is_taken(sandbox):
    problem = asked()
    samples, calls = programs_of(problem, RIGHT, WRONG)
    assert calls == []
    found = pick(problem, "visible1", samples, [], sandbox, critic=None, features=None, wanted=8)
    assert found.tests_passed is None
    assert 0 < found.agreeing <= 1


def test_a_critic_gives_a_calibrated_probability(sandbox, critic):
    problem = asked(TEST)
    samples, calls = programs_of(problem, RIGHT, WRONG, BROKEN)
    found = pick(
        problem, "visible1", samples, calls, sandbox, critic=critic, features=None, wanted=8
    )
    assert found.picker == "critic"
    assert found.p_pass is not None
    assert 0 < found.p_pass < 1
    assert np.isfinite(found.p_pass)
