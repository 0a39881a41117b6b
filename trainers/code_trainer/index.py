"""A repository's chunks and token counts by content id, kept on disk: only new contents are read.

One SQLite file a repository. A file is a list of chunks; a chunk's counts are stored once however
many versions of its file have it, so that the 36,200 file versions of twelve histories stay small.
"""

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from trainers.code_trainer.chunks import ParsedFile, parse_file
from trainers.code_trainer.tokens import identifiers, pair_codes, stem, tokens_of
from trainers.errors import TrainerError

Ids = NDArray[np.int32]
Floats = NDArray[np.float64]

# What is stored depends on these two and on tokens.py and chunks.py: raise it when they change.
VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS terms (id INTEGER PRIMARY KEY, term TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS chunks (
    id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,
    terms BLOB NOT NULL, counts BLOB NOT NULL, pairs BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS files (content TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
"""
# Files written at once. They fall all over the tables' keys, so that each batch writes almost every
# page again: of 100,000 files, 500 at a time wrote 4 GB for an index of 128 MB.
_BATCH = 5_000


@dataclass(frozen=True)
class FileFacts:
    """What is known of one content: its chunks (row in the index, name, kind, lines) and names."""

    rows: Ids
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    constants: tuple[str, ...]
    parsed: bool


@dataclass(frozen=True)
class Counts:
    """Counts of all chunks of an index, by column: CSC (chunks, terms) float32, and of pairs.

    ``pairs`` is 1 where a chunk has two identifiers as neighbours; its columns stand for
    ``pair_ids``, ascending pair codes. ``lengths``: tokens of each chunk.
    """

    terms: sparse.csc_matrix
    lengths: Floats
    pairs: sparse.csc_matrix
    pair_ids: NDArray[np.int64]


class RepositoryIndex:
    """The counts and names of every content that was added.

    Args:
        path: of the SQLite file; None keeps the index in memory.

    Raises:
        TrainerError: the file is no index, or cannot be read or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._facts: dict[str, FileFacts] = {}
        self._terms: dict[str, int] = {}
        self._hashes: dict[bytes, int] = {}
        self._rows: list[tuple[Ids, Ids, Ids]] = []
        self._counts: Counts | None = None
        self._stems: dict[str, list[int]] = {}
        self._stemmed = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path or ":memory:")
            self._open()
        except sqlite3.Error as error:
            raise TrainerError(
                f"the repository index {path} cannot be read ({error}): delete it to build it anew"
            ) from error

    @property
    def vocabulary(self) -> Mapping[str, int]:
        """Column by term of ``counts().terms``."""
        return self._terms

    def __len__(self) -> int:
        return len(self._facts)

    def close(self) -> None:
        """Close the file; what was added is in it."""
        self._db.close()

    def add(self, contents: Iterable[str], read: Callable[[str], str]) -> int:
        """Read, cut and count the contents that are new.

        Args:
            contents: content ids.
            read: gives the text of a content id; called for new ones only.

        Returns:
            how many were new.

        Raises:
            TrainerError: the index's file cannot be written.
        """
        new = [content for content in dict.fromkeys(contents) if content not in self._facts]
        try:
            for first in range(0, len(new), _BATCH):
                self._add(new[first : first + _BATCH], read)
        except sqlite3.Error as error:
            raise TrainerError(f"the index {self._path} cannot be written: {error}") from error
        return len(new)

    def facts(self, content: str) -> FileFacts:
        """What is known of a content id.

        Raises:
            TrainerError: it was never added.
        """
        try:
            return self._facts[content]
        except KeyError:
            raise TrainerError(f"content {content} is not in the index: add it first") from None

    def counts(self) -> Counts:
        """The counts of all chunks so far; rows are what ``FileFacts.rows`` name."""
        if self._counts is None:
            self._counts = _counts(self._rows, len(self._terms))
        return self._counts

    def columns(self, stemmed: str) -> list[int]:
        """The columns of all terms that have this stem."""
        if self._stemmed < len(self._terms):
            for term, number in list(self._terms.items())[self._stemmed :]:
                self._stems.setdefault(stem(term), []).append(number)
            self._stemmed = len(self._terms)
        return self._stems.get(stemmed, [])

    def _open(self) -> None:
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;" + _SCHEMA)
        row = self._db.execute("SELECT number FROM version").fetchone()
        if row is not None and row[0] != VERSION:  # made by other rules: nothing of it can be used
            self._db.executescript("DELETE FROM files; DELETE FROM chunks; DELETE FROM terms;")
            self._db.execute("DELETE FROM version")
            row = None
        if row is None:
            self._db.execute("INSERT INTO version VALUES (?)", (VERSION,))
            self._db.commit()
        self._terms = {term: number for number, term in self._db.execute("SELECT * FROM terms")}
        for number, digest, terms, counts, pairs in self._db.execute(
            "SELECT * FROM chunks ORDER BY id"
        ):
            self._hashes[digest] = number
            self._rows.append((_ints(terms), _ints(counts), _ints(pairs)))
        for content, facts in self._db.execute("SELECT * FROM files"):
            self._facts[content] = _read_facts(facts)

    def _add(self, contents: list[str], read: Callable[[str], str]) -> None:
        known_terms, known_chunks = len(self._terms), len(self._rows)
        written: list[tuple[str, str]] = []
        for content in contents:
            parsed = parse_file(read(content))
            facts = _write_facts(parsed, [self._chunk(chunk.text) for chunk in parsed.chunks])
            written.append((content, facts))
            self._facts[content] = _read_facts(facts)
        new_terms = list(self._terms.items())[known_terms:]
        new_chunks = list(self._hashes.items())[known_chunks:]
        with self._db:
            self._db.executemany(
                "INSERT INTO terms VALUES (?, ?)", [(number, term) for term, number in new_terms]
            )
            self._db.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?, ?)",
                [
                    (number, digest, *(part.tobytes() for part in self._rows[number]))
                    for digest, number in new_chunks
                ],
            )
            self._db.executemany("INSERT INTO files VALUES (?, ?)", written)
        self._counts = None

    def _chunk(self, text: str) -> int:
        """The row of a chunk's text, counted when it is new."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        number = self._hashes.get(digest)
        if number is None:
            words = identifiers(text)
            found: Counter[int] = Counter()
            for word, count in Counter(words).items():
                for token in tokens_of(word):
                    found[self._terms.setdefault(token, len(self._terms))] += count
            number = self._hashes[digest] = len(self._rows)
            self._rows.append(
                (
                    np.fromiter(found.keys(), np.int32, len(found)),
                    np.fromiter(found.values(), np.int32, len(found)),
                    np.unique(np.array(pair_codes(words), dtype=np.int32)),
                )
            )
        return number


def _ints(blob: bytes) -> Ids:
    return np.frombuffer(blob, dtype=np.int32)


def _write_facts(parsed: ParsedFile, rows: list[int]) -> str:
    return json.dumps(
        [
            rows,
            [chunk.name for chunk in parsed.chunks],
            [chunk.kind for chunk in parsed.chunks],
            [chunk.start for chunk in parsed.chunks],
            [chunk.end for chunk in parsed.chunks],
            [[item.module, item.names] for item in parsed.imports],
            parsed.constants,
            parsed.parsed,
        ],
        separators=(",", ":"),
    )


def _read_facts(text: str) -> FileFacts:
    rows, names, kinds, starts, ends, imports, constants, parsed = json.loads(text)
    return FileFacts(
        rows=np.array(rows, dtype=np.int32),
        names=tuple(names),
        kinds=tuple(kinds),
        starts=tuple(starts),
        ends=tuple(ends),
        imports=tuple((module, tuple(taken)) for module, taken in imports),
        constants=tuple(constants),
        parsed=bool(parsed),
    )


def _counts(rows: list[tuple[Ids, Ids, Ids]], width: int) -> Counts:
    """The matrices of all rows; a pair counts once a chunk."""
    terms = _matrix([row[0] for row in rows], _flat([row[1] for row in rows]), width)
    pairs = [row[2] for row in rows]
    pair_ids, columns = np.unique(_flat(pairs), return_inverse=True)
    ends = np.concatenate([[0], np.cumsum([len(row) for row in pairs])]).astype(np.int64)
    ones = np.ones(len(columns), np.float32)
    matrix = sparse.csr_matrix(
        (ones, columns.astype(np.int32), ends), shape=(len(rows), len(pair_ids))
    )
    return Counts(
        terms=terms.tocsc(),
        lengths=np.asarray(terms.sum(axis=1), dtype=np.float64).ravel(),
        pairs=matrix.tocsc(),
        pair_ids=pair_ids.astype(np.int64),
    )


def _matrix(columns: list[Ids], values: Ids, width: int) -> sparse.csr_matrix:
    ends = np.concatenate([[0], np.cumsum([len(row) for row in columns])]).astype(np.int64)
    return sparse.csr_matrix(
        (values.astype(np.float32), _flat(columns), ends), shape=(len(columns), width)
    )


def _flat(parts: list[Ids]) -> Ids:
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
