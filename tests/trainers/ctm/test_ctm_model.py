"""The CTM as a whole: prefixes, padding, precision, memory, early stops, sizes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from ctm_batches import padded, random_batch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.ctm.batch import Batch
from trainers.ctm.config import preset
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.models import KINDS, build, matched, parameter_table, weights_without_embedding

SMALL = preset("tiny", vocab_size=64)


@pytest.fixture
def batch() -> Batch:
    return random_batch(SMALL)


@pytest.fixture
def model() -> ContinuousThoughtMachine:
    torch.manual_seed(0)
    made = ContinuousThoughtMachine(SMALL)
    torch.nn.init.normal_(made.head.context.weight, std=2.0)  # so that ticks differ
    return made


@pytest.mark.parametrize(("kind", "attention"), [*((kind, 0) for kind in KINDS), ("ctm", 2)])
def test_padding_changes_nothing(kind: Any, attention: int, batch: Batch) -> None:
    torch.manual_seed(0)
    made = build(kind, preset("tiny", vocab_size=64, backbone_attention=attention)).double()
    longer = padded(batch, 9)
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    one, two = made.loss(batch, draws[0]), made.loss(longer, draws[1])
    torch.testing.assert_close(one.per_sample, two.per_sample, rtol=1e-9, atol=1e-12)
    first, second = made.predict(batch), made.predict(longer)
    torch.testing.assert_close(first.probability, second.probability)
    assert torch.equal(first.cells, second.cells)
    assert torch.equal(first.tokens, second.tokens)
    assert torch.equal(first.pointers, second.pointers)


@pytest.mark.parametrize("attention", [0, 1])
def test_only_attention_shows_the_backbone_a_far_cell(attention: int, batch: Batch) -> None:
    torch.manual_seed(0)
    config = preset("tiny", vocab_size=64, backbone_attention=attention)
    model = ContinuousThoughtMachine(config).double()
    tokens = batch.tokens.clone()
    far = int(batch.valid[0].sum()) - 1
    tokens[0, far] = (tokens[0, far] + 1) % config.vocab_size
    with torch.no_grad():
        one, two = model.encode(batch), model.encode(replace(batch, tokens=tokens))
    assert bool((one[0, far] != two[0, far]).any())
    assert bool((one[0, 0] != two[0, 0]).any()) == bool(attention)


def test_samples_do_not_see_each_other(model: ContinuousThoughtMachine, batch: Batch) -> None:
    alone = batch.select(torch.tensor([3]))
    with torch.no_grad():
        torch.testing.assert_close(model(batch).locations[:, 3:4], model(alone).locations)


@pytest.mark.parametrize("every", [1, 3])
def test_more_ticks_leave_the_first_ones_as_they_were(every: int, batch: Batch) -> None:
    torch.manual_seed(0)
    model = ContinuousThoughtMachine(preset("tiny", vocab_size=64, workspace_every=every))
    with torch.no_grad():
        short, long = model(batch, ticks=4), model(batch, ticks=5)
    torch.testing.assert_close(short.locations, long.locations[:4])
    torch.testing.assert_close(short.context, long.context[:4])


@pytest.mark.parametrize("workspace", [True, False])
def test_an_unreachable_threshold_gives_the_full_run(workspace: bool, batch: Batch) -> None:
    torch.manual_seed(0)
    model = ContinuousThoughtMachine(preset("tiny", vocab_size=64, workspace=workspace)).double()
    stopped, full = model.think(batch, 1.01), model(batch)
    assert stopped.ticks_used.tolist() == [6] * 5
    torch.testing.assert_close(stopped.locations[0], full.locations[-1])
    torch.testing.assert_close(stopped.certainty[0], full.certainty[-1])
    one = model.predict(batch, threshold=1.01)
    two = model.predict(batch, read="last")
    torch.testing.assert_close(one.probability, two.probability)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.8])
def test_samples_stop_at_their_second_certain_tick(
    share: float, model: ContinuousThoughtMachine, batch: Batch
) -> None:
    model = model.double()
    with torch.no_grad():
        full = model(batch)
    threshold = float(full.certainty.quantile(share))
    saved, plain = model.think(batch, threshold), super(type(model), model).think(batch, threshold)
    assert torch.equal(saved.ticks_used, plain.ticks_used)
    torch.testing.assert_close(saved.locations, plain.locations)
    assert int(saved.ticks_used.min()) >= 2
    assert len(saved.ticks_used.unique()) > 1  # the test would otherwise test little


def test_bf16_keeps_sums_and_scores_in_full_precision(
    model: ContinuousThoughtMachine, batch: Batch
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        features = model.encode(batch)
        shared = model.core.prepare(features, 6)
        state, segment = model.core.run(model.core.start(features), shared, batch.valid, 6)
        loss = model.loss(batch)
        thoughts = model(batch, analyse=True)
    assert state.accumulated.dtype == torch.float32
    assert segment.states.dtype == torch.bfloat16
    assert thoughts.synchronisation is not None
    assert thoughts.synchronisation.dtype == thoughts.locations.dtype == torch.float32
    assert thoughts.certainty.dtype == loss.total.dtype == loss.per_sample.dtype == torch.float32
    loss.total.backward()
    exact = model.loss(batch)
    assert float(loss.location) == pytest.approx(float(exact.location), rel=0.05)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.dtype == torch.float32
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.parametrize("kind", KINDS)
def test_all_models_predict_in_bf16(kind: Any, batch: Batch) -> None:
    torch.manual_seed(0)
    made = build(kind, SMALL)
    exact = made.predict(batch)
    with torch.autocast("cpu", torch.bfloat16):
        found, stopped = made.predict(batch), made.predict(batch, threshold=0.0)
    assert found.probability.dtype == found.certainty.dtype == torch.float32
    torch.testing.assert_close(found.no_fix, exact.no_fix, rtol=0.05, atol=0.01)
    assert stopped.ticks_used.tolist() == [min(2, made(batch).ticks)] * batch.size


def test_bf16_gradients_point_where_full_ones_do(
    model: ContinuousThoughtMachine, batch: Batch
) -> None:
    gradients = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model.loss(batch, torch.Generator().manual_seed(0)).total
        loss.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.99


class _Largest(TorchDispatchMode):
    """The largest tensor, and the most rows over a vocabulary, that any operation makes."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary, self.numel, self.rows = vocabulary, 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor) and tensor.ndim:
                self.numel = max(self.numel, tensor.numel())
                if tensor.shape[-1] == self.vocabulary:
                    self.rows = max(self.rows, tensor.numel() // self.vocabulary)
        return made


@pytest.mark.parametrize("kind", ["linear", "ctm", "mixed"])
def test_no_tensor_of_ticks_by_cells_by_vocabulary_is_made(kind: str) -> None:
    vocabulary = 997  # no other dimension has this size
    config = preset("tiny", vocab_size=vocabulary, tick_weights=kind)
    batch = random_batch(config)
    model = ContinuousThoughtMachine(config)
    with _Largest(vocabulary) as seen:
        model.loss(batch).total.backward()
    # Two ticks, edited cells only; the embedding itself, transposed, has more rows here.
    assert 0 < seen.rows <= max(2 * int(batch.has_token.sum()), config.d_embedding)
    assert seen.rows < batch.cells * batch.size
    assert seen.numel < config.iterations * batch.cells * vocabulary


def test_analysis_shows_where_ticks_looked(model: ContinuousThoughtMachine, batch: Batch) -> None:
    with torch.no_grad():
        thoughts = model(batch, analyse=True)
    assert thoughts.attention is not None
    assert thoughts.attention.shape == (6, 5, 4, 30)
    torch.testing.assert_close(thoughts.attention.sum(-1), torch.ones(6, 5, 4))
    hidden = thoughts.attention * ~batch.valid[None, :, None]
    assert float(hidden.abs().max()) == 0
    assert model(batch).attention is None


def test_the_specification_has_fifteen_million_weights() -> None:
    table = dict(parameter_table(ContinuousThoughtMachine(preset("spec"))))
    assert sum(table.values()) == pytest.approx(15.0e6, abs=0.2e6)
    assert table["token embedding"] == 32768 * 256
    assert table["neuron-level models"] == pytest.approx(1.67e6, abs=0.01e6)
    assert table["synapse U-Net"] == pytest.approx(0.75e6, abs=0.01e6)


def test_every_weight_of_the_table_is_counted_once() -> None:
    for kind in KINDS:
        made = build(kind, SMALL)
        assert sum(count for _, count in parameter_table(made)) == sum(
            parameter.numel() for parameter in made.parameters()
        )


@pytest.mark.parametrize("name", ["spec", "cpu", "tiny"])
def test_compared_models_have_equal_sizes(name: str) -> None:
    config = preset(name)
    wanted = weights_without_embedding(build("ctm", config))
    for kind in KINDS:
        found = weights_without_embedding(build(kind, matched(kind, config)))
        assert found == pytest.approx(wanted, rel=0.05), kind
