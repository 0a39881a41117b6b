"""Which tokens a patch is expected to be written with, apart from what the network would write.

A generated token is verified against this expectation (``ResonantGenerator``), so it must come from
other evidence: where the task itself holds the token, and what recalled patterns were written with.
A logistic regression makes it one weight a token; their weighted bundle is the hypervector that a
token is compared with.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from memory.hologram.codebook import Codebook
from memory.hologram.resonant_generator import END, KIND, ResonantGenerator
from trainers.code_trainer.vocabulary import FEATURES, SPECIALS, TaskVocabulary
from trainers.errors import TrainerError

WIDTH = len(FEATURES) + 2
"""The vocabulary's features, the recalled weight, and 1."""
MIN_WEIGHT = 0.05
_PENALTY = 1e-3
_ITERATIONS = 50

Recalled = Mapping[str, float]
Sample = tuple[TaskVocabulary, Recalled, Sequence[str]]


class BagResonantGenerator(ResonantGenerator):
    """Verifies tokens against a bundle without places: where in a patch one stands is not known."""

    def expect(self, tokens: Sequence[str]) -> Tensor:
        """The bundle that expects these tokens and the end, anywhere: float32 (D,)."""
        return self.codebook.weighted(KIND, dict.fromkeys((*tokens, self.end), 1.0))

    def support(self, expected: Tensor, position: int, tokens: Sequence[str]) -> list[float]:
        """How much the bundle expects each of these tokens, whatever the position."""
        return super().support(expected, 0, tokens)


class TokenExpectation:
    """P(a token of the task is in the patch), where one that is and one that is not weigh the same.

    ``coefficients``: float (WIDTH,).
    """

    def __init__(self, coefficients: Tensor) -> None:
        self.coefficients = coefficients

    @classmethod
    def fit(cls, samples: Iterable[Sample]) -> "TokenExpectation":
        """Learn from vocabularies, what was recalled, and the tokens of the true patches.

        Raises:
            TrainerError: no true token is in its vocabulary.
        """
        rows, labels = [], []
        for vocabulary, recalled, tokens in samples:
            truth = set(tokens)
            rows.append(_rows(vocabulary, recalled))
            labels.append(torch.tensor([token in truth for token in vocabulary.tokens]))
        truths = torch.cat(labels).float() if labels else torch.empty(0)
        if not truths.any():
            raise TrainerError("no patch has a token of its task: nothing to expect can be learned")
        inputs, counts = torch.unique(
            torch.cat([torch.cat(rows), truths[:, None]], 1), dim=0, return_counts=True
        )
        return cls(_logistic(inputs[:, :-1], inputs[:, -1], counts.float()))

    def weights(self, vocabulary: TaskVocabulary, recalled: Recalled) -> dict[str, float]:
        """The expected tokens with their weights; the end is always expected."""
        values = (_rows(vocabulary, recalled) @ self.coefficients).sigmoid().tolist()
        found = {
            token: value
            for token, value in zip(vocabulary.tokens, values, strict=True)
            if value >= MIN_WEIGHT and token not in SPECIALS
        }
        return {**found, END: 1.0}

    def bundle(self, codebook: Codebook, vocabulary: TaskVocabulary, recalled: Recalled) -> Tensor:
        """float32 (D,): the weighted bundle of the expected tokens."""
        return codebook.weighted(KIND, self.weights(vocabulary, recalled))


def _rows(vocabulary: TaskVocabulary, recalled: Recalled) -> Tensor:
    own = torch.tensor([[recalled.get(token, 0.0), 1.0] for token in vocabulary.tokens])
    return torch.cat([vocabulary.features, own], 1)


def _logistic(inputs: Tensor, labels: Tensor, counts: Tensor) -> Tensor:
    """Coefficients by L-BFGS, both labels with the same total weight."""
    of_true = float((counts * labels).sum())
    of_false = float((counts * (1 - labels)).sum())
    weights = counts * torch.where(labels > 0, 0.5 / of_true, 0.5 / max(of_false, 1.0))
    coefficients = torch.zeros(WIDTH, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [coefficients], max_iter=_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        losses = functional.binary_cross_entropy_with_logits(
            inputs @ coefficients, labels, weights, reduction="sum"
        )
        loss = losses + _PENALTY * coefficients.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return coefficients.detach()
