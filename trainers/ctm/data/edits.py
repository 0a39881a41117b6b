"""Edit scripts between lexeme sequences: which whole lexemes to replace, insert or delete.

Sequences may hold anything that can be compared: lexemes as text, or a sample's word numbers.
Indentation and ends of lines are lexemes, so that lines can be inserted, deleted and re-indented.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MAX_EDITS = 8
"""A repair changes at most so many lexemes."""


class Op(IntEnum):
    """What an edit does at the lexeme that it names; the numbers are those of ``Batch.edit_op``."""

    REPLACE = 0
    INSERT_BEFORE = 1
    DELETE = 2


class Edit(NamedTuple, Generic[T]):
    """One edit at position ``at`` of a state; ``new`` is the new lexeme, None for DELETE."""

    at: int
    op: Op
    new: T | None


def script(state: Sequence[T], target: Sequence[T], limit: int = MAX_EDITS) -> list[Edit[T]] | None:
    """The fewest edits that turn ``state`` into ``target``, all in positions of ``state``.

    They are ordered by position; insertions before one lexeme stand in their order. Of equally
    short scripts one is chosen by rule: whole lines where a line comes or goes.

    Returns:
        None where more than ``limit`` edits are needed.
    """
    head = 0
    shorter = min(len(state), len(target))
    while head < shorter and state[head] == target[head]:
        head += 1
    tail = 0
    while tail < shorter - head and state[-1 - tail] == target[-1 - tail]:
        tail += 1
    old, new = state[head : len(state) - tail], target[head : len(target) - tail]
    if not old and not new:
        return []
    if not old:
        return _run(state, head, new, limit)
    if not new:
        return _gap(state, head, len(old), limit)
    found = _aligned(old, new, limit)
    return None if found is None else [Edit(e.at + head, e.op, e.new) for e in found]


def apply(state: Sequence[T], edit: Edit[T]) -> list[T]:
    """The state after one edit."""
    after = list(state)
    if edit.op is Op.DELETE:
        del after[edit.at]
    elif edit.op is Op.INSERT_BEFORE:
        after.insert(edit.at, edit.new)  # type: ignore[arg-type]
    else:
        after[edit.at] = edit.new  # type: ignore[assignment]
    return after


def remaining(edits: Sequence[Edit[T]], made: int) -> list[Edit[T]]:
    """The other edits, in positions of the state after edit number ``made`` of a script."""
    done = edits[made]
    return [
        edit._replace(at=edit.at + _shift(done, edit))
        for number, edit in enumerate(edits)
        if number != made
    ]


def next_edits(edits: Sequence[Edit[T]]) -> list[int]:
    """Which edits of a script may be made next, in any order: of insertions at one place the first.

    Returns:
        Their positions in ``edits``.
    """
    seen: set[int] = set()
    free = []
    for number, edit in enumerate(edits):
        if edit.op is Op.INSERT_BEFORE:
            if edit.at in seen:
                continue
            seen.add(edit.at)
        free.append(number)
    return free


def _shift(done: Edit[T], edit: Edit[T]) -> int:
    if done.op is Op.INSERT_BEFORE:
        return int(edit.at >= done.at)
    return -int(done.op is Op.DELETE and edit.at > done.at)


def _run(state: Sequence[T], at: int, new: Sequence[T], limit: int) -> list[Edit[T]] | None:
    """Insertions of a run before position ``at``, moved to where whole lines begin."""
    if len(new) > limit:
        return None
    run = list(new)
    for back in range(min(len(run), at) + 1):
        if _is_indent(run[0]) and run[-1] == "<eol>":
            return [Edit(at - back, Op.INSERT_BEFORE, value) for value in run]
        if back == at or run[-1] != state[at - back - 1]:
            break
        run = [run[-1], *run[:-1]]
    return [Edit(at, Op.INSERT_BEFORE, value) for value in new]


def _gap(state: Sequence[T], at: int, length: int, limit: int) -> list[Edit[T]] | None:
    """Deletions of a run, moved to where whole lines begin."""
    if length > limit:
        return None
    start = at
    for back in range(min(length, at) + 1):
        if _is_indent(state[at - back]) and state[at - back + length - 1] == "<eol>":
            start = at - back
            break
        if back == at or state[at - back - 1] != state[at - back + length - 1]:
            break
    return [Edit(start + i, Op.DELETE, None) for i in range(length)]


def _is_indent(value: object) -> bool:
    return isinstance(value, str) and value.startswith("<ind")


def _aligned(old: Sequence[T], new: Sequence[T], limit: int) -> list[Edit[T]] | None:
    """Levenshtein's alignment within a band of ``limit`` around the diagonal."""
    if abs(len(old) - len(new)) > limit:
        return None
    far = limit + 1
    table = [{j: j for j in range(min(limit, len(new)) + 1)}]
    for i in range(1, len(old) + 1):
        before = table[-1]
        row: dict[int, int] = {}
        for j in range(max(i - limit, 0), min(i + limit, len(new)) + 1):
            best = min(before.get(j, far), row.get(j - 1, far)) + 1
            if j:
                best = min(best, before.get(j - 1, far) + (old[i - 1] != new[j - 1]))
            row[j] = best
        if min(row.values()) > limit:
            return None
        table.append(row)
    if table[-1].get(len(new), far) > limit:
        return None
    return _traced(table, old, new, far)


def _traced(
    table: list[dict[int, int]], old: Sequence[T], new: Sequence[T], far: int
) -> list[Edit[T]]:
    edits: list[Edit[T]] = []
    i, j = len(old), len(new)
    while i or j:
        cost = table[i][j]
        if i and j and old[i - 1] == new[j - 1] and table[i - 1].get(j - 1, far) == cost:
            i, j = i - 1, j - 1
        elif j and table[i].get(j - 1, far) + 1 == cost:
            j -= 1
            edits.append(Edit(i, Op.INSERT_BEFORE, new[j]))
        elif i and table[i - 1].get(j, far) + 1 == cost:
            i -= 1
            edits.append(Edit(i, Op.DELETE, None))
        else:
            i, j = i - 1, j - 1
            edits.append(Edit(i, Op.REPLACE, new[j]))
    edits.reverse()
    return edits
