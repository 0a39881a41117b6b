"""The one protocol of all generators: requests in, completions as they finish out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class SamplingParams:
    """How to sample. ``seed`` seeds the run, which repeats where the backend can."""

    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 384
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Message:
    """One turn of a chat: ``role`` is system, user or assistant (a last one is a prefill)."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """``n`` completions wanted of one chat; ``key`` comes back with each."""

    key: str
    messages: tuple[Message, ...]
    n: int = 1


@dataclass(frozen=True)
class Completion:
    """One finished text: ``tokens`` generated, ``logprob`` their summed natural log-probability."""

    key: str
    text: str
    tokens: int
    logprob: float | None
    finish_reason: str


class Generator(Protocol):
    """Who writes code. Use as a context manager: leaving it ends the engine and frees its memory.

    ``id`` names backend, model, quantisation and the head of the weights' hash, e.g.
    ``llama.cpp/qwen2.5-coder-0.5b-instruct-q4_k_m@1d963461``.
    All methods raise ``GeneratorError`` when the engine dies, hangs past the time limit or answers
    garbage; what was yielded before stays valid.
    """

    id: str

    def __enter__(self) -> "Generator": ...

    def __exit__(self, *exc: object) -> None: ...

    def generate(self, requests: Iterable[Request], params: SamplingParams) -> Iterator[Completion]:
        """Completions as they finish, in no order; ``requests`` is read as capacity frees."""

    def infill(
        self, prefix: str, suffix: str, n: int, params: SamplingParams
    ) -> Iterator[Completion]:
        """``n`` middles between prefix and suffix by fill-in-the-middle tokens."""

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        """Summed log-probability of each completion after the chat.

        Raises:
            GeneratorError: also where the backend cannot score.
        """
