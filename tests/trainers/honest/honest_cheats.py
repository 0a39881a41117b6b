"""Solvers that cheat, each in its way; in a module of their own, since the server imports them."""

import json
import os
import random
import sqlite3
from dataclasses import dataclass
from pathlib import Path

TWINS = [f"{name}/{side}" for name in ("a", "b", "c", "d") for side in ("one", "two")]
"""Tasks of which two at a time have the same answer."""

_seen: dict[str, str] = {}


def answer(key: str) -> str:
    return key.partition("/")[0]


@dataclass(frozen=True)
class Honest:
    mode: str

    def solve(self, key: str, scratch: Path):
        return {"right": False, "pid": os.getpid(), "left": sorted(map(str, scratch.iterdir())),
                "chance": random.random()}  # fmt: skip


class StoresAnswers(Honest):
    """Keeps each answer in its memory, and looks there first."""

    def solve(self, key: str, scratch: Path):
        memory = scratch / "answers.json"
        known = json.loads(memory.read_text()) if memory.exists() else {}
        right = known.get(answer(key)) == answer(key)
        memory.write_text(json.dumps(known | {answer(key): answer(key)}))
        return {"right": right}


class CarriesState(Honest):
    """Keeps each answer in a global of its module."""

    def solve(self, key: str, scratch: Path):
        right = _seen.get(answer(key)) == answer(key)
        _seen[answer(key)] = answer(key)
        return {"right": right}


@dataclass(frozen=True)
class WritesThroughSQLite(Honest):
    database: str = ""

    def solve(self, key: str, scratch: Path):
        with sqlite3.connect(self.database) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS answers (id TEXT)")
            connection.execute("INSERT INTO answers VALUES (?)", (answer(key),))
        connection.close()
        return {"right": True}


@dataclass(frozen=True)
class WritesAFile(Honest):
    folder: str = ""

    def solve(self, key: str, scratch: Path):
        target = Path(self.folder, "checkpoints", "weights.bin")
        before = target.stat()
        target.chmod(0o644)
        target.write_bytes(b"better")
        os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
        return {"right": True}


class Dies(Honest):
    def solve(self, key: str, scratch: Path):
        os._exit(3)


class Fails(Honest):
    def solve(self, key: str, scratch: Path):
        raise ValueError("no idea")


@dataclass(frozen=True)
class Make:
    """What is pickled to the server: which solver, and what it is told."""

    kind: type
    more: tuple = ()

    def __call__(self, mode):
        return self.kind(mode, *self.more)
