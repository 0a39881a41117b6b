"""The network's shapes, its causality, that cached decoding is decoding, and that it learns."""

from dataclasses import replace

import pytest
import torch
from swe_family import DIMENSIONS, NOUNS, example, make_task

from trainers.code_trainer.choices import (
    FIRST_PLACE,
    FIRST_TOKEN,
    PLACES,
    choices_of,
    script_from,
)
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.edit_script import script_of, window_of
from trainers.code_trainer.network import CodeGeneratorNetwork, NetworkSpec
from trainers.code_trainer.prompt import inputs_of, targets_of
from trainers.code_trainer.token_codes import BUCKETS, WIDTH, token_codes
from trainers.code_trainer.training_generator import (
    TrainingPlan,
    evaluate_generator,
    train_generator,
)
from trainers.code_trainer.vocabulary import TaskVocabulary
from trainers.errors import TrainerError

SPEC = NetworkSpec(DIMENSIONS, hidden=32, layers=2, heads=4, patterns=3)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return CodeGeneratorNetwork(SPEC).eval()


@pytest.fixture
def batch(codebook):
    kinds = ("limit", "argument", "extra")
    return [example(codebook, make_task(k, NOUNS[i], NOUNS[5]))[0] for i, k in enumerate(kinds)]


def test_shapes(network, batch):
    inputs = inputs_of([one.prompt for one in batch])
    encoded = network.encode(inputs)
    given, asked = targets_of(batch)
    logits = network.decode(encoded, given)
    choices = FIRST_TOKEN + inputs.codes.shape[1]
    assert logits.shape == (3, asked.shape[1], choices)
    assert encoded.pattern_logits.shape == network.forward_classify(inputs.issues).shape == (3, 3)
    first, cache = network.forward_generate(encoded, None, None)
    assert first.shape == (3, choices)
    assert len(cache) == SPEC.layers


def test_a_step_does_not_see_later_ones(network, batch):
    encoded = network.encode(inputs_of([one.prompt for one in batch]))
    given, _ = targets_of(batch)
    changed = given.clone()
    changed[:, 3:] = FIRST_TOKEN + 5
    logits, other = network.decode(encoded, given), network.decode(encoded, changed)
    torch.testing.assert_close(logits[:, :4], other[:, :4])
    assert not torch.allclose(logits[:, 4:], other[:, 4:])


def test_decoding_step_by_step_is_decoding_at_once(network, batch):
    encoded = network.encode(inputs_of([one.prompt for one in batch]))
    given, _ = targets_of(batch)
    full = network.decode(encoded, given)
    logits, cache = network.forward_generate(encoded, None, None)
    torch.testing.assert_close(logits, full[:, 0])
    for step in range(given.shape[1]):
        logits, cache = network.forward_generate(encoded, given[:, step], cache)
        torch.testing.assert_close(logits, full[:, step + 1], rtol=1e-4, atol=1e-4)


def test_what_fills_a_batch_changes_nothing(network, batch):
    alone = network.encode(inputs_of([batch[2].prompt]))
    together = network.encode(inputs_of([one.prompt for one in batch]))
    given, _ = targets_of(batch[2:])
    wide, _ = targets_of(batch)
    one = network.decode(alone, given)[0]
    among = network.decode(together, wide)[2, : len(one), : one.shape[1]]
    torch.testing.assert_close(one, among, rtol=1e-4, atol=1e-4)


def test_the_grammar_allows_operations_then_places_then_tokens(network, batch):
    encoded = network.encode(inputs_of([one.prompt for one in batch]))
    given, _ = targets_of(batch)
    possible = network.decode(encoded, given) > -torch.inf
    assert possible[:, 0, :FIRST_PLACE].all() and not possible[:, 0, FIRST_PLACE:].any()
    places = len(batch[0].prompt.window) + 1
    assert possible[0, 1].nonzero().squeeze(1).tolist() == list(
        range(FIRST_PLACE, FIRST_PLACE + places)
    )
    assert not possible[:, 3:, :FIRST_TOKEN].any()
    specials = FIRST_TOKEN + torch.tensor([0, 1, 3])
    assert not possible[:, 3:][..., specials].any()
    assert possible[:, 3:, FIRST_TOKEN + 2].all()


def test_choices_lead_back_to_the_script():
    task = make_task("argument", "order", "user")
    (patch,) = patches_of(task.code_before, task.code_after)
    window = window_of(task.code_before[patch.file], patch.location)
    script = script_of(window, patch)
    vocabulary = TaskVocabulary([*window.words, "order"])
    assert script_from(choices_of(script, vocabulary), vocabulary) == script
    assert max(choices_of(replace(script, start=0), vocabulary)[:3]) < FIRST_PLACE + PLACES


def test_the_pattern_head_grows_and_keeps_what_it_has(network):
    issue = torch.randn(2, DIMENSIONS)
    before = network.forward_classify(issue)
    network.grow_patterns(5)
    after = network.forward_classify(issue)
    assert after.shape == (2, 5) and network.spec.patterns == 5
    torch.testing.assert_close(after[:, :3], before)
    network.grow_patterns(2)
    assert network.spec.patterns == 5


def test_a_recalled_pattern_changes_what_is_read(network, batch):
    prompts = [one.prompt for one in batch]
    given, _ = targets_of(batch)
    own = network.decode(network.encode(inputs_of(prompts)), given)
    recalled = torch.tensor([[0.0, 0.0, 1.0]] * 3)
    other = network.decode(network.encode(inputs_of(prompts, recalled)), given)
    assert not torch.allclose(own, other)


def test_tokens_never_seen_have_codes_of_their_own():
    codes = token_codes(["find_order", "find_user", "<NL+4>", "x" * 500])
    assert codes.shape == (4, WIDTH)
    assert int(codes.min()) >= 0 and int(codes.max()) < BUCKETS
    shared = set(codes[0].tolist()) & set(codes[1].tolist()) - {0}
    assert shared and not torch.equal(codes[0], codes[1])


def test_it_learns_and_generalises_to_names_it_has_not_seen(learned):
    history = learned.trained.history
    assert history[learned.trained.best].loss < 0.5 * history[0].loss
    assert history[learned.trained.best].exact >= 0.5


def test_training_is_the_same_with_the_same_seed(batch):
    plan = TrainingPlan(epochs=2, batch=2, seed=3)
    one, other = (train_generator(batch, batch, SPEC, plan) for _ in range(2))
    assert one.history == other.history
    again = evaluate_generator(one.network, batch, batch=2)
    assert again == one.history[one.best]


def test_nothing_to_train_on_is_said(batch):
    with pytest.raises(TrainerError, match="0 edit scripts"):
        train_generator([], batch, SPEC, TrainingPlan())
