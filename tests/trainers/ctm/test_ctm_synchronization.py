"""Synchronisation is a decayed dot product of histories, however it is computed."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.ctm.config import preset
from trainers.ctm.modules.synchronization import SynchronizationModule


def explicit(states: torch.Tensor, left: int, right: int, decay: float, tick: int) -> torch.Tensor:
    """Sum over the history up to ``tick``, written out: (B,)."""
    lags = torch.arange(tick, -1, -1, dtype=states.dtype)
    factors = torch.exp(-decay * lags)[:, None]
    history = states[: tick + 1]
    return (factors * history[..., left] * history[..., right]).sum(0) / factors.sum().sqrt()


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    ticks=st.integers(1, 9),
    decay=st.floats(0, 3),
    kind=st.sampled_from(["first-last", "random", "random-pairing"]),
)
def test_recursion_equals_the_decayed_dot_product(
    seed: int, ticks: int, decay: float, kind: str
) -> None:
    config = preset(
        "tiny", neuron_select_type=kind, n_synch_out=5, n_synch_action=4, n_random_pairing_self=0
    )
    torch.manual_seed(seed)
    module = SynchronizationModule(config).double()
    for pairs in (module.out, module.action):
        torch.nn.init.uniform_(pairs.decay, 0, decay)
    states = torch.randn(ticks + 1, 3, config.d_model, dtype=torch.float64)
    out = module.output_sync(states)
    accumulated = states.new_zeros(3, len(module.action.decay))
    scales, rate = module.action.scales(ticks + 1), module.action_rate()
    for tick in range(ticks + 1):
        accumulated = module.action_sync(states[tick], accumulated, rate)
        for found, pairs in (
            (accumulated * scales[tick], module.action),
            (out[tick - 1], module.out),
        ):
            if tick == 0 and pairs is module.out:
                continue  # nothing is read out before the first tick
            for i in range(len(pairs.decay)):
                wanted = explicit(
                    states,
                    int(pairs.left[i]),
                    int(pairs.right[i]),
                    float(pairs.decay[i].detach()),
                    tick,
                )
                torch.testing.assert_close(found[:, i], wanted)


def test_output_sync_has_the_gradient_of_the_explicit_form() -> None:
    module = SynchronizationModule(preset("tiny", n_synch_out=10)).double()
    torch.nn.init.uniform_(module.out.decay, 0.1, 1)
    states = torch.randn(4, 2, 64, dtype=torch.float64, requires_grad=True)

    def read(values: torch.Tensor, _decay: torch.Tensor) -> torch.Tensor:
        return module.output_sync(values)

    assert torch.autograd.gradcheck(read, (states, module.out.decay))


def test_pair_types_have_the_counts_of_the_paper() -> None:
    dense = SynchronizationModule(preset("spec"))
    assert len(dense.out.decay) == 48 * 49 // 2
    assert int(dense.out.left.max()) == 47
    assert int(dense.action.left.min()) == 384 - 48
    paired = SynchronizationModule(preset("cpu"))
    assert len(paired.out.decay) == 128
    assert torch.equal(paired.out.left[:16], paired.out.right[:16])


def test_pairs_are_drawn_by_their_seed_alone() -> None:
    torch.manual_seed(1)
    first = SynchronizationModule(preset("tiny"))
    torch.manual_seed(2)
    again = SynchronizationModule(preset("tiny"))
    other = SynchronizationModule(preset("tiny", pair_seed=3))
    assert torch.equal(first.out.right, again.out.right)
    assert not torch.equal(first.out.right, other.out.right)


def test_a_decay_below_zero_counts_as_zero_and_can_come_back() -> None:
    module = SynchronizationModule(preset("tiny"))
    torch.nn.init.constant_(module.out.decay, -0.5)
    rate = module.out.rate()
    assert torch.equal(rate, torch.zeros_like(rate))
    signs = torch.ones_like(rate)
    signs[::2] = -1
    (rate * signs).sum().backward()
    gradient = module.out.decay.grad
    assert gradient is not None
    # Descent may raise it, but not push it further down.
    assert torch.equal(gradient, torch.where(signs < 0, -1.0, 0.0))


def test_bf16_states_are_summed_in_full_precision() -> None:
    module = SynchronizationModule(preset("tiny"))
    states = torch.full((65, 1, 64), 0.1, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        accumulated = module.action_sync(states[0], torch.full((1, 64), 2.0), module.action_rate())
        for state in states[1:]:
            accumulated = module.action_sync(state, accumulated, module.action_rate())
        read = module.output_sync(states)
    exact = 2 + 65 * float(states[0, 0, 0]) ** 2
    assert accumulated.dtype == read.dtype == torch.float32
    torch.testing.assert_close(accumulated, torch.full((1, 64), exact))
