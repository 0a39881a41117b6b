"""Patches out of an issue: learned, bounded, verified, or none (seed: code trainer §1.6)."""

from dataclasses import replace

import pytest
import torch
from swe_family import NOUNS, encode_issue, example, script_for

from memory.hologram.consolidation import ConsolidationFact, ConsolidationManager
from memory.hologram.neural_memory import NeuralMemoryNetwork
from memory.hologram.resonant_generator import calibrate_threshold
from trainers.code_trainer.code_tokens import words
from trainers.code_trainer.comparison import normalised
from trainers.code_trainer.diffs import apply_patches
from trainers.code_trainer.expectation import BagResonantGenerator, TokenExpectation
from trainers.code_trainer.generator import (
    CodeGenerator,
    GeneratorSettings,
    RecalledPattern,
    TaskContext,
)
from trainers.code_trainer.generator_checkpoint import (
    GeneratorState,
    load_generator,
    save_generator,
)
from trainers.code_trainer.patch_vectors import PatchVectors
from trainers.code_trainer.patches import LEVELS, CodePatch, CodePatchResult
from trainers.code_trainer.pattern_labels import frequent_labels, pattern_label, recall_from
from trainers.code_trainer.verification import verify
from trainers.code_trainer.vocabulary import END, TaskVocabulary
from trainers.errors import CheckpointError, TrainerError

SETTINGS = GeneratorSettings(vocabulary=200)


def context(task):
    files = [f"app/{noun}.py" for noun in NOUNS]
    return TaskContext(task.issue_text, task.code_before, files)


def generator(learned, **more):
    given = {"settings": SETTINGS, **more}
    return CodeGenerator(learned.trained.network, learned.resonator, learned.expectation, **given)


def generate(learned, task, **more):
    issue = encode_issue(learned.codebook, task.issue_text)
    return generator(learned, **more).generate(issue, context(task))


class TestCodeGenerator:
    def test_generate_from_pattern(self, learned):
        """The pattern of other functions' patches mends a function that was never seen."""
        solved = 0
        for task in learned.validation:
            results = generate(learned, task)
            texts = [apply_patches(task.code_before, result.patches) for result in results]
            solved += any(normalised(text, task.code_after) for text in texts)
        assert solved >= len(learned.validation) / 2

    def test_vocabulary_bounded(self, learned):
        """No token that neither the code nor the issue holds, in any result."""
        for task in learned.validation[:3]:
            held = set(
                TaskVocabulary.of_texts((), *task.code_before.values(), task.issue_text).tokens
            )
            for result in generate(learned, task):
                for patch in result.patches:
                    assert set(words(patch.content)) <= held

    def test_verification_loop(self, learned):
        """What passed is what was said to have passed, with the evidence of every token."""
        results = generate(learned, learned.validation[0])
        assert results
        for result in results:
            assert result.verified_by in LEVELS
            assert result.verification_passed == (result.verified_by == "factorisation")
            assert 0 <= result.confidence <= 1
            supports = [token["support"] for token in result.evidence["tokens"]]
            assert min(supports) >= SETTINGS.threshold
            if result.verification_passed:
                (patch,) = result.patches
                assert patch.factors == result.evidence["factors"]
        passed = [result.verification_passed for result in results]
        assert passed == sorted(passed, reverse=True)

    def test_where_nothing_is_expected_there_is_no_patch(self, learned):
        strict = replace(SETTINGS, threshold=1.5)
        assert generate(learned, learned.validation[0], settings=strict) == []

    def test_what_was_recalled_is_used_and_told(self, learned):
        issue = encode_issue(learned.codebook, learned.validation[0].issue_text)
        asked = []

        def recall(vector, before):
            asked.append(vector)
            return [RecalledPattern("limit", 0.8, 1, ("<=",), ("task-1",))]

        results = generate(learned, learned.validation[0], recall=recall)
        assert torch.equal(asked[0], issue)
        assert results[0].evidence["patterns"] == [
            {"label": "limit", "probability": 0.8, "sources": ["task-1"]}
        ]

    def test_a_neural_memory_recalls_the_patterns_of_issues(self, learned):
        network = NeuralMemoryNetwork(learned.codebook.dimensions, 32)
        memory = ConsolidationManager(None, network, learned.codebook)
        by_task = {task.task_id: task for task in learned.train}
        kinds = ("limit-order-user-0", "argument-order-user-0", "extra-order-user-0")
        labels = {one: pattern_label(script_for(by_task[one])) for one in kinds}
        memory.consolidate(
            [
                ConsolidationFact(encode_issue(learned.codebook, by_task[one].issue_text), label)
                for one, label in labels.items()
            ]
        )
        recall = recall_from(memory, frequent_labels(map(script_for, learned.train)), k=2)
        for one, label in labels.items():
            best, _ = recall(encode_issue(learned.codebook, by_task[one].issue_text), None)
            assert best.label == label
            assert best.index is not None
        issue = encode_issue(learned.codebook, by_task[kinds[0]].issue_text)
        assert recall(issue, before=0.0) == []
        assert recall(issue, None)[0].tokens == ("<=",)

    def test_confidence_is_calibrated_where_a_calibration_is_given(self, learned):
        results = generate(learned, learned.validation[0], calibrate=lambda p: 0.25)
        assert {result.confidence for result in results} == {0.25}

    def test_no_file_is_said(self, learned):
        with pytest.raises(TrainerError, match="no file"):
            generator(learned).generate(encode_issue(learned.codebook, "x"), TaskContext("x", {}))


BEFORE = {"a.py": "def f():\n    return 1\n"}
PATCH = CodePatch("a.py", "modify_line", "f:1", "    return 2\n", 1, "    return 1\n")


class TestVerification:
    def check(self, codebook, patch, location="f:1", before=None):
        wish = CodePatchResult("a.py", "modify_line", location, 1.0)
        names = {"OPERATION": ["modify_line", "add_line"], "FILE": ["a.py", "b.py"]}
        names["LOCATION"] = ["f:0", "f:1", "<module>:0"]
        before = before or BEFORE
        return verify([patch] if patch else [], before, wish, PatchVectors(codebook), names)

    def test_levels(self, codebook):
        assert self.check(codebook, PATCH) == (True, "factorisation")
        assert self.check(codebook, PATCH, "f:0") == (False, "syntax")
        broken = replace(PATCH, content="    return (\n")
        assert self.check(codebook, broken) == (False, "applies")
        assert self.check(codebook, replace(PATCH, anchor="x\n")) == (False, "none")
        assert self.check(codebook, None) == (None, "none")

    def test_a_file_that_never_parsed_need_not(self, codebook):
        old = {"a.py": "print 1\n    return 1\n"}
        assert self.check(codebook, PATCH, before=old) == (True, "factorisation")


class TestExpectation:
    def test_tokens_of_patches_are_expected_more(self, learned):
        _, (vocabulary, recalled, tokens) = example(learned.codebook, learned.validation[0])
        weights = learned.expectation.weights(vocabulary, recalled)
        assert weights[END] == 1
        mean = sum(weights.values()) / len(vocabulary)
        assert all(weights.get(token, 0) > mean for token in tokens)

    def test_recalled_tokens_are_expected(self):
        vocabulary = TaskVocabulary(["a", "b", "c", "d"])
        samples = [(vocabulary, {token: 1.0}, [token]) for token in "abcd"]
        expectation = TokenExpectation.fit(samples)
        weights = expectation.weights(vocabulary, {"c": 1.0})
        assert weights["c"] > 2 * weights.get("a", 0.0)

    def test_support_is_the_weight(self, learned):
        _, (vocabulary, recalled, _) = example(learned.codebook, learned.validation[0])
        bag = BagResonantGenerator(learned.codebook)
        expected = learned.expectation.bundle(learned.codebook, vocabulary, recalled)
        weights = learned.expectation.weights(vocabulary, recalled)
        for token, support in zip(
            vocabulary.tokens, bag.support(expected, 7, vocabulary.tokens), strict=True
        ):
            assert support == pytest.approx(weights.get(token, 0.0), abs=0.25)
        assert calibrate_threshold([bag.supports(bag.expect(["a"]), ["a"])]) > 0.8

    def test_nothing_to_learn_is_said(self):
        with pytest.raises(TrainerError, match="nothing to expect"):
            TokenExpectation.fit([(TaskVocabulary(["a"]), {}, ["b"])])


def test_the_generator_is_the_same_after_a_stop(learned, tmp_path):
    path = tmp_path / "generator.safetensors"
    codebook = (learned.codebook.dimensions, learned.codebook.seed)
    state = GeneratorState(
        learned.trained.network, learned.expectation, SETTINGS, codebook, ("x",), ("task-1",)
    )
    sha256 = save_generator(state, path)
    again = load_generator(path, sha256)
    assert (again.settings, again.codebook, again.patterns) == (SETTINGS, codebook, ("x",))
    assert again.tasks == ("task-1",)
    task = learned.validation[0]
    issue = encode_issue(learned.codebook, task.issue_text)
    other = CodeGenerator(again.network, learned.resonator, again.expectation, again.settings)
    one = generate(learned, task)
    assert [r.patches for r in other.generate(issue, context(task))] == [r.patches for r in one]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="SHA-256"):
        load_generator(path, sha256)
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_generator(tmp_path / "absent", sha256)
