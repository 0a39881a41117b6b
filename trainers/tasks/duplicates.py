"""Finds problems that say the same: in other words (statement) or in the same code (reference).

Candidates come from MinHash signatures in banded buckets; each one found is then measured exactly,
by the Jaccard similarity of its shingle sets, so that a reported figure is no estimate.
Sources: Broder 1997 (shingles and MinHash); Leskovec, Rajaraman, Ullman, "Mining of Massive
Datasets", chapter 3 (banding).
"""

import ast
import builtins
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from datasketch import MinHash, MinHashLSH

from memory.records import ProblemRow
from trainers.tasks.python_source import parse
from trainers.tasks.splits import base_id

Shingles = frozenset[str]
Kind = Literal["statement", "code"]

# Chosen on MBPP by reading what is found: its train and test problems share some that are the same.
STATEMENT_THRESHOLD = 0.6
CODE_THRESHOLD = 0.75
# Below so many code shingles two different tasks have the same program by necessity (return a + b).
MIN_CODE_SHINGLES = 16
_PERMUTATIONS = 128
_CODE_WIDTH = 4

_BOILERPLATE = re.compile(
    r"https?://\S+|\b(?:write|create|implement|define|given|a|an|the|python|function|method|program"
    r"|code|to|that|which|of|in|for|by|using|from|with|is|are|and|or|return|returns|it|its|takes?)\b"
)
_WORDS = re.compile(r"[a-z]+|\d+")
_KEPT = frozenset(dir(builtins)) | frozenset(keyword.kwlist)
_LAYOUT = {
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_LOOSE_TOKENS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class NearDuplicate:
    """Two problems that say the same, and how we know.

    ``similarity`` is the Jaccard similarity of the shingles; ``exact`` means that the two are equal
    once normalised; ``evidence`` are some of the shingles that they share.
    """

    first: str
    second: str
    kind: Kind
    similarity: float
    exact: bool
    evidence: tuple[str, ...]


def near_duplicates(rows: Sequence[ProblemRow]) -> list[NearDuplicate]:
    """Find all pairs among ``rows``; a stricter edition of the same problem is no duplicate."""
    return [
        *_pairs(rows, "statement", statement_shingles, STATEMENT_THRESHOLD, 1),
        *_pairs(rows, "code", code_shingles, CODE_THRESHOLD, MIN_CODE_SHINGLES),
    ]


def across_splits(rows: Sequence[ProblemRow]) -> list[NearDuplicate]:
    """Find the pairs of which one is a train problem and the other a validation or test problem."""
    split = {row.id: row.split for row in rows}
    held_out = {"validation", "test"}
    return [
        pair
        for pair in near_duplicates(rows)
        if {split[pair.first], split[pair.second]} & {"train"}
        and {split[pair.first], split[pair.second]} & held_out
    ]


def shared(
    trained: Mapping[str, Shingles],
    tested: Mapping[str, Shingles],
    kind: Kind,
    *,
    threshold: float,
    least: int = 1,
) -> list[NearDuplicate]:
    """Find the pairs of something trained on and something tested that are near-duplicates.

    Args:
        trained: shingles by the name of what was trained on.
        tested: the same of the test items; ``first`` of a pair is of ``trained``.
        kind: of text.
        threshold: the least Jaccard similarity.
        least: what has fewer shingles is passed over.
    """
    buckets = MinHashLSH(threshold=max(0.3, threshold - 0.2), num_perm=_PERMUTATIONS)
    for name, signature in _signatures(tested, least):
        buckets.insert(name, signature)
    found = []
    for name, signature in _signatures(trained, least):
        for other in sorted(buckets.query(signature)):
            both = trained[name] & tested[other]
            similarity = len(both) / len(trained[name] | tested[other])
            if similarity >= threshold:
                evidence = tuple(sorted(both, key=lambda s: (-len(s), s))[:5])
                exact = similarity == 1
                found.append(NearDuplicate(name, other, kind, similarity, exact, evidence))
    return found


def _signatures(sets: Mapping[str, Shingles], least: int) -> Iterator[tuple[str, MinHash]]:
    names = [name for name, found in sets.items() if len(found) >= least]
    texts = ([s.encode() for s in sorted(sets[name])] for name in names)
    yield from zip(names, MinHash.generator(texts, num_perm=_PERMUTATIONS), strict=True)


def statement_shingles(row: ProblemRow) -> Shingles:
    """Give the words and word pairs that are left of a statement without examples and filler."""
    return text_shingles(re.split(r">>>|\bassert\b", row.statement)[0])


def text_shingles(text: str) -> Shingles:
    """Give the words and word pairs that are left of a text without filler."""
    words = [_stem(word) for word in _WORDS.findall(_BOILERPLATE.sub(" ", text.lower()))]
    return frozenset(words) | {f"{a} {b}" for a, b in pairwise(words)}


def code_shingles(row: ProblemRow) -> Shingles:
    """Give the runs of four tokens of the reference, names of its own made alike."""
    return program_shingles(row.reference)


def program_shingles(code: str) -> Shingles:
    """Give the runs of four tokens of a program, names of its own made alike."""
    tokens = _code_tokens(code)
    starts = range(max(0, len(tokens) - _CODE_WIDTH + 1))
    return frozenset(" ".join(tokens[at : at + _CODE_WIDTH]) for at in starts)


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _code_tokens(code: str) -> list[str]:
    """Give the tokens of what the code does; names of its own become ``v``, texts ``s``."""
    try:
        plain = ast.unparse(_Bare().visit(parse(code)))
    except (SyntaxError, ValueError, RecursionError):
        return _LOOSE_TOKENS.findall(code)
    tokens: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(plain).readline):
        if token.type == tokenize.STRING:
            tokens.append("s")
        elif token.type == tokenize.NAME and token.string not in _KEPT and tokens[-1:] != ["."]:
            tokens.append("v")
        elif token.type not in _LAYOUT:
            tokens.append(token.string)
    return tokens


class _Bare(ast.NodeTransformer):
    """Strips annotations and texts that stand alone, such as docstrings."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | ast.AnnAssign:
        if node.value is None:
            return node
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        alone = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if alone else node


def _pairs(
    rows: Sequence[ProblemRow],
    kind: Kind,
    shingles: Callable[[ProblemRow], Shingles],
    threshold: float,
    least: int,
) -> Iterable[NearDuplicate]:
    """Yield the pairs at or above ``threshold`` among rows with ``least`` shingles or more."""
    sets = {row.id: shingles(row) for row in rows}
    # Buckets are set for less than the threshold: what they let through is measured exactly.
    buckets = MinHashLSH(threshold=max(0.3, threshold - 0.2), num_perm=_PERMUTATIONS)
    bases = {row.id: base_id(row) for row in rows}
    for name, signature in _signatures(sets, least):
        for other in sorted(buckets.query(signature)):
            shared = sets[name] & sets[other]
            similarity = len(shared) / len(sets[name] | sets[other])
            if similarity >= threshold and bases[name] != bases[other]:
                evidence = tuple(sorted(shared, key=lambda s: (-len(s), s))[:5])
                yield NearDuplicate(other, name, kind, similarity, similarity == 1, evidence)
        buckets.insert(name, signature)
