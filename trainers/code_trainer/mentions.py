"""What an issue names outright: files, modules, definitions and traceback frames of a tree."""

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from trainers.code_trainer.issue import Issue
from trainers.code_trainer.tokens import identifiers, stem, tokens
from trainers.code_trainer.view import TreeView

Floats = NDArray[np.float64]

_IMPORT = re.compile(r"(?:from[ \t]+([\w.]+)[ \t]+)?import[ \t]+([\w., \t]+)")
_LEAST_NAME = 3  # letters of a name that is looked up


def path_mentions(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """``path``: components of a written path that match the file's; ``path_name``: its name."""
    full, name = np.zeros(len(view)), np.zeros(len(view))
    by_name = _by_name(view)
    for written in issue.paths:
        parts = PurePosixPath(written).parts
        same = by_name.get(parts[-1], [])
        for number in same:
            shared = _shared_suffix(parts, PurePosixPath(view.paths[number]).parts)
            if shared > 1:
                full[number] = max(full[number], shared)
            name[number] = max(name[number], 1 / len(same))
    return {"path": full, "path_name": name}


def module_mentions(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """``module``: dotted names that are the file's; ``module_prefix``: that begin with it.

    ``imported``: modules that a code line of the issue imports from.
    """
    exact, prefix, imported = (np.zeros(len(view)) for _ in range(3))
    for dotted in issue.dotted:
        parts = dotted.split(".")
        for size in range(len(parts), 1, -1):
            number = view.modules.get(".".join(parts[:size]))
            if number is not None:
                (exact if size == len(parts) else prefix)[number] += 1
                break
    for source, names in _IMPORT.findall(issue.code + "\n" + issue.prose):
        for name in (item.split(" as ")[0].strip() for item in names.split(",")):
            for module in (f"{source}.{name}", source) if source else (name,):
                number = view.modules.get(module)
                if number is not None:
                    imported[number] += 1
                    break
    return {"module": exact, "module_prefix": prefix, "imported": imported}


def frame_files(view: TreeView, issue: Issue) -> list[tuple[int, str, int]]:
    """(file, function, line) of each traceback frame that lies in the tree, in order."""
    by_name = _by_name(view)
    found: list[tuple[int, str, int]] = []
    for frame in issue.frames:
        parts = PurePosixPath(frame.path).parts
        matches = [
            (_shared_suffix(parts, PurePosixPath(view.paths[number]).parts), number)
            for number in by_name.get(parts[-1], [])
        ]
        shared, number = max(matches, default=(0, -1))
        depth = len(PurePosixPath(view.paths[number]).parts) if matches else 0
        if shared >= min(2, depth) and shared:
            found.append((number, frame.function.split("(")[0], frame.line))
    return found


def frame_mentions(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """``frame_last``: the innermost frame; ``frame_near``: 1 over the distance from it; count."""
    last, near, count = (np.zeros(len(view)) for _ in range(3))
    frames = frame_files(view, issue)
    for distance, (number, _, _) in enumerate(reversed(frames)):
        last[number] = max(last[number], float(distance == 0))
        near[number] = max(near[number], 1 / (1 + distance))
        count[number] += 1
    return {"frame_last": last, "frame_near": near, "frame_count": np.log1p(count)}


def definition_mentions(view: TreeView, issue: Issue) -> tuple[dict[str, Floats], Floats]:
    """Names in the issue that a file defines, each by one over the number of files defining it.

    Returns:
        by feature (files,): ``def_class``, ``def_function``, ``def_method``, ``def_constant`` over
        all names, ``def_title``, ``def_named`` (quoted or name-like), ``def_code``, ``def_best``
        (the rarest), ``def_qualified`` (``Class.member`` both); and (chunks,) the sum by chunk.
    """
    keys = ("class", "function", "method", "constant", "title", "named", "code", "best")
    files = {key: np.zeros(len(view)) for key in (*keys, "qualified")}
    chunks = np.zeros(len(view.chunk_file))
    places = {
        "title": set(identifiers(issue.title)),
        "named": set(issue.names) | {part for name in issue.dotted for part in name.split(".")},
        "code": set(identifiers(issue.code)),
    }
    for name in sorted(set().union(*places.values()) | set(identifiers(issue.prose))):
        at = view.definitions.get(name, []) if len(name) >= _LEAST_NAME else []
        holders = set(view.chunk_file[at].tolist())
        constant = set(view.constants.get(name, ())) if len(name) >= _LEAST_NAME else set()
        if not holders and not constant:
            continue
        weight = 1 / len(holders | constant)
        used = [key for key, words in places.items() if name in words]
        if not used and name.islower() and "_" not in name:
            weight *= 0.3  # a plain word of the prose that happens to be a name
        for number in at:
            chunks[number] += weight
            files[_kind(view, number)][view.chunk_file[number]] += weight
        for number in sorted(constant):
            files["constant"][number] += weight
        for number in sorted(holders | constant):
            files["best"][number] = max(files["best"][number], weight)
            for key in used:
                files[key][number] += weight
    for number in _qualified(view, issue.dotted):
        files["qualified"][view.chunk_file[number]] += 1
        chunks[number] += 1
    return {f"def_{key}": np.log1p(values) for key, values in files.items()}, chunks


def word_mentions(view: TreeView, issue: Issue) -> dict[str, Floats]:
    """``stem_title``, ``stem_all``: the share of the file name's words that the text has."""
    title = {stem(token) for token in tokens(issue.title)}
    everything = {stem(token) for token in tokens(issue.text)}
    found = {"stem_title": np.zeros(len(view)), "stem_all": np.zeros(len(view))}
    for number, path in enumerate(view.paths):
        pure = PurePosixPath(path)
        own = pure.parent.name if pure.stem == "__init__" else pure.stem
        words = {stem(token) for token in tokens(own)}
        if words:
            found["stem_title"][number] = len(words & title) / len(words)
            found["stem_all"][number] = len(words & everything) / len(words)
    return found


def _kind(view: TreeView, chunk: int) -> str:
    if view.chunk_kinds[chunk] == "class":
        return "class"
    return "method" if "." in view.chunk_names[chunk] else "function"


def _qualified(view: TreeView, dotted: Iterable[str]) -> Iterator[int]:
    """The chunks whose qualified name ends as a dotted name of the issue does."""
    for name in dotted:
        owner, _, member = name.rpartition(".")
        ending = "." + owner.rpartition(".")[2] + "." + member
        for number in view.definitions.get(member, ()):
            if ("." + view.chunk_names[number]).endswith(ending):
                yield number


def _by_name(view: TreeView) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, path in enumerate(view.paths):
        found.setdefault(path.rpartition("/")[2], []).append(number)
    return found


def _shared_suffix(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many components two paths share from their ends."""
    shared = 0
    for left, right in zip(reversed(first), reversed(second), strict=False):
        if left != right:
            break
        shared += 1
    return shared
