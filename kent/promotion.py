"""By-hand promotion and rollback: which version may take the champion's place, and which not.

The gate's own decisions are the stage's (``trainers/gate.py``); both end in ``promotions``.
"""

import re
from dataclasses import dataclass
from typing import Literal

from kent.errors import PromotionError
from memory.files import sha256_file
from memory.records import ModelRow
from memory.store import Store

Decision = Literal["promoted", "rolled_back"]

_HISTORY = """
SELECT candidate, decision FROM promotions
WHERE kind = ? AND decision IN ('promoted', 'rolled_back') ORDER BY id
"""
_NO_REASON = "no reason was given"


@dataclass(frozen=True)
class Act:
    """What was done: ``champion`` took the place of ``replaced``, as the record's reason says."""

    champion: str
    replaced: str | None
    decision: Decision
    reason: str


def promote(store: Store, kind: str, version: str, reason: str = "") -> Act:
    """Make a version the champion of its kind, whatever the gate said of it.

    Args:
        store: open for writing; a daemon may use the same file.
        kind: such as ``critic``.
        version: ``3``, ``0003`` or ``critic-0003``.
        reason: what the record is to say; what speaks against the version is added.

    Raises:
        PromotionError: there is no such version, or its checkpoint is not as it was saved.
        StoreError: it is champion already, or a candidate is just being decided on.
    """
    return _act(store, find_version(store, kind, version), "promoted", reason)


def rollback(store: Store, kind: str, version: str | None = None, reason: str = "") -> Act:
    """Go back to a former champion, by default to the one before the present one.

    A rollback undoes: a second one goes one further back, not forth again.

    Raises:
        PromotionError: none was champion before, the version never was, or as for ``promote``.
        StoreError: as for ``promote``.
    """
    if version is not None:
        row = find_version(store, kind, version)
        former = [entry["candidate"] for entry in store.query(_HISTORY, (kind,))]
        if row.id not in former:
            raise PromotionError(
                f"{row.id} never was champion; `kent model promote {kind} {row.version}` "
                "makes it one"
            )
        return _act(store, row, "rolled_back", reason)
    _check_kind(store, kind)
    line = line_of_champions(store, kind)
    if len(line) < 2:
        there = f"before {line[0]}" if line else f"of kind {kind}"
        raise PromotionError(f"there was no champion {there}; name a version to promote")
    return _act(store, store.model(line[-2]), "rolled_back", reason)


def find_version(store: Store, kind: str, version: str) -> ModelRow:
    """Find a version by its number or its id.

    Raises:
        PromotionError: the store has no such kind or version.
    """
    _check_kind(store, kind)
    rows = store.models(kind)
    given = re.fullmatch(rf"(?:{re.escape(kind)}-)?([0-9]{{1,9}})", version)
    found = [row for row in rows if given and row.version == int(given[1])]
    if not found:
        raise PromotionError(
            f"there is no version {version} of {kind}; known are {rows[0].version} to "
            f"{rows[-1].version}: see `kent model versions {kind}`"
        )
    return found[0]


def line_of_champions(store: Store, kind: str) -> list[str]:
    """The ids of the champions one after the other, without those that a rollback undid.

    The last one is the present champion.
    """
    line: list[str] = []
    for row in store.query(_HISTORY, (kind,)):
        if row["decision"] == "rolled_back" and row["candidate"] in line:
            while line[-1] != row["candidate"]:
                line.pop()
        else:
            line.append(row["candidate"])
    now = store.champion(kind)
    if now is not None and line[-1:] != [now.id]:
        line.append(now.id)
    return line


def _act(store: Store, row: ModelRow, decision: Decision, reason: str) -> Act:
    now = store.champion(row.kind)
    replaced = None if now is None else now.id
    if row.id != replaced:  # the store says the other thing in its own words
        _check_checkpoint(store, row)
    text = "; ".join([" ".join(reason.split()) or _NO_REASON, *_against(row)])
    store.promote_by_hand(row.id, replacing=replaced, decision=decision, reason=text)
    return Act(row.id, replaced, decision, text)


def _against(row: ModelRow) -> list[str]:
    """What speaks against a version: it is allowed, and it is said in the record."""
    said = {
        "rejected": ["the gate had rejected it"],
        "candidate": ["no gate had decided on it"],
    }.get(row.status, [])
    return said + ([f"it was marked stale: {row.stale}"] if row.stale else [])


def _check_kind(store: Store, kind: str) -> None:
    known = [row["kind"] for row in store.query("SELECT DISTINCT kind FROM models ORDER BY kind")]
    if kind not in known:
        has = f"it has {', '.join(known)}" if known else "it has none yet: `kent round` trains one"
        raise PromotionError(f"the store has no version of kind {kind!r}; {has}")


def _check_checkpoint(store: Store, row: ModelRow) -> None:
    if row.checkpoint is None or row.sha256 is None:
        raise PromotionError(f"{row.id} is {row.status} and has no checkpoint; choose another one")
    path = store.path.parent / row.checkpoint
    try:
        found = sha256_file(path)
    except OSError as error:
        raise PromotionError(
            f"{row.id}: its checkpoint {path} cannot be read ({error.strerror or error}); put it "
            "back or choose another version"
        ) from error
    if found != row.sha256:
        raise PromotionError(
            f"{row.id}: its checkpoint {path} is not what its SHA-256 says; put the right file "
            "back or choose another version"
        )
