"""What a project's run starts from: the original tree, the patch over it, the task's own files.

It is put together as a table of entries before anything is written, so that a patch never meets
this machine's file system: only the original's regular files are read. ``.git`` stays away (later
commits hold the answers), and so do byte code, virtual environments and links that lead outside.
"""

import os
import posixpath
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox.errors import SandboxError
from sandbox.worker.project_boot import ENTRY, EXECUTABLE, FILE, LINK

_LEFT_OUT = frozenset({".git", ".hg", ".svn", "__pycache__"})
_CONFIGURES = frozenset(
    {"pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"}
    | {"tox.ini", "setup.cfg", "pyproject.toml"}
)
_LOADED_UNASKED = frozenset({"conftest", "sitecustomize", "usercustomize"})
_NAME_MAX, _PATH_MAX = 255, 2048
_WORDS = ("again", "base", "case", "default", "empty", "first", "large", "order", "small", "value")


@dataclass(frozen=True)
class Entry:
    """A file: its bytes, or the original to read them from."""

    content: bytes | Path
    executable: bool = False

    def size(self) -> int:
        """Return how many bytes it has."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.stat().st_size

    def read(self) -> bytes:
        """Return its bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str

    def stays(self, path: str) -> bool:
        """Tell whether the link, at ``path``, leads to a place in the tree."""
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), self.target))
        return not posixpath.isabs(self.target) and end != ".." and not end.startswith("../")


Tree = dict[str, Entry | Link]


@dataclass(frozen=True)
class Control:
    """A test that must fail, and where it stands."""

    file: str
    function: str
    code: str

    @property
    def name(self) -> str:
        """Its pytest node id."""
        return f"{self.file}::{self.function}"


def snapshot(root: Path) -> Tree:
    """Return the original's files and links; empty folders are not kept.

    Raises:
        SandboxError: ``root`` is no folder.
    """
    if not root.is_dir():
        raise SandboxError(f"the tree {root} is not a folder")
    tree: Tree = {}
    folders = [(root, "")]
    while folders:
        folder, prefix = folders.pop()
        for item in sorted(folder.iterdir()):
            path = prefix + item.name
            if item.is_symlink():
                target = os.readlink(item)  # noqa: PTH115 - as it is written, not made a path
                tree[path] = Link(target)
            elif item.is_dir():
                if item.name not in _LEFT_OUT and not (item / "pyvenv.cfg").exists():
                    folders.append((item, path + "/"))
            elif item.is_file():
                tree[path] = Entry(item, bool(item.stat().st_mode & 0o100))
    return tree


def compose(
    root: Path,
    changed: Mapping[str, str | None],
    files: Mapping[str, str | bytes],
    limit_mb: int,
) -> Tree:
    """Return the original with the patch ``changed`` and then the task's ``files`` over it.

    What configures pytest or the interpreter is as in the original, unless the task brings it.

    Raises:
        SandboxError: a path leads out of the tree or through a link, or all is too large.
    """
    original = snapshot(root.resolve())
    tree = dict(original)
    for path, text in changed.items():
        _check(path, tree, deleted=text is None)
    for path in (path for path, text in changed.items() if text is None):
        tree.pop(path, None)
    for path, text in changed.items():
        if text is not None:
            _put(tree, path, text)
    for path, content in files.items():
        _check(path, original)
        _put(tree, path, content)
    for path in [path for path in {**tree, **original} if _is_configuration(path)]:
        if path in files:
            continue
        if path in original:
            _put(tree, path, original[path])
        else:
            tree.pop(path, None)
    size = sum(entry.size() for entry in tree.values() if isinstance(entry, Entry))
    if size > limit_mb << 20:
        raise SandboxError(f"the tree holds {size >> 20} MiB; tree_mb allows {limit_mb}")
    return tree


def _is_configuration(path: str) -> bool:
    """Tell what pytest or the interpreter reads without being asked to, by its name."""
    parts = path.split("/")
    if parts[-1] in _CONFIGURES or parts[-1].endswith((".pth", ".pyc")):
        return True
    return any(part.partition(".")[0] in _LOADED_UNASKED for part in parts)


def _check(path: str, tree: Tree, *, deleted: bool = False) -> None:
    """Refuse a path that is not plainly a file's place in the tree; a link may be deleted."""
    parts = path.split("/")
    if not path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise SandboxError(f"the path {path!r} does not stay in the tree")
    try:
        if len(path) > _PATH_MAX or any(len(part.encode()) > _NAME_MAX for part in parts):
            raise SandboxError(f"the path {path[:80]!r}... is too long")
    except UnicodeEncodeError:
        raise SandboxError(f"the path {path!r} is not text") from None
    for ancestor in [*_ancestors(path), *([] if deleted else [path])]:
        if isinstance(tree.get(ancestor), Link):
            raise SandboxError(f"the path {path!r} goes through the link {ancestor!r}")


def _ancestors(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _put(tree: Tree, path: str, content: str | bytes | Entry | Link) -> None:
    """Set a file; what stands in its way, a file for a folder or a folder for it, goes."""
    for ancestor in _ancestors(path):
        tree.pop(ancestor, None)
    for below in [other for other in tree if other.startswith(path + "/")]:
        del tree[below]
    if isinstance(content, str):
        try:
            content = content.encode()
        except UnicodeEncodeError:
            raise SandboxError(f"what {path!r} is changed to is not text") from None
    if isinstance(content, bytes):
        before = tree.get(path)
        content = Entry(content, isinstance(before, Entry) and before.executable)
    tree[path] = content


def make_control(names: Sequence[str], tree: Tree) -> Control:
    """Return a test that must fail, named like the ones in ``names`` and placed beside one.

    Its file and function have names that the tree does not hold, made of words that tests are
    often named with, and what it compares is computed.
    """
    chance = random.SystemRandom()
    beside = chance.choice(names)
    folder, stem = posixpath.split(beside.partition("::")[0])
    stem = re.sub(r"\W", "_", stem.removesuffix(".py"))
    function = re.sub(r"\[.*", "", beside.rpartition("::")[2].replace("\n", ""))
    if not function.isidentifier():
        function = "test"
    used = {word for name in names for word in re.findall("[a-z]{3,}", name.lower())}
    words = sorted({*used, *_WORDS} - {"test", "tests"})
    while True:
        ending = "_".join(chance.sample(words, 2))
        file = posixpath.join(folder, f"{stem}_{ending}.py")
        if file not in tree:
            break
    function = f"{function}_{ending}"
    values = [chance.randrange(100) for _ in range(chance.randrange(3, 7))]
    wrong = sum(values) + chance.choice((-2, -1, 1, 2))
    code = (
        f"import pytest\n\n\ndef {function}():\n    values = {values}\n"
        f"    assert sum(values) == pytest.approx({wrong}, abs=0.5)\n"
    )
    return Control(file, function, code)


def write(tree: Tree, beside: Mapping[str, bytes], out: IO[bytes]) -> None:
    """Write the tree, below ``tree/``, and the files ``beside`` it, as the boot unpacks them."""
    whole = {
        f"tree/{path}": entry
        for path, entry in tree.items()
        if isinstance(entry, Entry) or entry.stays(path)
    }
    whole |= {name: Entry(content) for name, content in beside.items()}
    for path, entry in whole.items():
        name = os.fsencode(path)
        if isinstance(entry, Link):
            kind, data = LINK, os.fsencode(entry.target)
        else:
            kind, data = EXECUTABLE if entry.executable else FILE, entry.read()
        out.write(ENTRY.pack(kind, len(name), len(data)) + name + data)
