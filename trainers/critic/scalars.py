"""Cheap facts that stand beside a sample's hidden states, of itself and of its siblings."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from trainers.critic import syntax
from trainers.critic.normalise import Normal

Array = NDArray[np.float64]

OWN = ("mean_logprob", "sum_logprob", "log_tokens", "log_lines", *syntax.NAMES)
# What a sample has in common with the other samples of its problem; nothing is executed.
AMONG = ("majority", "similarity")
NAMES = (*OWN, *AMONG)

_TOKENS = HashingVectorizer(
    token_pattern=r"\w+|[^\w\s]", lowercase=False, ngram_range=(1, 3), n_features=2**16,
    alternate_sign=False,
)  # fmt: skip


def own_facts(
    code: str,
    normal: Normal,
    *,
    entry_point: str,
    arguments: int | None,
    tokens: int,
    logprob: float | None,
) -> list[float]:
    """(len(OWN),) numbers of a sample by itself; NaN where one is unknown.

    Args:
        code: the program.
        normal: its normal form.
        entry_point: the function that is asked for.
        arguments: how many the shown test calls it with.
        tokens: of the completion.
        logprob: summed over them.
    """
    total = math.nan if logprob is None else logprob
    lengths = [math.log1p(tokens), math.log1p(code.count("\n") + 1)]
    facts = syntax.syntax_facts(normal.tree, entry_point, arguments)
    return [total / max(tokens, 1), total, *lengths, *facts]


def among_facts(normals: Sequence[Normal]) -> Array:
    """(samples, len(AMONG)): the share of samples with the same normal form, and the mean likeness.

    Likeness is the cosine of counts of one to three tokens of the normal forms, over the other
    samples: the consensus of Shi et al. 2022 (MBR, arXiv 2204.11454) on text, without execution.
    """
    n = len(normals)
    if n < 2:
        return np.array([[1.0, math.nan]] * n).reshape(n, len(AMONG))
    digests = np.array([normal.digest for normal in normals])
    share = (digests[:, None] == digests).mean(axis=1)
    vectors = _TOKENS.transform(normal.text for normal in normals)  # rows of length 1
    likeness = (vectors @ vectors.T).toarray()  # (samples, samples)
    mean = (likeness.sum(axis=1) - likeness.diagonal()) / (n - 1)
    return np.stack([share, mean], axis=1)
