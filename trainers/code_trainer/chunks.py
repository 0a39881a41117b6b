"""A source file cut into functions, class bodies and the module's own lines, with its imports."""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

ChunkKind = Literal["function", "class", "module"]

MODULE = "<module>"
_DEFINITION = re.compile(r"^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+([^\W\d]\w*)")
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+\(?([\w \t,*]+)|import[ \t]+([\w.]+))", re.M
)
_CONSTANT = re.compile(r"^([^\W\d]\w*)[ \t]*(?::[^=\n]+)?=(?!=)", re.M)
_TOP_LEVEL = re.compile(r"^(?:@|(?:async[ \t]+def|def|class)[ \t])", re.M)
_TAB = 8


@dataclass(frozen=True)
class Chunk:
    """A piece of a file: a function with all in it, or a class's or the module's other lines.

    ``name`` is the qualified name (``Class.method``); ``start`` and ``end`` are 1-based lines of
    the whole definition, decorators included, so that a class spans its methods; ``text`` has only
    the chunk's own lines, so that the texts of a file's chunks share no line.
    """

    name: str
    kind: ChunkKind
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Import:
    """An import: the module as written (leading dots kept) and the names taken from it."""

    module: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class ParsedFile:
    """A file's chunks in order of their first lines, its imports and module-level names.

    ``parsed`` is False where the file is not Python of this version and was cut by indentation.
    """

    chunks: tuple[Chunk, ...]
    imports: tuple[Import, ...]
    constants: tuple[str, ...]
    parsed: bool


@dataclass(frozen=True)
class _Span:
    name: str
    kind: ChunkKind
    start: int
    end: int


@dataclass(frozen=True)
class _Block:
    """A cut piece of a file: its number of lines, and its chunks, the module's own lines first."""

    lines: int
    chunks: tuple[Chunk, ...]
    imports: tuple[Import, ...]
    constants: tuple[str, ...]


def parse_file(text: str) -> ParsedFile:
    """Cut a file; one that does not parse (Python 2, broken) is cut by its indentation.

    The file is first split before its top-level definitions, and each such block is parsed alone
    and remembered: most blocks of most versions of a file have been seen before. A split inside a
    string leaves a block that does not parse; the file is then parsed whole.
    """
    blocks = [_parse_block(block) for block in _split(text)]
    if None in blocks:
        blocks = [_parse_block(text)]
    parsed = None not in blocks
    if not parsed:
        blocks = [_cut(text, _spans_by_indentation(text.split("\n")))]
    return _join([block for block in blocks if block is not None], parsed)


def _split(text: str) -> list[str]:
    """The text in blocks that begin at a top-level definition, decorators with what they adorn."""
    starts = [0]
    decorated = False
    for match in _TOP_LEVEL.finditer(text):
        if not decorated and match.start():
            starts.append(match.start())
        decorated = match[0] == "@"
    return [text[first:last] for first, last in zip(starts, [*starts[1:], None], strict=True)]


def _join(blocks: list[_Block], parsed: bool) -> ParsedFile:
    """The blocks of a file as one, lines counted from the file's first."""
    chunks: list[Chunk] = []
    line = 0
    for block in blocks:
        for chunk in block.chunks[1:]:
            chunks.append(
                Chunk(chunk.name, chunk.kind, chunk.start + line, chunk.end + line, chunk.text)
            )
        line += block.lines
    own = "".join(block.chunks[0].text + "\n" for block in blocks)
    return ParsedFile(
        chunks=(Chunk(MODULE, "module", 1, line + 1, own), *chunks),
        imports=tuple(item for block in blocks for item in block.imports),
        constants=tuple(dict.fromkeys(name for block in blocks for name in block.constants)),
        parsed=parsed,
    )


@lru_cache(maxsize=1 << 15)
def _parse_block(text: str) -> _Block | None:
    """A block's chunks; None where it does not parse."""
    spans = _spans_by_ast(text)
    return None if spans is None else _cut(text, spans)


def _cut(text: str, spans: list[_Span]) -> _Block:
    lines = text.split("\n")
    return _Block(
        lines=len(lines) - 1,
        chunks=tuple(_chunks(lines, spans)),
        imports=tuple(_imports(text)),
        constants=tuple(_CONSTANT.findall(text)),
    )


def _spans_by_ast(text: str) -> list[_Span] | None:
    """The definitions outside functions; None where the text does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old files are full of invalid escapes
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found: list[_Span] = []
    _visit(module.body, "", found)
    return found


def _visit(body: list[ast.stmt], prefix: str, found: list[_Span]) -> None:
    """Collect definitions of a body and of the blocks (if, try, with, for) in it."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            start = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            kind: ChunkKind = "class" if isinstance(node, ast.ClassDef) else "function"
            name = prefix + node.name
            found.append(_Span(name, kind, start, node.end_lineno or node.lineno))
            if kind == "class":
                _visit(node.body, name + ".", found)
            continue
        for block in ("body", "orelse", "finalbody"):
            inner = getattr(node, block, None)
            if isinstance(inner, list):
                _visit(inner, prefix, found)
        for handler in getattr(node, "handlers", []):
            _visit(handler.body, prefix, found)


def _spans_by_indentation(lines: list[str]) -> list[_Span]:
    """The definitions outside functions, each until the next line that is not deeper."""
    found: list[_Span] = []
    open_blocks: list[tuple[int, str, ChunkKind, int]] = []  # indent, name, kind, start
    last = 0

    def close(indent: int) -> None:
        while open_blocks and open_blocks[-1][0] >= indent:
            _, name, kind, start = open_blocks.pop()
            found.append(_Span(name, kind, start, last))

    for number, line in enumerate(lines, 1):
        code = line.strip()
        if not code or code.startswith(("#", ")", "]", "}")):
            continue
        indent = len(line.expandtabs(_TAB)) - len(line.expandtabs(_TAB).lstrip())
        close(indent)
        match = _DEFINITION.match(line)
        if match and not any(block[2] == "function" for block in open_blocks):
            prefix = open_blocks[-1][1] + "." if open_blocks else ""
            kind: ChunkKind = "class" if match[2] == "class" else "function"
            open_blocks.append((indent, prefix + match[3], kind, number))
        last = number
    close(0)
    return sorted(found, key=lambda span: (span.start, -span.end))


def _chunks(lines: list[str], spans: list[_Span]) -> Iterator[Chunk]:
    """Give each line to the innermost span around it; what is in none is the module's."""
    owner = [-1] * len(lines)
    for number, span in enumerate(spans):  # outer before inner
        owner[span.start - 1 : span.end] = [number] * (min(span.end, len(lines)) - span.start + 1)
    own: list[list[str]] = [[] for _ in spans]
    rest: list[str] = []
    for line, number in zip(lines, owner, strict=True):
        (own[number] if number >= 0 else rest).append(line)
    yield Chunk(MODULE, "module", 1, len(lines), "\n".join(rest))
    for span, part in zip(spans, own, strict=True):
        yield Chunk(span.name, span.kind, span.start, span.end, "\n".join(part))


def _imports(text: str) -> Iterator[Import]:
    """The imports of a text, wherever they stand; names in brackets up to the first line's end."""
    for source, names, module in _IMPORT.findall(text):
        if module:
            yield Import(module, ())
        else:
            words = (item.split(" as ")[0].strip() for item in names.split(","))
            yield Import(source, tuple(word for word in words if word and word != "*"))
