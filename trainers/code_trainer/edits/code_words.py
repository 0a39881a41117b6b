"""A program's text as words for counting: layout kept, rare names and literals left out."""

import builtins
import keyword
import re
from collections.abc import Iterable

_WORD = re.compile(
    r'"""[\s\S]*?"""|\'\'\'[\s\S]*?\'\'\'|#[^\n]*'
    r"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\""
    r"|[A-Za-z_]\w*|\d+\.\d*|\.\d+|\d+"
    r"|\*\*=|//=|>>=|<<=|==|!=|<=|>=|\*\*|//|->|\+=|-=|\*=|/=|%=|<<|>>"
    r"|(?:\n[ \t]*)+|[^\s\w]"
)
_KNOWN = frozenset(dir(builtins)) | frozenset(keyword.kwlist)
_NUMBERS = frozenset(["0", "1", "2", "10", "0.0", "1.0"])
_FEW = frozenset(["0", "1", "2"])
_REMEMBERED, _FARTHEST = 12, 6


def words(text: str) -> list[str]:
    """Split a program into lexemes, without comments.

    An end of line is a word that says whether the next line stands deeper, less deep, or alike.
    Texts are written with one kind of quotes.
    """
    found, depth = [], 0
    for word in _WORD.findall(text):
        if word[0] == "#":
            continue
        if word[0] == "\n":
            here = len(word) - word.rfind("\n") - 1
            found.append("\n>" if here > depth else "\n<" if here < depth else "\n")
            depth = here
        elif word[0] == '"':
            found.append("'" + word.strip('"') + "'")
        else:
            found.append(word)
    return found


def is_variable(word: str, before: str) -> bool:
    """Tell whether a word names something of the program itself: no keyword, built-in or member."""
    return (word[0] == "_" or word[0].isalpha()) and word not in _KNOWN and before != "."


def surface(lexemes: Iterable[str], kept: frozenset[str]) -> list[str]:
    """Return the words as written, but for rare names (``ID``), longer texts and numbers.

    Args:
        lexemes: of a program, see :func:`words`.
        kept: the names that are common enough to be themselves.
    """
    found, before = [], ""
    for word in lexemes:
        if is_variable(word, before) and word not in kept:
            found.append("ID")
        elif word[0] == "'":
            found.append(word if len(word) <= 3 else "STR")
        elif word[0].isdigit() or (word[0] == "." and len(word) > 1):
            found.append(word if word in _NUMBERS else "NUM")
        else:
            found.append(word)
        before = word
    return found


def structure(lexemes: Iterable[str]) -> list[str]:
    """Return the words with each variable as how many others were used since it was used last."""
    found, before = [], ""
    recent: list[str] = []
    for word in lexemes:
        if is_variable(word, before):
            if word in recent:
                place = recent.index(word)
                del recent[place]
                found.append(f"V{min(place, _FARTHEST)}")
            else:
                found.append("VN")
            recent.insert(0, word)
            del recent[_REMEMBERED:]
        elif before == "." and (word[0] == "_" or word[0].isalpha()):
            found.append(".a")
        elif word[0] == "'":
            found.append("STR")
        elif word[0].isdigit() and word not in _FEW:
            found.append("NUM")
        else:
            found.append(word)
        before = word
    return found
