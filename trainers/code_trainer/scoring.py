"""BM25 of weighted queries over the files and chunks of a tree, all queries in one product."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]

# Robertson and Zaragoza (2009), "The Probabilistic Relevance Framework: BM25 and Beyond".
K1 = 1.5
B = 0.75


def term_counts(view: TreeView, stems: Sequence[str]) -> sparse.csr_matrix:
    """(chunks of the tree, stems) counts; terms with the same stem are counted together."""
    groups = [view.index.columns(stemmed) for stemmed in stems]
    columns = [column for group in groups for column in group]
    owners = [number for number, group in enumerate(groups) for _ in group]
    merge = sparse.csr_matrix(
        (np.ones(len(columns), np.float32), (np.arange(len(columns)), owners)),
        shape=(len(columns), len(stems)),
    )
    counts = view.index.counts().terms[:, columns].tocsr()[view.chunk_row]
    return (counts @ merge).tocsr()


def pair_counts(view: TreeView, codes: Iterable[int]) -> sparse.csr_matrix:
    """(chunks of the tree, codes that occur in the index): 1 where the pair stands there."""
    counts = view.index.counts()
    wanted = np.unique(np.fromiter(codes, np.int64))
    at = np.searchsorted(counts.pair_ids, wanted)
    at = at[at < len(counts.pair_ids)]
    at = at[np.isin(counts.pair_ids[at], wanted)]
    return counts.pairs[:, np.unique(at)].tocsr()[view.chunk_row]


def idf(counts: sparse.csr_matrix) -> Floats:
    """(terms,) inverse document frequency of a count matrix, never negative."""
    found = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.asarray(np.log1p((counts.shape[0] - found + 0.5) / (found + 0.5)))


def saturated(
    counts: sparse.csr_matrix, lengths: Floats, k1: float = K1, b: float = B
) -> sparse.csr_matrix:
    """Counts to BM25's saturated weights: at most k1 + 1, less in long documents."""
    mean = lengths.mean() if len(lengths) and lengths.any() else 1.0
    penalty = k1 * (1 - b + b * lengths / mean)
    weights = counts.astype(np.float64)
    rows = np.repeat(penalty, np.diff(weights.indptr))
    weights.data = weights.data * (k1 + 1) / (weights.data + rows)
    return weights


def query_matrix(queries: Sequence[Mapping[str, float]], stems: Sequence[str]) -> Floats:
    """(stems, queries) weights."""
    at = {stemmed: number for number, stemmed in enumerate(stems)}
    matrix = np.zeros((len(stems), len(queries)))
    for column, query in enumerate(queries):
        for stemmed, weight in query.items():
            matrix[at[stemmed], column] = weight
    return matrix


def best_per_file(view: TreeView, scores: Floats) -> Floats:
    """(files, queries): the best chunk's score of each file from (chunks, queries)."""
    if not len(view):
        return np.zeros((0, scores.shape[1]))
    return np.maximum.reduceat(scores, view.first_chunk, axis=0)


def top_sum_per_file(view: TreeView, scores: Floats, top: int) -> Floats:
    """(files,): the sum of each file's ``top`` best chunks from (chunks,)."""
    order = np.lexsort((-scores, view.chunk_file))
    rank = np.arange(len(order)) - view.first_chunk[view.chunk_file[order]]
    kept = order[rank < top]
    sums = np.bincount(view.chunk_file[kept], weights=scores[kept], minlength=len(view))
    return sums.astype(np.float64)
