"""From an issue to operation, file and location (seed: code trainer §1.4)."""

import math

import pytest
import torch
from swe_family import NOUNS, encode_issue

from memory.hologram.codebook import Codebook
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.fusion import Case
from trainers.code_trainer.locations import Locations
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.ridge import RidgeMap
from trainers.errors import CheckpointError, TrainerError

FILES = [f"app/{noun}.py" for noun in NOUNS]


def space(task):
    ((path, text),) = task.code_before.items()
    return {"FILE": FILES, "LOCATION": {path: Locations(text).all()}}


def right(learned, task, **more):
    issue = encode_issue(learned.codebook, task.issue_text)
    return learned.resonator.resonate(issue, space(task), **more)


class TestCodeResonator:
    def test_factorize_simple_patch(self, learned):
        """(FILE, OPERATION, LOCATION) of tasks whose function was never seen."""
        for task in learned.validation:
            (patch,) = patches_of(task.code_before, task.code_after)
            found = right(learned, task)
            assert (found.operation, found.location) == (patch.operation, patch.location)

    def test_factorize_confidence(self, learned):
        """Confidence is a probability, and less of it is given to what tells nothing."""
        task = learned.train[0]
        sure = right(learned, task)
        assert sure.min_confidence == min(sure.confidences.values())
        assert sure.probability == pytest.approx(math.prod(sure.confidences.values()))
        unsure = learned.resonator.resonate(
            encode_issue(learned.codebook, "zebra quagga okapi"), space(task)
        )
        assert unsure.min_confidence < sure.min_confidence

    def test_resonate_topk(self, learned):
        task = learned.validation[0]
        issue = encode_issue(learned.codebook, task.issue_text)
        found = learned.resonator.resonate_topk(issue, space(task), 7)
        assert len({tuple(one.factors.values()) for one in found}) == 7
        assert [one.probability for one in found] == sorted(
            (one.probability for one in found), reverse=True
        )
        assert found[0] == learned.resonator.resonate(issue, space(task))

    def test_a_file_that_was_repaired_before_is_found_again(self, learned):
        task = learned.train[0]
        issue = encode_issue(learned.codebook, task.issue_text)
        ranked = learned.resonator.distribution("FILE", issue, FILES, None)
        assert max(ranked, key=ranked.__getitem__) == next(iter(task.code_before))
        assert sum(ranked.values()) == pytest.approx(1)

    def test_localisation_joins_as_a_prior(self, learned):
        task = learned.train[0]
        issue = encode_issue(learned.codebook, task.issue_text)
        prior = {path: math.log(0.999 if path == FILES[4] else 1e-6) for path in FILES}
        ranked = learned.resonator.distribution("FILE", issue, FILES, prior)
        assert max(ranked, key=ranked.__getitem__) == FILES[4]
        place = Locations(next(iter(task.code_before.values()))).all()[0]
        key = f"{next(iter(task.code_before))}::{place}"
        found = right(learned, task, priors={"LOCATION": {key: 0.0, "else::f:1": -99.0}})
        assert found.location == place

    def test_further_tasks_are_added(self, codebook, learned):
        tasks = learned.train[:12]
        issues = [encode_issue(codebook, task.issue_text) for task in tasks]
        truths = [patches_of(task.code_before, task.code_after) for task in tasks]
        grown = CodeResonator(codebook)
        grown.add(issues[:6], truths[:6])
        grown.add(issues[6:], truths[6:])
        assert len(grown) == 12
        probe = encode_issue(codebook, learned.validation[0].issue_text)
        ranked = grown.distribution("OPERATION", probe, OPERATIONS, None)
        assert set(ranked) == set(OPERATIONS)

    def test_calibration_trusts_what_is_right(self, codebook, learned):
        resonator = CodeResonator(codebook).fit(
            [encode_issue(codebook, task.issue_text) for task in learned.train],
            [patches_of(task.code_before, task.code_after) for task in learned.train],
        )
        cases = []
        for task in learned.validation:
            truth = next(iter(task.code_before))
            prior = {path: 0.0 if path == truth else -5.0 for path in FILES}
            issue = encode_issue(codebook, task.issue_text)
            cases.append(Case(issue, {"FILE": FILES}, {"FILE": truth}, {"FILE": prior}))
        before = resonator.distribution("FILE", cases[0].issue, FILES, cases[0].priors["FILE"])
        resonator.calibrate(cases)
        after = resonator.distribution("FILE", cases[0].issue, FILES, cases[0].priors["FILE"])
        assert after[cases[0].truth["FILE"]] >= before[cases[0].truth["FILE"]]

    def test_saved_and_loaded_it_says_the_same(self, learned, tmp_path):
        path = tmp_path / "resonator.safetensors"
        learned.resonator.save(path)
        again = CodeResonator.load(path, learned.codebook)
        for task in learned.validation:
            issue = encode_issue(learned.codebook, task.issue_text)
            one = learned.resonator.resonate(issue, space(task))
            other = again.resonate(issue, space(task))
            assert one.factors == other.factors
            assert one.probability == pytest.approx(other.probability, rel=1e-3)
        with pytest.raises(CheckpointError, match="codebook"):
            CodeResonator.load(path, Codebook(learned.codebook.dimensions, seed=5))
        path.write_bytes(b"{}")
        with pytest.raises(CheckpointError, match="cannot be read"):
            CodeResonator.load(path, learned.codebook)

    def test_what_is_missing_is_said(self, codebook, tmp_path):
        fresh = CodeResonator(codebook)
        with pytest.raises(TrainerError, match="learned nothing"):
            fresh.resonate(torch.ones(codebook.dimensions), {"FILE": ["a"], "LOCATION": ["f:1"]})
        with pytest.raises(TrainerError, match="learned nothing"):
            fresh.save(tmp_path / "x")
        with pytest.raises(TrainerError, match="0 issues"):
            fresh.fit([], [])
        with pytest.raises(TrainerError, match="no file"):
            fresh.resonate(torch.ones(codebook.dimensions), {"FILE": [], "LOCATION": {}})


def test_what_ridge_says_of_a_task_left_out_is_what_it_says_without_it():
    torch.manual_seed(0)
    keys = torch.randn(12, 64)
    targets = [{"x": {f"n{i % 3}": 1.0, "all": 0.5}} for i in range(12)]
    whole = RidgeMap(keys, targets, penalties={"x": 0.5})
    without = RidgeMap(keys[1:], targets[1:], penalties={"x": 0.5})
    for name, value in without.expected(keys[0], "x").items():
        assert whole.left_out(0, "x")[name] == pytest.approx(value, abs=2e-3)
    assert RidgeMap(keys, targets).penalties["x"] > 0
    assert whole.expected(keys[0], "y") == {}
