"""Whether a repair is the truth's: the same text, or the same program but for what is not run."""

import ast
from collections.abc import Mapping

from trainers.code_trainer.edits.tree import is_docstring
from trainers.tasks.python_source import parse

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def exact(texts: Mapping[str, str], truth: Mapping[str, str]) -> bool:
    """True where both hold the same files with the same characters."""
    return dict(texts) == dict(truth)


def normalised(texts: Mapping[str, str], truth: Mapping[str, str]) -> bool:
    """True where both hold the same files and each has the same tree.

    Comments, docstrings, other texts that do nothing, and layout do not count. A file that does
    not parse must be equal as text.
    """
    return texts.keys() == truth.keys() and all(
        same_program(text, truth[path]) for path, text in texts.items()
    )


def same_program(text: str, truth: str) -> bool:
    """True where two texts have the same tree without docstrings, or are the same characters."""
    if text == truth:
        return True
    one, other = _plain(text), _plain(truth)
    return one is not None and one == other


def _plain(text: str) -> str | None:
    try:
        tree = parse(text)
        for node in ast.walk(tree):
            if isinstance(node, _DOCUMENTED):
                node.body = [one for one in node.body if not is_docstring(one)] or [ast.Pass()]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
