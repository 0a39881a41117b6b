"""A repository's texts on disk for quick reading: ``repo_files/*.jsonl.xz`` unpacked once.

An xz file can only be read from its beginning (sympy's 304 MB take two seconds), and all
repositories together are 900 MB. So each is unpacked once into the cache: every different text
deflated by itself, and an index that says where. The content id of a text is the SHA-256 of its
UTF-8 bytes. A pack is named by the SHA-256 of the file that it is made from, so that a moved or
copied folder finds it again and a changed one does not.
"""

import hashlib
import json
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from trainers.errors import TaskError
from trainers.tasks.files import Record, numbered_lines, parse_line

_FORMAT = 1
_TEXTS, _INDEX = "texts.bin", "index.json"
_LEVEL = 1  # the higher ones take three times as long for a fifth less


def default_cache() -> Path:
    """Name the user's folder for caches: what is in it may be removed at any time."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kent" / "trees"


class TextPack:
    """The texts of one repository: by path and version, and by content id.

    In memory is only the index, some 100 bytes a text; usable from threads and after a fork.
    """

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / _INDEX).read_bytes())
        self._versions: Mapping[str, list[int]] = index["versions"]
        self._ids: list[str] = index["ids"]
        self._ends: list[int] = index["ends"]
        self._numbers = {content_id: number for number, content_id in enumerate(self._ids)}
        self.broken: list[str] = index["broken"]
        """What is wrong with the lines of its file that were left out."""
        with (folder / _TEXTS).open("rb") as file:
            empty = not self._ids
            self._bytes = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def content_id(self, path: str, version: int) -> str | None:
        """Give the content id of a version of a path; None: the pack has no such."""
        versions = self._versions.get(path, [])
        return self._ids[versions[version]] if 0 <= version < len(versions) else None

    def text(self, content_id: str) -> str:
        """Give the text of a content id.

        Raises:
            TaskError: there is none, or the cache is damaged.
        """
        number = self._numbers.get(content_id)
        if number is None:
            raise TaskError(f"no text has the content id {content_id}")
        start = self._ends[number - 1] if number else 0
        try:
            return zlib.decompress(self._bytes[start : self._ends[number]]).decode("utf-8")
        except (zlib.error, UnicodeDecodeError) as error:
            raise TaskError(
                f"the cached text {content_id} is damaged ({error}); remove the cache of trees"
            ) from error


def open_pack(source: Path, cache: Path) -> TextPack:
    """Open the pack of a ``repo_files`` file, made now where the cache lacks it.

    Several processes may do so at once: the first that is done keeps its own.

    Raises:
        TaskError: the file cannot be read or is cut, or the cache cannot be written.
    """
    try:
        with source.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise TaskError(f"{source} cannot be read: {error.strerror or error}") from error
    folder = cache / f"v{_FORMAT}-{name[:40]}"
    if not (folder / _INDEX).is_file():
        try:
            _build(source, folder)
        except OSError as error:
            raise TaskError(
                f"the cache of trees {cache} cannot be written: {error.strerror or error}; "
                "free space there, or set XDG_CACHE_HOME to a folder that can be written"
            ) from error
    return TextPack(folder)


def _build(source: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(prefix="making-", dir=folder.parent))
    try:
        with (making / _TEXTS).open("wb") as file:
            index = _write_texts(source, file)
        (making / _INDEX).write_text(json.dumps(index), "ascii")
        with suppress(OSError):  # another process was first
            making.rename(folder)
        if not (folder / _INDEX).is_file():
            raise OSError(f"{folder} is in the way")
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write_texts(source: Path, file: BinaryIO) -> dict[str, object]:
    ids: dict[str, int] = {}
    ends: list[int] = []
    versions: dict[str, list[int]] = {}
    broken: list[str] = []
    for number, raw in numbered_lines(source):
        where = f"{source}, line {number}"
        try:
            path, texts = _path_and_texts(parse_line(raw, where), where)
        except TaskError as error:
            broken.append(str(error))
            continue
        versions[path] = []
        for text in texts:
            body = text.encode("utf-8", "replace")
            content_id = hashlib.sha256(body).hexdigest()
            if content_id not in ids:
                ids[content_id] = len(ids)
                file.write(zlib.compress(body, _LEVEL))
                ends.append(file.tell())
            versions[path].append(ids[content_id])
    return {"ids": list(ids), "ends": ends, "versions": versions, "broken": broken}


def _path_and_texts(record: Record, where: str) -> tuple[str, list[str]]:
    path, texts = record.get("path"), record.get("versions")
    if not isinstance(path, str) or not isinstance(texts, list):
        raise TaskError(f"{where}: wants a path and a list of versions; fetch the file again")
    if not all(isinstance(text, str) for text in texts):
        raise TaskError(f"{where}: the versions of {path} are to be texts; fetch the file again")
    return path, texts
