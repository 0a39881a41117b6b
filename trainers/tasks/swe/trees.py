"""The trees of SWE tasks: of the shared files, and of the task's own code where it has no other.

The shared trees are differences: each row names the row before it (``prev``), the paths that are
new or changed with the number of their version, and those that went. All 469 rows are small and
kept; the texts are read one at a time from a ``TextPack``, so that random access to one task costs
no more than a loop over all of them, repository by repository or not.
"""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from trainers.errors import TaskError
from trainers.tasks.files import Record, check_fields, numbered_lines, parse_line
from trainers.tasks.swe.packs import TextPack, open_pack
from trainers.tasks.swe.paths import is_code

TREES, RECENCY, FILES = "repo_trees.jsonl.gz", "repo_recency.jsonl.gz", "repo_files"


class OwnTree:
    """The tree of a task without a repository beside it: the files that its truth changes."""

    def __init__(
        self, code_before: Mapping[str, str], recency: Mapping[str, float] | None = None
    ) -> None:
        # A file that the truth makes is not there before.
        self._texts = {p: text for p, text in code_before.items() if text and is_code(p)}
        self._recency = recency or {}

    def files(self) -> Mapping[str, str]:
        """Content id by path: the SHA-256 of the text."""
        return {
            path: hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
            for path, text in self._texts.items()
        }

    def text(self, path: str) -> str:
        """The text of one of ``files()``."""
        if path not in self._texts:
            raise TaskError(f"the task's own code has no {path}")
        return self._texts[path]

    def recency(self) -> Mapping[str, float]:
        """What was known of the repository's history; empty where nothing was."""
        return self._recency

    def origin(self) -> dict[str, Any]:
        """Say where the tree is, for the store."""
        return {"kind": "own", **({"recency": dict(self._recency)} if self._recency else {})}


class SharedTree:
    """The tree of one task of a ``SharedFolder``; nothing is read before it is asked for."""

    def __init__(self, folder: "SharedFolder", repo: str, task_id: str) -> None:
        self._folder, self._repo, self._task_id = folder, repo, task_id

    @cached_property
    def _ids(self) -> dict[str, str]:
        pack = self._folder.pack(self._repo)
        ids: dict[str, str] = {}
        for path, version in self._folder.versions(self._task_id).items():
            content_id = pack.content_id(path, version)
            if content_id is None:
                where = self._folder.files_of(self._repo)
                raise TaskError(
                    f"{where} lacks version {version} of {path}, which {self._task_id} needs; "
                    + (pack.broken[0] if pack.broken else "fetch it again")
                )
            ids[path] = content_id
        return ids

    def files(self) -> Mapping[str, str]:
        """Content id by path: the SHA-256 of the text."""
        return self._ids

    def text(self, path: str) -> str:
        """The text of one of ``files()``."""
        if path not in self._ids:
            raise TaskError(f"the tree of {self._task_id} has no {path}")
        return self._folder.pack(self._repo).text(self._ids[path])

    def recency(self) -> Mapping[str, float]:
        """How recently and often a path changed: exponentially decayed count, 90 days."""
        return self._folder.recency(self._task_id)

    def origin(self) -> dict[str, Any]:
        """Say where the tree is, for the store."""
        return {"kind": "shared", "folder": str(self._folder.folder)}


class SharedFolder:
    """What lies beside a task file: trees, texts and recency, each read when first asked for.

    ``broken`` has a line for each broken line of the trees and the recency that was passed over.
    """

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.broken = folder, list[str]()
        self._cache = cache
        self._packs: dict[str, TextPack] = {}

    def has_tree(self, task_id: str) -> bool:
        """Tell whether the folder has a tree of the task, with every row that it builds on."""
        return self._chain(task_id) is not None

    def has_files(self, repo: str) -> bool:
        """Tell whether the folder has the repository's texts."""
        return self.files_of(repo).is_file()

    def files_of(self, repo: str) -> Path:
        """Name the file with the repository's texts."""
        return self.folder / FILES / f"{repo.replace('/', '__')}.jsonl.xz"

    def pack(self, repo: str) -> TextPack:
        """Give the repository's texts; the first time in a cache's life takes seconds.

        Raises:
            TaskError: its file is absent or broken, or the cache cannot be written.
        """
        if repo not in self._packs:
            self._packs[repo] = open_pack(self.files_of(repo), self._cache)
        return self._packs[repo]

    def versions(self, task_id: str) -> dict[str, int]:
        """Give the number of the version by path of a task's tree.

        Raises:
            TaskError: there is no row of the task, or one that it builds on is missing.
        """
        chain = self._chain(task_id)
        if chain is None:
            raise TaskError(f"{self.folder / TREES} has no whole tree of {task_id}")
        tree: dict[str, int] = {}
        for row in reversed(chain):
            for path in row["drop"]:
                tree.pop(path, None)
            tree.update(row["set"])
        return tree

    def recency(self, task_id: str) -> Mapping[str, float]:
        """Give the decayed count by path before the task's base commit; empty where not known."""
        recent: Mapping[str, float] = self._recency.get(task_id, {})
        return recent

    def _chain(self, task_id: str) -> list[Record] | None:
        """Give the task's row and those that it builds on, back to a first; None: one lacks."""
        chain: list[Record] = []
        seen: set[str] = set()
        wanted: str | None = task_id
        while wanted is not None:
            row = self._rows.get(wanted)
            if row is None or wanted in seen:
                return None
            seen.add(wanted)
            chain.append(row)
            wanted = row["prev"]
        return chain

    @cached_property
    def _rows(self) -> dict[str, Record]:
        fields = {"set": dict, "drop": list, "prev": (str, type(None))}
        return self._table(self.folder / TREES, fields)

    @cached_property
    def _recency(self) -> dict[str, dict[str, float]]:
        rows = self._table(self.folder / RECENCY, {"recent": dict})
        return {task_id: row["recent"] for task_id, row in rows.items()}

    def _table(self, path: Path, fields: Mapping[str, Any]) -> dict[str, Record]:
        """Read a file's rows by task; what is broken is told in ``broken``, an absent file not."""
        rows: dict[str, Record] = {}
        if not path.is_file():
            return rows
        try:
            for number, raw in numbered_lines(path):
                where = f"{path}, line {number}"
                try:
                    row = parse_line(raw, where)
                    check_fields(row, {"task_id": str, **fields}, where)
                    rows[row["task_id"]] = row
                except TaskError as error:
                    self.broken.append(str(error))
        except TaskError as error:  # cut: what stands before the cut can be used
            self.broken.append(str(error))
        return rows
