"""NeuronLevelModels: every neuron's private model of its own history (CTM, section 2.2)."""

from math import sqrt

import torch
from torch import nn

from trainers.ctm.config import CTMConfig
from trainers.ctm.modules.trace import NeuronWeights


class NeuronLevelModels(nn.Module):
    """Private weights, stored neuron by neuron so that the batched product reads them in order.

    Deep: M -> 2h, GLU, h -> 2, GLU. Shallow: M -> 2, GLU. Each layer is divided by a learned
    scalar, as in the reference. They are run by a ``NeuronTape``.
    """

    def __init__(self, config: CTMConfig) -> None:
        super().__init__()
        neurons, memory = config.d_model, config.memory_length
        hidden = config.memory_hidden_dims if config.deep_nlms else 1
        self.first = _uniform(neurons, memory, 2 * hidden)
        self.first_bias = nn.Parameter(torch.zeros(neurons, 1, 2 * hidden))
        self.first_scale = nn.Parameter(torch.ones(()))
        self.deep = config.deep_nlms
        if self.deep:
            self.second = _uniform(neurons, hidden, 2)
            self.second_bias = nn.Parameter(torch.zeros(neurons, 1, 2))
            self.second_scale = nn.Parameter(torch.ones(()))

    def weights(self) -> NeuronWeights:
        """Fold the scalars in, once for a run."""
        first = (self.first / self.first_scale, self.first_bias / self.first_scale)
        if not self.deep:
            return NeuronWeights(*first, None, None)
        return NeuronWeights(
            *first, self.second / self.second_scale, self.second_bias / self.second_scale
        )


def _uniform(neurons: int, inputs: int, outputs: int) -> nn.Parameter:
    bound = 1 / sqrt(inputs + outputs)
    return nn.Parameter(torch.empty(neurons, inputs, outputs).uniform_(-bound, bound))
