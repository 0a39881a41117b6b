"""Every function, class body and module part of a tree as numbers, for functions and for files."""

import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer import mentions
from trainers.code_trainer.features import COLUMNS, TextScores, bag_scores, relative
from trainers.code_trainer.issue import Issue
from trainers.code_trainer.queries import Query
from trainers.code_trainer.tokens import stem, tokens
from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]


def chunk_features(
    view: TreeView, issue: Issue, queries: dict[str, Query], scores: TextScores
) -> dict[str, Floats]:
    """(chunks,) by name. Scores are relative to the tree's best and, ``own_``, to the file's."""
    found: dict[str, Floats] = {}
    for name in COLUMNS:
        found[f"chunk_{name}"] = relative(scores.chunk(name))
    for name in ("all", "title", "rare"):
        found[f"own_{name}"] = _relative_in_file(view, scores.chunk(name))
        found[f"file_{name}"] = relative(scores.file(name))[view.chunk_file]
    found["pair"] = relative(scores.pair_chunks)
    found["own_pair"] = _relative_in_file(view, scores.pair_chunks)
    found |= _names(view, issue, queries)
    _, defined = mentions.definition_mentions(view, issue)
    found["defined"] = np.log1p(defined)
    found["own_defined"] = _relative_in_file(view, defined)
    found |= _frames(view, issue)
    found |= _structure(view)
    return found


def quick_score(features: dict[str, Floats]) -> Floats:
    """(chunks,) an unlearned mixture that picks the chunks worth ranking."""
    return (
        features["chunk_all"] + features["chunk_rare"] + 0.7 * features["chunk_title"]
        + 0.7 * features["defined"] + 0.5 * features["name_title"] + 0.5 * features["name_all"]
        + 0.5 * features["file_all"] + 3 * features["frame"] + 0.3 * features["pair"]
    )  # fmt: skip


def _relative_in_file(view: TreeView, values: Floats) -> Floats:
    if not len(values):
        return values
    best = np.maximum.reduceat(values, view.first_chunk)
    return np.asarray(values / np.maximum(best, 1e-9)[view.chunk_file])


def _names(view: TreeView, issue: Issue, queries: dict[str, Query]) -> dict[str, Floats]:
    """The own name and the class's name against the queries; whether a name is written whole."""
    own = [{stem(t) for t in tokens(name.rpartition(".")[2])} for name in view.chunk_names]
    holder = [{stem(t) for t in tokens(name.rpartition(".")[0])} for name in view.chunk_names]
    found: dict[str, Floats] = {}
    for query in ("all", "title", "names"):
        got, share = bag_scores(own, queries[query])
        found[f"name_{query}"] = relative(got)
        found[f"name_share_{query}"] = share
        got, share = bag_scores(holder, queries[query])
        found[f"holder_{query}"] = relative(got) * share
    title, code = set(tokens(issue.title)), set(tokens(issue.code))
    last = [name.rpartition(".")[2].lower() for name in view.chunk_names]
    found["whole_title"] = np.array([float(name in title) for name in last])
    found["whole_code"] = np.array([float(name in code) for name in last])
    return found


def _frames(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """``frame``: one over the distance from the innermost frame; ``frame_line``: has its line."""
    frame, line = np.zeros(len(view.chunk_file)), np.zeros(len(view.chunk_file))
    for distance, (number, function, at) in enumerate(reversed(mentions.frame_files(view, issue))):
        facts, first = view.facts[number], int(view.first_chunk[number])
        for offset, name in enumerate(facts.names):
            if function and name.rpartition(".")[2] == function:
                frame[first + offset] = max(frame[first + offset], 1 / (1 + distance))
                if facts.starts[offset] <= at <= facts.ends[offset]:
                    line[first + offset] = max(line[first + offset], 1 / (1 + distance))
    return {"frame": frame, "frame_line": line}


def _structure(view: TreeView) -> dict[str, Floats]:
    lengths = view.index.counts().lengths[view.chunk_row]
    names = view.chunk_names
    last = [name.rpartition(".")[2] for name in names]
    position = np.arange(len(names)) - view.first_chunk[view.chunk_file]
    sizes = np.bincount(view.chunk_file, minlength=len(view))[view.chunk_file]
    return {
        "length": np.log1p(lengths),
        "is_class": np.array([float(kind == "class") for kind in view.chunk_kinds]),
        "is_module": np.array([float(kind == "module") for kind in view.chunk_kinds]),
        "is_method": np.array([float("." in name) for name in names]),
        "is_private": np.array([float(n.startswith("_") and not n.startswith("__")) for n in last]),
        "is_init": np.array([float(name == "__init__") for name in last]),
        "is_dunder": np.array([float(name.startswith("__")) for name in last]),
        "position": position / np.maximum(sizes, 1),
        "siblings": np.log1p(sizes),
    }
