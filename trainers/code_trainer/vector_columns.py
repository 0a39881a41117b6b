"""File columns by hypervectors, and by the exact sparse product of the same weights beside them.

Documents weigh by BM25's saturation against fixed mean lengths and the root of a rarity that is
frozen with the first tree seen of a repository, as vectors that are cached by content must.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from memory.hologram.codebook import Codebook
from trainers.code_trainer import scoring
from trainers.code_trainer.encoder import FILE_LENGTH, FUNCTION_LENGTH, seen_through
from trainers.code_trainer.features import relative
from trainers.code_trainer.index import RepositoryIndex
from trainers.code_trainer.issue import parse_issue
from trainers.code_trainer.queries import weighted_queries
from trainers.code_trainer.tokens import stem
from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]

QUERIES = ("all", "title", "code")
_TOP = 3


class VectorColumns:
    """The columns of one repository's tasks.

    Args:
        index: of the repository, with all contents of its trees.
        codebook: shared by all vectors.
        first: the earliest tree; its chunks give each stem's rarity.
    """

    def __init__(self, index: RepositoryIndex, codebook: Codebook, first: TreeView) -> None:
        self._codebook = codebook
        stems = [stem(term) for term in index.vocabulary]
        self._stems = sorted(set(stems))
        self._at = {stemmed: number for number, stemmed in enumerate(self._stems)}
        owners = [self._at[stemmed] for stemmed in stems]
        merge = sparse.csr_matrix(
            (np.ones(len(stems), np.float32), (np.arange(len(stems)), owners)),
            shape=(len(stems), len(self._stems)),
        )
        counts = index.counts()
        self._counts = (counts.terms.tocsr() @ merge).tocsr()
        self._lengths = counts.lengths
        self._root = np.sqrt(scoring.idf(self._counts[first.chunk_row]))

    def weights(self, texts: list[str]) -> tuple[Floats, Floats]:
        """(stems, 3 * texts) exact weights of the issues' queries, and as the algebra sees them."""
        exact = np.zeros((len(self._stems), len(texts) * len(QUERIES)))
        for number, text in enumerate(texts):
            queries = weighted_queries(parse_issue(text))
            for place, name in enumerate(QUERIES):
                for stemmed, weight in queries[name].items():
                    if stemmed in self._at:
                        exact[self._at[stemmed], number * len(QUERIES) + place] = weight
        exact *= self._root[:, None]
        return exact, seen_through(self._codebook, self._stems, exact)

    def columns(self, view: TreeView, weights: Floats, prefix: str) -> dict[str, Floats]:
        """(files,) by name of one issue, from its (stems, 3) weights."""
        rooted = weights * self._root[:, None]
        chunk_counts = self._counts[view.chunk_row]
        lengths = self._lengths[view.chunk_row]
        chunks = np.asarray(_saturated(chunk_counts, lengths, FUNCTION_LENGTH) @ rooted)
        file_lengths = np.asarray(view.file_sum @ lengths).ravel()
        in_files = (view.file_sum @ chunk_counts).tocsr()
        files = np.asarray(_saturated(in_files, file_lengths, FILE_LENGTH) @ rooted)
        best = scoring.best_per_file(view, chunks)
        found = {}
        for place, name in enumerate(QUERIES):
            found[f"{prefix}_file_{name}"] = relative(files[:, place])
            found[f"{prefix}_chunk_{name}"] = relative(best[:, place])
        top = scoring.top_sum_per_file(view, chunks[:, 0], _TOP)
        found[f"{prefix}_chunks_all"] = relative(top)
        return found


def _saturated(counts: sparse.csr_matrix, lengths: Floats, mean: float) -> sparse.csr_matrix:
    penalty = scoring.K1 * (1 - scoring.B + scoring.B * lengths / mean)
    weights = counts.astype(np.float64)
    rows = np.repeat(penalty, np.diff(weights.indptr))
    weights.data = weights.data * (scoring.K1 + 1) / (weights.data + rows)
    return weights
