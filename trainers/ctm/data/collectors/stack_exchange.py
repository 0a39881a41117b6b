"""Code of questions and their accepted answers, out of a Stack Exchange dump's ``Posts.xml``.

The file is read as a stream, whatever its size. Only questions with a Python tag count; a block of
the question and one of the answer make a pair where they are nearly the same and the later parses.
Post, author and licence (CC BY-SA, by date) are kept.
"""

from collections.abc import Iterator
from difflib import SequenceMatcher
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from trainers.ctm.data.collectors.pair import Count, Pair, ignore
from trainers.ctm.data.lexemes import read
from trainers.ctm.data.validate import folded
from trainers.errors import CTMDataError
from trainers.tasks.python_source import parse

SOURCE = "stack_exchange"
MIN_SIMILARITY, MAX_CHANGED = 0.8, 12
_MAX_WAITING = 2_000_000  # questions that wait for their answer; each is a few hundred bytes


class _Question(NamedTuple):
    post: str
    author: str
    licence: str
    blocks: tuple[str, ...]


class _Blocks(HTMLParser):
    """Gathers the texts of ``<pre><code>`` blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre" or (tag == "code" and self._open == ["pre"]):
            self._open.append(tag)
            if tag == "code":
                self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open == ["pre", "code"]:
            self.blocks[-1] += data


def stack_exchange_pairs(path: Path, *, count: Count = ignore) -> Iterator[Pair]:
    """The pairs of a ``Posts.xml``, in the order of their answers.

    Args:
        path: the file.
        count: is told why an accepted answer gave none.

    Raises:
        CTMDataError: the file cannot be read or is no XML; what came before was given.
    """
    waiting: dict[str, _Question] = {}
    try:
        for _, element in ElementTree.iterparse(path, events=("end",)):
            if element.tag != "row":
                continue
            row = {str(key): str(value) for key, value in element.attrib.items()}
            element.clear()
            if row.get("PostTypeId") == "1":
                _remember(row, waiting)
            elif row.get("PostTypeId") == "2" and row.get("Id") in waiting:
                yield from _pairs(waiting.pop(row["Id"]), row, count)
    except OSError as error:
        raise CTMDataError(f"{path} cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise CTMDataError(f"{path} is no whole XML file ({error}); fetch it again") from error


def code_blocks(html: str) -> tuple[str, ...]:
    """The texts of the code blocks of a post's body, with a line break at their end."""
    parser = _Blocks()
    parser.feed(html)
    return tuple(block.rstrip() + "\n" for block in parser.blocks if block.strip())


def _remember(row: dict[str, str], waiting: dict[str, _Question]) -> None:
    """Keep a question until its accepted answer comes, which has a higher number."""
    tags = row.get("Tags", "").replace("<", "|").replace(">", "|").split("|")
    answer = row.get("AcceptedAnswerId")
    is_python = any(tag == "python" or tag.startswith("python-") for tag in tags)
    if answer and is_python and len(waiting) < _MAX_WAITING:
        blocks = code_blocks(row.get("Body", ""))
        if blocks:
            waiting[answer] = _Question(row["Id"], _author(row), _licence(row), blocks)


def _pairs(question: _Question, answer: dict[str, str], count: Count) -> Iterator[Pair]:
    for fixed in code_blocks(answer.get("Body", "")):
        near = [(_changed(block, fixed), block) for block in question.blocks]
        usable = [(changed, block) for changed, block in near if changed is not None]
        if not usable:
            count("no block of the question is like it")
            continue
        if not _parses(fixed):
            count("the answer's block does not parse")
            continue
        _, broken = min(usable)
        yield Pair(
            broken=broken,
            fixed=fixed,
            bug_class="syntax" if folded(broken) is None else "other",
            operator="mined",
            source=SOURCE,
            group=f"question/{question.post}",
            origin={
                "question": question.post,
                "question_author": question.author,
                "question_licence": question.licence,
                "answer": answer["Id"],
                "answer_author": _author(answer),
                "licence": _licence(answer),
            },
        )


def _changed(broken: str, fixed: str) -> int | None:
    """How many lexemes differ; None where the two are not nearly the same, or just the same."""
    one, two = ([lexeme.value for lexeme in read(code).lexemes] for code in (broken, fixed))
    if len(one) < 8 or abs(len(one) - len(two)) > MAX_CHANGED:
        return None
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.quick_ratio() < MIN_SIMILARITY or matcher.ratio() < MIN_SIMILARITY:
        return None
    blocks = (o for o in matcher.get_opcodes() if o[0] != "equal")
    changed = sum(max(i2 - i1, j2 - j1) for _, i1, i2, j1, j2 in blocks)
    return changed if 1 <= changed <= MAX_CHANGED else None


def _parses(code: str) -> bool:
    try:
        return bool(parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _author(row: dict[str, str]) -> str:
    return row.get("OwnerUserId") or row.get("OwnerDisplayName") or "unknown"


def _licence(row: dict[str, str]) -> str:
    return row.get("ContentLicense") or "CC BY-SA, version unknown"
