"""Decoding of one task's edit scripts: spans by beam, tokens as proposals, each computed once."""

import torch
from torch import Tensor

from trainers.code_trainer.attention import LayerCache
from trainers.code_trainer.choices import FIRST_PLACE, FIRST_TOKEN
from trainers.code_trainer.network import CodeGeneratorNetwork
from trainers.code_trainer.prompt import Prompt, inputs_of
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.vocabulary import TaskVocabulary

PROPOSALS = 16
_State = tuple[Tensor, list[LayerCache]]


class Decoding:
    """One task as the network has read it; keeps what was computed of every prefix."""

    def __init__(
        self,
        network: CodeGeneratorNetwork,
        prompt: Prompt,
        vocabulary: TaskVocabulary,
        patterns: Tensor | None = None,
    ) -> None:
        """patterns: float (patterns,), weights of recalled patterns; None: the network's own."""
        self._network, self._vocabulary = network, vocabulary
        with torch.no_grad():
            own = None if patterns is None else patterns[None]
            self._encoded = network.encode(inputs_of([prompt], own))
        self._states: dict[tuple[int, ...], _State] = {}

    def spans(self, operation: str, count: int) -> list[tuple[int, int, float]]:
        """The likeliest (start, end) of an operation with their log probabilities, best first."""
        first = (OPERATIONS.index(operation),)
        found = []
        for start, log_start in self._best(first, count):
            for end, log_end in self._best((*first, start), count, at_least=start):
                found.append((start - FIRST_PLACE, end - FIRST_PLACE, log_start + log_end))
        return sorted(found, key=lambda span: -span[2])[:count]

    def operation(self, operation: str) -> float:
        """The network's own log probability of an operation."""
        return float(self._logs(())[OPERATIONS.index(operation)])

    def propose(
        self, operation: str, start: int, end: int, tokens: tuple[str, ...]
    ) -> list[tuple[str, float]]:
        """The likeliest next tokens after a prefix with their log probabilities."""
        prefix = (
            OPERATIONS.index(operation),
            FIRST_PLACE + start,
            FIRST_PLACE + end,
            *(FIRST_TOKEN + self._vocabulary.id(token) for token in tokens),
        )
        if len(prefix) >= self._network.step.num_embeddings:
            return []
        best = self._best(prefix, PROPOSALS)
        return [(self._vocabulary.tokens[choice - FIRST_TOKEN], log) for choice, log in best]

    def _best(
        self, prefix: tuple[int, ...], count: int, at_least: int = 0
    ) -> list[tuple[int, float]]:
        logs = self._logs(prefix).clone()
        logs[:at_least] = -torch.inf
        values, choices = logs.topk(min(count, len(logs)))
        pairs = zip(choices.tolist(), values.tolist(), strict=True)
        return [(choice, log) for choice, log in pairs if log > -torch.inf]

    def _logs(self, prefix: tuple[int, ...]) -> Tensor:
        return self._state(prefix)[0]

    @torch.no_grad()
    def _state(self, prefix: tuple[int, ...]) -> _State:
        """Log probabilities of the next choice, and the cache behind the prefix."""
        known = self._states.get(prefix)
        if known is not None:
            return known
        if prefix:
            _, cache = self._state(prefix[:-1])
            last = torch.tensor(prefix[-1:])
            logits, own = self._network.forward_generate(self._encoded, last, cache)
        else:
            logits, own = self._network.forward_generate(self._encoded, None, None)
        self._states[prefix] = (logits[0].log_softmax(-1), own)
        return self._states[prefix]
