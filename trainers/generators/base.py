"""The one protocol of all generators: requests in, completions as they finish out."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

END: Final = "end"
"""What an iterator of requests gives after its last one, where None means another thing."""


@dataclass(frozen=True)
class SamplingParams:
    """How to sample. ``seed`` seeds the run, which repeats where the backend can.

    ``pieces`` asks for the text and log-probability of each token.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    max_tokens: int = 384
    seed: int = 0
    stop: tuple[str, ...] = ()
    pieces: bool = False


@dataclass(frozen=True)
class Message:
    """One turn of a chat: ``role`` is system, user or assistant (a last one is a prefill)."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """``n`` completions wanted of one chat; ``key`` comes back with each.

    ``params``: instead of those of the call, but for the seed. ``seed``: of a request for one
    sample, instead of one that its place among the others gives.
    """

    key: str
    messages: tuple[Message, ...]
    n: int = 1
    params: SamplingParams | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Infill:
    """``n`` middles wanted between two texts, by fill-in-the-middle tokens; as a request else."""

    key: str
    prefix: str
    suffix: str
    n: int = 1
    params: SamplingParams | None = None
    seed: int | None = None

    @property
    def prompt(self) -> str:
        """The raw prompt in Qwen2.5-Coder's form (Hui et al. 2024, arXiv 2409.12186)."""
        return f"<|fim_prefix|>{self.prefix}<|fim_suffix|>{self.suffix}<|fim_middle|>"


def seed_of(request: Request | Infill, params: SamplingParams, number: int) -> int:
    """The 31-bit seed of the ``number``-th sample of a run: its request's own, or one derived."""
    if request.seed is not None:
        return request.seed % 2**31
    return (params.seed * 1_000_003 + number) % 2**31


def one_by_one(
    requests: Iterable[Request | Infill | None],
) -> Iterator[Request | Infill | None]:
    """Each request as often as completions are wanted of it."""
    for request in requests:
        yield from itertools.repeat(request, request.n if request else 1)


@dataclass(frozen=True)
class Completion:
    """One finished text: ``tokens`` generated, ``logprob`` their summed natural log-probability.

    ``pieces``: where asked for and known, the text and log-probability of each token.
    """

    key: str
    text: str
    tokens: int
    logprob: float | None
    finish_reason: str
    pieces: tuple[tuple[str, float], ...] = ()


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

    def generate(
        self, requests: Iterable[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        """Completions as they finish, in no order; ``requests`` is read as capacity frees.

        A None among them says that nobody asks at this moment: what is under way goes on, and they
        are read again after the next completion.
        """

    def infill(
        self, prefix: str, suffix: str, n: int, params: SamplingParams
    ) -> Iterator[Completion]:
        """``n`` middles between prefix and suffix by fill-in-the-middle tokens."""

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        """Summed log-probability of each completion after the chat.

        Raises:
            GeneratorError: also where the backend cannot score.
        """
