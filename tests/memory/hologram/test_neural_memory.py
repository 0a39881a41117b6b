"""The network: its head grows and forgets nothing by that, and its weights come back."""

import pytest
import torch

from memory.errors import HologramError, StoreError
from memory.hologram.neural_memory import NeuralMemoryNetwork


def keys(count: int, dimensions: int = 64) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(2, (count, dimensions), generator=generator).to(torch.int8) * 2 - 1


def trained(labels: int = 3) -> NeuralMemoryNetwork:
    network = NeuralMemoryNetwork(64, 16, labels)
    with torch.no_grad():
        network.head.weight.normal_(generator=torch.Generator().manual_seed(1))
    return network


def test_shapes():
    network = trained(3)
    assert network.encode(keys(5)).shape == (5, 16)
    assert network(keys(5)).shape == (5, 3)
    assert [name for name, _ in network.encoder.named_children()] == ["0", "1", "2", "3", "4"]


def test_growing_keeps_what_the_outputs_said():
    network = trained(3)
    before = network(keys(5))
    network.grow(7)
    assert network.labels == 7
    assert torch.allclose(network(keys(5))[:, :3], before, atol=1e-6)
    network.grow(2)
    assert network.labels == 7


def test_a_query_gives_indexes_with_probabilities_the_likeliest_first():
    network = trained(4)
    found = network.query(keys(1)[0], k=9)
    assert sorted(index for index, _ in found) == [0, 1, 2, 3]
    probabilities = [probability for _, probability in found]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0)
    assert network.query(keys(1)[0]) == found[:1]
    assert NeuralMemoryNetwork(64).query(keys(1)[0]) == []


def test_the_length_of_a_key_says_nothing():
    network = trained()
    assert torch.allclose(network(keys(3) * 5.0), network(keys(3)), atol=1e-5)
    assert torch.isfinite(network(torch.zeros(1, 64))).all()


def test_a_seed_gives_the_same_network_and_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    first, second = (NeuralMemoryNetwork(64, 16, seed=5) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.encode(keys(3)), second.encode(keys(3)))
    assert not torch.equal(first.encode(keys(3)), NeuralMemoryNetwork(64, 16).encode(keys(3)))


def test_weights_come_back_as_they_were():
    network = trained(3)
    again = NeuralMemoryNetwork.from_bytes(network.to_bytes())
    assert (again.dimensions, again.hidden, again.labels) == (64, 16, 3)
    assert torch.equal(again(keys(4)), network(keys(4)))


@pytest.mark.parametrize("content", [b"", b"no weights", trained().to_bytes()[:-9]])
def test_what_are_no_weights_is_refused(content: bytes):
    with pytest.raises(HologramError, match="no weights of a neural memory"):
        NeuralMemoryNetwork.from_bytes(content)
    assert issubclass(HologramError, StoreError)
