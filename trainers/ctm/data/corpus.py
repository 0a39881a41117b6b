"""Functions of this Python's library and installed packages, with package, version and licence.

A function is a program of its own: its decorators are left out, its lines moved to the margin. One
that is like another, names and literals aside, is kept once.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any

from trainers.ctm.data.lexemes import EOL, is_name, is_number, is_string, read
from trainers.errors import CTMDataError
from trainers.tasks.python_source import library_files, outer_functions, parse
from trainers.tasks.swe.paths import MAX_BYTES, is_code

STANDARD_LIBRARY = "python-stdlib"
MIN_LEXEMES, MIN_ROWS = 24, 3
_LEFT_OUT = ("kent",)


@dataclass(frozen=True)
class Package:
    """An installed distribution, or the standard library, with its Python files."""

    name: str
    version: str
    licence: str
    root: Path
    files: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """Where a program is from; ``path`` is below the package's folder."""

    package: str
    version: str
    licence: str
    path: str
    line: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """A function of the corpus; ``likeness`` is the hash that copies of it share."""

    code: str
    origin: Origin
    likeness: str


def packages() -> list[Package]:
    """The standard library and the installed distributions that hold Python, by name.

    Raises:
        CTMDataError: this Python has no source of its library.
    """
    library, names = library_files()
    if not names:
        raise CTMDataError(f"{library} has no Python source; use a Python that brings its library")
    version = ".".join(map(str, sys.version_info[:3]))
    found = {STANDARD_LIBRARY: Package(STANDARD_LIBRARY, version, "PSF-2.0", library, tuple(names))}
    for one in metadata.distributions():
        name = str(one.metadata["Name"] or "").lower()
        files = sorted(str(f) for f in one.files or () if str(f).endswith(".py"))
        files = [f for f in files if not f.startswith(("..", "/"))]
        if name and files and name not in _LEFT_OUT:
            root = Path(str(one.locate_file("")))
            found.setdefault(name, Package(name, one.version, _licence(one), root, tuple(files)))
    return [found[name] for name in sorted(found)]


def functions(package: Package, path: str) -> Iterator[Found]:
    """The functions and methods of a file that are long enough; none where it cannot be read."""
    text = source_of(package, path)
    if text is None:
        return
    try:
        tree = parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    lines = text.split("\n")
    for node in outer_functions(tree):
        if (node.end_lineno or 0) - node.lineno + 1 < MIN_ROWS:
            continue
        code = cut(lines, node)
        values = [lexeme.value for lexeme in read(code).lexemes]
        if len(values) < MIN_LEXEMES or values.count(EOL) < MIN_ROWS:
            continue
        origin = Origin(package.name, package.version, package.licence, path, node.lineno)
        yield Found(code, origin, likeness_of(values))


def source_of(package: Package, path: str) -> str | None:
    """The text of a package's file; None for tests, large files and what is no UTF-8."""
    file = package.root / path
    if not is_code(path):
        return None
    try:
        raw = file.read_bytes()
    except OSError:  # a distribution may list files that it lost
        return None
    try:
        return raw.decode("utf-8").replace("\r\n", "\n") if len(raw) <= MAX_BYTES else None
    except UnicodeDecodeError:
        return None


def cut(lines: list[str], node: ast.AST, longer: int = 0) -> str:
    """The lines of a definition, moved to the margin; ``longer``: how many it has gained since."""
    first, last = node.lineno - 1, node.end_lineno + longer  # type: ignore[attr-defined]
    margin: int = node.col_offset  # type: ignore[attr-defined]
    white = lines[first][:margin]
    return "\n".join(line.removeprefix(white) for line in lines[first:last]) + "\n"


def likeness_of(values: list[str] | tuple[str, ...]) -> str:
    """A hash of lexemes that does not look at names and literals."""
    text = "\0".join(map(_kind, values))
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:24]


def likeness(code: str) -> str:
    """``likeness_of`` the lexemes of source text."""
    return likeness_of([lexeme.value for lexeme in read(code).lexemes])


@lru_cache(maxsize=100_000)
def _kind(value: str) -> str:
    if is_name(value):
        return "n"
    if is_number(value):
        return "0"
    return "s" if is_string(value) else value


def _licence(one: metadata.Distribution) -> str:
    fields = ("License-Expression", "License")
    said = next((t for f in fields for t in one.metadata.get_all(f) or () if t), "")
    classifiers = one.metadata.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License ::")]
    short = said if said and len(said) < 60 and "\n" not in said else ""
    return short or ", ".join(named) or "unknown"
