"""Proposals from what an issue quotes, over the likeliest files."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from trainers.code_trainer.chunks import parse_file
from trainers.code_trainer.quoted_edit import QuotedEdit
from trainers.code_trainer.quoted_edits import quoted_edits
from trainers.code_trainer.quotes import Quotes
from trainers.code_trainer.repository_repair import Proposal
from trainers.tasks.python_source import parse

QUOTED_FILES = 5
"""Files that are looked through."""

LEAST_SCORE = 0.0
"""Score of an edit, without its place, below which it says too little."""

MOST_TRIED = 60
_ELSEWHERE = 0.05  # share of a function that was not ranked
_FUNCTION = 0.5  # weight of the function's share against that of its file


def quoted_proposals(
    texts: Mapping[str, str],
    files: Sequence[tuple[str, float]],
    functions: Mapping[str, Sequence[tuple[str, float]]],
    issue: str,
    most: int,
) -> list[Proposal]:
    """The likeliest edits that the issue writes out, each once; the changed files parse.

    Args:
        texts: of the files that are looked through.
        files: path and probability, the likeliest first.
        functions: by path, names and their share of the file.
        issue: its text.
        most: how many.
    """
    quotes = Quotes(issue)
    if not quotes.fragments:
        return []
    found: list[tuple[float, str, str, QuotedEdit]] = []
    for path, probability in files:
        if path in texts:
            found += _of_file(path, texts[path], probability, functions.get(path, ()), quotes)
    found.sort(key=lambda item: (-item[0], item[1], item[3].line, item[3].quoted))
    return list(islice(_distinct(found, texts), most))


def _of_file(
    path: str,
    text: str,
    probability: float,
    functions: Sequence[tuple[str, float]],
    quotes: Quotes,
) -> Iterator[tuple[float, str, str, QuotedEdit]]:
    try:
        edits = [one for one in quoted_edits(text, quotes) if one.score > LEAST_SCORE]
    except (SyntaxError, ValueError, RecursionError):
        return  # of another version of Python
    if not edits:
        return
    around = [chunk for chunk in parse_file(text).chunks if chunk.kind == "function"]
    shares = dict(functions)
    for edit in edits:
        inside = [one for one in around if one.start <= edit.line <= one.end]
        name = max(inside, key=lambda one: one.start).name if inside else ""
        share = shares.get(name, _ELSEWHERE)
        place = math.log(max(probability, 1e-6)) + _FUNCTION * math.log(max(share, _ELSEWHERE))
        yield edit.score + place, path, name, edit


def _distinct(
    found: Sequence[tuple[float, str, str, QuotedEdit]], texts: Mapping[str, str]
) -> Iterator[Proposal]:
    seen = set()
    for score, path, name, edit in found[:MOST_TRIED]:
        text = edit.applied(texts[path].split("\n"))
        if (path, text) in seen or text == texts[path]:
            continue
        seen.add((path, text))
        try:
            parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        evidence = {
            "quoted": edit.quoted,
            "function": name,
            "line": edit.line,
            "features": dict(edit.features),
        }
        yield Proposal(path, text, score, edit.operation, evidence)
