"""Files that are either whole or not there."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from memory.errors import StoreError
from memory.files import sha256_file, write_atomically


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_bytes_and_functions_write_the_same_file(tmp_path: Path):
    write_atomically(tmp_path / "a" / "b" / "bytes", b"weights")
    write_atomically(tmp_path / "a" / "b" / "called", lambda path: path.write_bytes(b"weights"))
    assert sha256_file(tmp_path / "a/b/bytes") == sha256_file(tmp_path / "a/b/called")
    assert sha256_file(tmp_path / "a/b/bytes") == hashlib.sha256(b"weights").hexdigest()
    assert names(tmp_path / "a" / "b") == ["bytes", "called"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    target = tmp_path / "checkpoint"
    write_atomically(target, b"old")

    def fail(path: Path) -> None:
        path.write_bytes(b"half of the n")
        raise ConnectionResetError("the source went away")

    with pytest.raises(ConnectionResetError):
        write_atomically(target, fail)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["checkpoint"]


def test_what_exists_is_not_overwritten_where_that_is_asked_for(tmp_path: Path):
    target = tmp_path / "backup"

    def meanwhile(path: Path) -> None:
        path.write_bytes(b"mine")
        target.write_bytes(b"of somebody else")

    with pytest.raises(StoreError, match="exists and is not overwritten"):
        write_atomically(target, meanwhile, overwrite=False)
    assert target.read_bytes() == b"of somebody else"
    assert names(tmp_path) == ["backup"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written: Not a directory; free space"):
        write_atomically(tmp_path / "file" / "checkpoint", b"")
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreError, match="cannot be written: Is a directory"):
        write_atomically(tmp_path / "directory", b"")


KILLED = """
import os, signal, sys
from pathlib import Path
from memory.files import write_atomically
def cut(path):
    path.write_bytes(b"half")
    path.with_name(path.name + "-journal").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
write_atomically(Path(sys.argv[1]), cut)
"""


def test_what_a_killed_writer_left_is_cleared_by_the_next_one(tmp_path: Path):
    target = tmp_path / "checkpoint"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], cwd=root, check=False)
    assert done.returncode == -9
    assert len(names(tmp_path)) == 2
    assert not target.exists()
    write_atomically(target, b"new")
    assert names(tmp_path) == ["checkpoint"]


def test_several_writers_at_once_leave_one_whole_file(tmp_path: Path):
    target = tmp_path / "checkpoint"
    contents = [bytes([number]) * 200_000 for number in range(6)]
    threads = [
        threading.Thread(target=write_atomically, args=(target, content)) for content in contents
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() in contents
    assert names(tmp_path) == ["checkpoint"]
