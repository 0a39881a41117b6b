"""Every candidate file of a task as numbers: text scores, mentions, structure, graph, history."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trainers.code_trainer import mentions, scoring
from trainers.code_trainer.issue import Issue
from trainers.code_trainer.queries import QUERIES, Query, issue_pairs, weighted_queries
from trainers.code_trainer.tokens import identifiers, stem, tokens
from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]

# The queries, and that of everything once more with rare terms weighing more (idf squared).
COLUMNS = (*QUERIES, "rare")
_TOP_CHUNKS = 3
_LEAST_NAME = 3  # letters of a name that is looked up
_LEAST_NAME_WORDS = 2
# Folders whose files are seldom what an issue is about.
_ASIDE = frozenset(
    {"doc", "docs", "examples", "example", "benchmarks", "asv_bench", "extern", "externals",
     "vendor", "_vendor", "packages", "tutorials", "tools", "release", "galleries", "ci"}
)  # fmt: skip
_TESTING = frozenset({"test", "tests", "testing", "conftest.py", "runtests.py"})


@dataclass(frozen=True)
class TextScores:
    """BM25 of each query: (files, ``COLUMNS``) and (chunks, same); of pairs (files,), (chunks,)."""

    files: Floats
    chunks: Floats
    pair_files: Floats
    pair_chunks: Floats

    def file(self, query: str) -> Floats:
        """(files,) of one of ``COLUMNS``."""
        return self.files[:, COLUMNS.index(query)]

    def chunk(self, query: str) -> Floats:
        """(chunks,) of one of ``COLUMNS``."""
        return self.chunks[:, COLUMNS.index(query)]


def text_scores(view: TreeView, queries: dict[str, Query], pairs: list[int]) -> TextScores:
    """Score files and chunks by BM25 for each of ``QUERIES``, and by rare neighbouring pairs."""
    stems = sorted({stemmed for query in queries.values() for stemmed in query})
    weights = scoring.query_matrix([queries[name] for name in QUERIES], stems)
    lengths = view.index.counts().lengths[view.chunk_row]
    chunk_counts = scoring.term_counts(view, stems)
    file_counts = (view.file_sum @ chunk_counts).tocsr()
    file_lengths = np.asarray(view.file_sum @ lengths).ravel()
    found = scoring.pair_counts(view, pairs)
    rarity = scoring.idf(found)
    in_files = (view.file_sum @ found).tocsr()
    in_files.data = np.minimum(in_files.data, 1.0)
    return TextScores(
        files=_bm25(file_counts, file_lengths, weights),
        chunks=_bm25(chunk_counts, lengths, weights),
        pair_files=np.asarray(in_files @ rarity).ravel(),
        pair_chunks=np.asarray(found @ rarity).ravel(),
    )


def file_features(
    view: TreeView, issue: Issue, queries: dict[str, Query], scores: TextScores
) -> dict[str, Floats]:
    """(files,) by name of all features that need no memory and no hypervectors.

    Text scores are divided by the task's best, so that tasks compare; counts are logarithms.
    """
    found: dict[str, Floats] = {}
    best = scoring.best_per_file(view, scores.chunks)
    for number, name in enumerate(COLUMNS):
        found[f"file_{name}"] = relative(scores.files[:, number])
        found[f"chunk_{name}"] = relative(best[:, number])
    for name in ("all", "title", "rare"):
        top = scoring.top_sum_per_file(view, scores.chunk(name), _TOP_CHUNKS)
        found[f"chunks_{name}"] = relative(top)
    found["pair_file"] = relative(scores.pair_files)
    pair_best = scoring.best_per_file(view, scores.pair_chunks[:, None])
    found["pair_chunk"] = relative(pair_best[:, 0])
    found |= _rare_words(view, issue)
    found |= _path_scores(view, queries)
    found |= _name_scores(view, queries)
    found |= mentions.path_mentions(view, issue) | mentions.module_mentions(view, issue)
    found |= mentions.frame_mentions(view, issue) | mentions.word_mentions(view, issue)
    defined, _ = mentions.definition_mentions(view, issue)
    found |= defined
    base = base_score(found)
    found |= _structure(view) | _graph(view, base)
    found |= _recency(view)
    for name in (
        "file_all",
        "chunk_all",
        "chunks_all",
        "path_all",
        "def_named",
        "file_rare",
        "chunk_rare",
    ):
        found[f"rank_{name}"] = reciprocal_rank(found[name])
    found["base"] = base
    return found


def base_score(features: dict[str, Floats]) -> Floats:
    """(files,) an unlearned mixture, good enough to spread over the graph."""
    return relative(
        features["file_all"] + features["chunk_all"] + 0.5 * features["path_all"]
        + 0.5 * relative(features["def_best"])
    )  # fmt: skip


def relative(values: Floats) -> Floats:
    """Values over their maximum; zeros where none is positive."""
    top = values.max(initial=0.0)
    return values / top if top > 0 else np.zeros_like(values)


def reciprocal_rank(values: Floats) -> Floats:
    """1 for the best, 1/2 for the next...; 0 for what scores nothing. Ties in path order."""
    rank = np.empty(len(values))
    rank[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return np.where(values > 0, 1 / rank, 0.0)


def _bm25(counts: sparse.csr_matrix, lengths: Floats, weights: Floats) -> Floats:
    saturated = scoring.saturated(counts, lengths)
    rarity = scoring.idf(counts)[:, None]
    rare = weights[:, :1] * rarity**2
    return np.asarray(saturated @ np.concatenate([weights * rarity, rare], axis=1))


def _rare_words(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """For names that the issue writes: one over the number of files with each, best and sum."""
    places = {
        "named": {*issue.names, *identifiers(issue.title)},
        "code": {*identifiers(issue.code), *identifiers("\n".join(issue.errors))},
    }
    found: dict[str, Floats] = {}
    for place, words in places.items():
        known = {
            view.index.vocabulary.get(word.lower(), -1)
            for word in words
            if len(word) >= _LEAST_NAME
        }
        columns = sorted(known - {-1})
        counts = view.index.counts().terms[:, columns].tocsr()[view.chunk_row]
        in_files = (view.file_sum @ counts).tocsr()
        share = 1.0 / np.maximum(np.bincount(in_files.indices, minlength=len(columns)), 1)
        in_files.data = share[in_files.indices]
        found[f"rare_sum_{place}"] = np.log1p(np.asarray(in_files.sum(axis=1)).ravel())
        best = in_files.max(axis=1).toarray().ravel() if columns else np.zeros(len(view))
        found[f"rare_best_{place}"] = best
    return found


def bag_scores(bags: list[set[str]], query: Query) -> tuple[Floats, Floats]:
    """Per bag of stems: the query's weight by rarity that it has, and the share of its own."""
    count: dict[str, int] = {}
    for bag in bags:
        for stemmed in bag:
            count[stemmed] = count.get(stemmed, 0) + 1
    rarity = {s: float(np.log1p(len(bags) / n)) for s, n in count.items()}
    got, share = np.zeros(len(bags)), np.zeros(len(bags))
    for number, bag in enumerate(bags):
        hit = [stemmed for stemmed in bag if stemmed in query]
        if hit:
            got[number] = sum(rarity[stemmed] * query[stemmed] for stemmed in hit)
            share[number] = sum(rarity[s] for s in hit) / sum(rarity[s] for s in bag)
    return got, share


def _path_scores(view: TreeView, queries: dict[str, Query]) -> dict[str, Floats]:
    bags = [{stem(token) for token in tokens(path.removesuffix(".py"))} for path in view.paths]
    found = {}
    for name in ("all", "title", "names"):
        got, share = bag_scores(bags, queries[name])
        found[f"path_{name}"] = relative(got)
        found[f"path_share_{name}"] = share
    return found


def _name_scores(view: TreeView, queries: dict[str, Query]) -> dict[str, Floats]:
    """The best qualified name of each file against title and all, by rarity and by share."""
    bags = [{stem(token) for token in tokens(name)} for name in view.chunk_names]
    found = {}
    for name in ("all", "title"):
        got, share = bag_scores(bags, queries[name])
        long = np.array([len(bag) >= _LEAST_NAME_WORDS for bag in bags])
        columns = np.stack([got, share * got * long], axis=1)
        best = scoring.best_per_file(view, columns)
        found[f"name_{name}"] = relative(best[:, 0])
        found[f"name_share_{name}"] = relative(best[:, 1])
    return found


def _structure(view: TreeView) -> dict[str, Floats]:
    parts = [PurePosixPath(path).parts for path in view.paths]
    sizes = view.file_sum @ view.index.counts().lengths[view.chunk_row]
    chunks = np.bincount(view.chunk_file, minlength=len(view))
    return {
        "is_init": np.array([float(p[-1] == "__init__.py") for p in parts]),
        "is_setup": np.array([float(len(p) == 1) for p in parts]),
        "is_aside": np.array([float(bool(_ASIDE.intersection(p[:-1]))) for p in parts]),
        "is_testing": np.array([float(bool(_TESTING.intersection(p))) for p in parts]),
        "is_migration": np.array([float("migrations" in p or "locale" in p) for p in parts]),
        "depth": np.array([float(len(p)) for p in parts]),
        "size": np.log1p(np.asarray(sizes).ravel()),
        "chunks": np.log1p(chunks),
    }


def _graph(view: TreeView, base: Floats) -> dict[str, Floats]:
    """The base score of what a file imports, of what imports it, and of its folder."""
    forward = view.imports
    backward = forward.T.tocsr()
    folders = [path.rpartition("/")[0] for path in view.paths]
    _, places = np.unique(folders, return_inverse=True)
    best = np.zeros(places.max(initial=-1) + 1)
    np.maximum.at(best, places, base)
    return {
        "graph_imports": _row_mean(forward, base),
        "graph_imports_best": _row_best(forward, base),
        "graph_importers": _row_mean(backward, base),
        "graph_importers_best": _row_best(backward, base),
        "graph_popular": np.log1p(np.asarray(forward.sum(axis=0)).ravel()),
        "folder_best": best[places],
        "folder_mean": np.bincount(places, weights=base)[places] / np.bincount(places)[places],
    }


def _row_mean(matrix: sparse.csr_matrix, values: Floats) -> Floats:
    sums: Floats = np.asarray(matrix @ values).ravel()
    return np.asarray(sums / np.maximum(np.diff(matrix.indptr), 1))


def _row_best(matrix: sparse.csr_matrix, values: Floats) -> Floats:
    best = np.zeros(matrix.shape[0])
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    np.maximum.at(best, rows, values[matrix.indices])
    return best


def _recency(view: TreeView) -> dict[str, Floats]:
    return {
        "recent": relative(np.log1p(view.recency)),
        "recent_rank": reciprocal_rank(view.recency),
    }


def prepare(issue: Issue) -> tuple[dict[str, Query], list[int]]:
    """The queries and the pairs of an issue."""
    return weighted_queries(issue), issue_pairs(issue)
