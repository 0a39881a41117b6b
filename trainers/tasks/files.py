"""Reads JSON-lines data files, packed or not; refuses a broken one with its line and a remedy."""

import gzip
import json
import lzma
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, cast

from trainers.errors import TaskError

Record = dict[str, Any]
Fields = Mapping[str, type | tuple[type, ...]]

ENDINGS = (".jsonl", ".jsonl.gz")


def find_file(folder: Path, stem: str) -> Path | None:
    """Find ``stem.jsonl`` or, where that is absent, ``stem.jsonl.gz``."""
    found = (folder / f"{stem}{ending}" for ending in ENDINGS)
    return next((path for path in found if path.is_file()), None)


def read_records(path: Path, fields: Fields, *, key: str) -> list[Record]:
    """Read every record of a file and check its fields.

    Args:
        path: of a ``.jsonl`` or ``.jsonl.gz`` file, in UTF-8.
        fields: name and type of what each record must have; others are kept as they are.
        key: the field that names a record; no two may share it.

    Raises:
        TaskError: the file cannot be read, is empty, or has a broken record; names file and line.
    """
    records: list[Record] = []
    lines: dict[Any, int] = {}
    for number, raw in numbered_lines(path):
        record = parse_line(raw, f"{path}, line {number}")
        check_fields(record, fields, f"{path}, line {number}")
        first = lines.setdefault(record[key], number)
        if first != number:
            raise TaskError(
                f"{path}, line {number}: {key} {record[key]!r} is in line {first} already; "
                "remove one of the two"
            )
        records.append(record)
    if not records:
        raise TaskError(f"{path} is empty; fetch it again, or remove it")
    return records


def check_fields(record: Record, fields: Fields, where: str) -> None:
    """Refuse a record that lacks a field or has one of a wrong type."""
    missing = [name for name in fields if name not in record]
    if missing:
        has = ", ".join(sorted(record)) or "nothing"
        raise TaskError(
            f"{where}: lacks {', '.join(missing)} (it has {has}); is this the file it is named for?"
        )
    for name, kind in fields.items():
        if not isinstance(record[name], kind) or isinstance(record[name], bool):
            wanted = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            got = type(record[name]).__name__
            raise TaskError(f"{where}: {name} is to be {wanted}, not {got}; correct the line")


def check_texts(record: Record, names: tuple[str, ...], where: str) -> None:
    """Refuse a record in which one of these lists holds anything but text."""
    for name in names:
        if not all(isinstance(item, str) for item in record[name]):
            raise TaskError(f"{where}: {name} is to be a list of texts; correct the line")


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, numbered from 1; by its name a file is gzip, xz or plain.

    Raises:
        TaskError: the file cannot be read, or is cut.
    """
    try:
        with _opened(path) as file:  # some are gigabytes
            for number, line in enumerate(file, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield number, text.removesuffix(b"\n")
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        kind = "xz" if path.name.endswith(".xz") else "gzip"
        raise TaskError(f"{path} is no whole {kind} file ({error}); fetch it again") from error
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}") from error


def _opened(path: Path) -> IO[bytes]:
    if path.name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.name.endswith(".xz"):
        return cast(IO[bytes], lzma.open(path, "rb"))
    return path.open("rb")


def parse_line(raw: bytes, where: str) -> Record:
    """Read the record in a line.

    Raises:
        TaskError: it is no JSON object; names ``where``.
    """
    try:
        record = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TaskError(
            f"{where}: not UTF-8 at byte {error.start + 1}; save the file as UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        raise TaskError(
            f"{where}: not JSON ({error.msg}, column {error.colno}); correct the line "
            "or fetch the file again"
        ) from error
    except (RecursionError, ValueError) as error:
        raise TaskError(f"{where}: not usable JSON ({error}); correct the line") from error
    if not isinstance(record, dict):
        raise TaskError(f"{where}: a JSON object is wanted, not {type(record).__name__}")
    return record
