"""The yardstick: BM25 of the library bm25s over whole files, with and without path tokens."""

from collections import Counter

import bm25s
import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.tokens import tokens
from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]

# How often a path's tokens are counted (the best on the shared tasks).
PATH_WEIGHT = 3
_OTHER = 0  # stands for every token that the query lacks: it only makes documents long


def bm25_scores(view: TreeView, text: str, path_weight: int = 0) -> Floats:
    """(files,) of an issue's text against a file's tokens and, ``path_weight`` times, its path's.

    Tokens are identifiers whole and split, without stems; the library's defaults (Lucene's
    variant, k1 = 1.5, b = 0.75). A token that the issue repeats counts as often.
    """
    asked = Counter(tokens(text))
    numbers = {token: number for number, token in enumerate(sorted(asked), _OTHER + 1)}
    documents = _documents(view, numbers, path_weight)
    if not documents or not numbers:
        return np.zeros(len(view))
    library = bm25s.BM25()
    vocabulary = {"": _OTHER, **numbers}
    library.index((documents, vocabulary), show_progress=False)
    query = [numbers[token] for token, count in asked.items() for _ in range(count)]
    return np.asarray(library.get_scores_from_ids(query), dtype=np.float64)


def _documents(view: TreeView, numbers: dict[str, int], path_weight: int) -> list[list[int]]:
    """Token numbers of each file, in no order; one filler a file's length at least."""
    counts = view.index.counts()
    known = [token for token in numbers if token in view.index.vocabulary]
    columns = [view.index.vocabulary[token] for token in known]
    rows = counts.terms[:, columns].tocsr()[view.chunk_row]
    in_files = (view.file_sum @ rows).tocsr()
    lengths = np.asarray(view.file_sum @ counts.lengths[view.chunk_row]).ravel().astype(int)
    own = np.array([numbers[token] for token in known], dtype=int)
    found = []
    for file, path in enumerate(view.paths):
        part = slice(in_files.indptr[file], in_files.indptr[file + 1])
        times = in_files.data[part].astype(int)
        document = np.repeat(own[in_files.indices[part]], times).tolist()
        document += [_OTHER] * max(1, int(lengths[file]) - len(document))
        if path_weight:
            words = tokens(path.removesuffix(".py"))
            document += [numbers.get(word, _OTHER) for word in words] * path_weight
        found.append(document)
    return found
