"""Files and locations as weighted parts of their names: what is learned of one tells of others.

A filler's own vector is random: no map can hit one it has never seen. Parts are shared by the files
of a folder and by functions of like names, in one repository and across them.
"""

import re
from functools import lru_cache

from trainers.code_trainer.tokens import tokens_of

_WORD = re.compile(r"[^\W\d]\w*")
_WHOLE, _FOLDER, _NAME, _WORDS = 1.0, 0.5, 0.7, 0.4


@lru_cache(maxsize=1 << 16)
def file_parts(path: str) -> dict[str, float]:
    """The path, its folders, its file name and the words in them."""
    folders, _, name = path.rpartition("/")
    steps = folders.split("/") if folders else []
    parts = {f"path {path}": _WHOLE, f"file {name}": _NAME}
    parts |= {f"folder {'/'.join(steps[: i + 1])}": _FOLDER for i in range(len(steps))}
    return parts | _words(f"{folders} {name.removesuffix('.py')}")


@lru_cache(maxsize=1 << 16)
def location_parts(location: str) -> dict[str, float]:
    """The qualified name, the function's own, the words in it, and how far in the statement is."""
    name, _, number = location.rpartition(":")
    depth = int(number).bit_length() if number.isdecimal() else 0
    own = name.rpartition(".")[2]
    parts = {f"qualified {name}": _WHOLE, f"name {own}": _NAME, f"depth {depth}": _NAME}
    return parts | _words(name)


def _words(text: str) -> dict[str, float]:
    found = [token for word in _WORD.findall(text) for token in tokens_of(word)]
    return {f"word {token}": _WORDS for token in found}
