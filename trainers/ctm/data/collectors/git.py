"""Fix commits of local git repositories: one function of one file, at most a few lexemes.

The repository is read and never written to, and no code of it is run. The commit's message speaks
of a fix and not of typing or layout. Where only the later version parses it is a true syntax error.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from trainers.ctm.data.collectors.definitions import changed_functions, outer_functions, same_lines
from trainers.ctm.data.collectors.pair import Count, Pair, ignore
from trainers.ctm.data.lexemes import read
from trainers.errors import TaskError
from trainers.tasks.swe.history import Change, Commit, commits
from trainers.tasks.swe.paths import MAX_BYTES, is_code
from trainers.tasks.swe.repository import Repository, open_repository

SOURCE = "git"
_FIX = re.compile(
    r"\b(fix(es|ed|ing)?|bug(s|fix(es)?)?|hotfix|issues?|regress(ion|ions|ed)?|crash(es|ed)?"
    r"|broken|wrong(ly)?|incorrect(ly)?|error|typo in code|off.by.one)\b",
    re.IGNORECASE,
)
_NO_FIX = re.compile(
    r"^(merge|revert|bump|release)\b|\b(typos?|format(ting)?|lint|pep ?8|style|docs?|comments?"
    r"|whitespace|rename)\b",
    re.IGNORECASE,
)
_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "LICENSE.rst")
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)


def git_pairs(path: Path, *, limit: int | None = None, count: Count = ignore) -> Iterator[Pair]:
    """The pairs of the repository at ``path``, newest first.

    Args:
        path: a repository with or without a checkout.
        limit: how many at most.
        count: is told why a fix commit gave none.

    Raises:
        TaskError: there is no repository, or it has no commits.
    """
    repository = open_repository(path.absolute())
    licence = _licence(repository)
    given = 0
    for commit in commits(repository):
        if limit is not None and given >= limit:
            return
        change = _change(commit)
        if change is None:
            continue
        try:
            found = _pair(repository, commit, change, licence)
        except _UnusableError as why:
            count(str(why))
            continue
        given += 1
        yield found


class _UnusableError(Exception):
    """A fix that gives no pair, and why."""


def _change(commit: Commit) -> Change | None:
    """The only Python file that a fix commit changed; tests and other files do not count."""
    subject = commit.message.lstrip().partition("\n")[0]
    if len(commit.parents) != 1 or not _FIX.search(subject) or _NO_FIX.search(subject):
        return None
    code = [change for change in commit.changes if is_code(change.path)]
    return code[0] if len(code) == 1 and code[0].status == "M" and code[0].is_file else None


def _pair(repository: Repository, commit: Commit, change: Change, licence: str) -> Pair:
    before, after = _text(repository, change.old), _text(repository, change.new)
    try:
        outer_functions(after)
    except _BROKEN as error:
        raise _UnusableError("the later version does not parse") from error
    try:
        changed = changed_functions(before, after)
    except _BROKEN:
        broken, fixed, is_syntax = *_syntax_pair(before, after), True
    else:
        if len(changed) != 1:
            raise _UnusableError("not one function changed")
        _, broken, fixed = changed[0]
        is_syntax = False
    return Pair(
        broken=broken,
        fixed=fixed,
        bug_class="syntax" if is_syntax else "other",
        operator="mined",
        source=SOURCE,
        group=f"{repository.name}/{change.path}",
        origin={
            "repository": repository.name,
            "commit": commit.id,
            "path": change.path,
            "licence": licence,
        },
    )


def _syntax_pair(before: str, after: str) -> tuple[str, str]:
    """The function around what makes the earlier version fail to parse."""
    for name, (_, fixed) in outer_functions(after).items():
        broken = same_lines(before, after, name)
        if broken is not None and _values(broken) != _values(fixed):
            return broken, fixed
    raise _UnusableError("the earlier version does not parse, and no function tells why")


def _values(code: str) -> list[str]:
    return [lexeme.value for lexeme in read(code).lexemes]


def _text(repository: Repository, blob_id: str) -> str:
    try:
        raw = repository.read(blob_id)
    except TaskError as error:
        raise _UnusableError("the repository lacks an object") from error
    if len(raw) > MAX_BYTES:
        raise _UnusableError("a large file")
    try:
        return raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise _UnusableError("no UTF-8") from error


def _licence(repository: Repository) -> str:
    """The first line of the licence file at HEAD."""
    tree = repository.tree(repository.head())
    for name in _LICENCES:
        if name in tree:
            lines = repository.text(tree[name].id).strip().splitlines()
            return lines[0].strip()[:80] if lines else "unknown"
    return "unknown"
