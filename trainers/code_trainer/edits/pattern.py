"""A pattern: what one kind of edit looks for and what it puts there, with its key and JSON."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from trainers.code_trainer.edits import template
from trainers.code_trainer.edits.template import Hole, Tree, Value
from trainers.code_trainer.edits.types import CALLS

Kind = Literal["replace", "insert", "delete"]
BODY = "body"
"""``where`` of a statement in a list of statements, whatever it belongs to."""

_TREES = {"Compare": "bool", "List": "list", "ListComp": "list", "Tuple": "tuple", "Dict": "dict"}


@dataclass(frozen=True)
class Pattern:
    """An edit with its particulars left open.

    ``where``: for ``insert`` and ``delete`` the list that is changed, as ``Call.args``; ``body``
    for statements. ``level``: 0 keeps known names, operators and small constants, 1 opens
    constants and attributes, 2 opens operators and built-ins too and asks only for a kind of place.
    """

    kind: Kind
    level: int
    where: str
    before: Value | None
    after: Value | None

    @cached_property
    def key(self) -> str:
        """A name that is the same on every machine."""
        text = json.dumps(self._parts(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _parts(self) -> list[Any]:
        sides = [None if t is None else template.to_json(t) for t in (self.before, self.after)]
        return [self.kind, self.where, *sides]

    @property
    def operation(self) -> str:
        """One of the seed's six operations."""
        root = self.after if self.kind == "insert" else self.before
        name = root.type if isinstance(root, Tree | Hole) else ""
        if name in ("FunctionDef", "AsyncFunctionDef"):
            verb = {"insert": "add", "delete": "delete", "replace": "modify"}[self.kind]
            return f"{verb}_function"
        if self.where == BODY:
            return "add_line" if self.kind == "insert" else "delete_line"
        if name in ("arguments", "arg"):
            return "modify_function"
        return "modify_line"

    @cached_property
    def slots(self) -> tuple[Hole, ...]:
        """The holes that are to be filled from the program."""
        return tuple(hole for hole in template.holes(self.after) if hole.kind != "e")

    @cached_property
    def size(self) -> int:
        """Nodes and holes of both sides."""
        return template.weight(self.before) + template.weight(self.after)

    @cached_property
    def loses(self) -> bool:
        """Whether nothing is left of what stood there."""
        if self.kind == "delete":
            return True
        return not any(hole.kind in ("e", "sub", "swap") for hole in template.holes(self.after))

    @cached_property
    def made_type(self) -> str | None:
        """The type of what is put in place, "" where its root does not tell; None: it is a hole."""
        after = self.after
        if not isinstance(after, Tree):
            return None
        value = dict(after.fields)
        if after.type == "Call" and isinstance(func := value.get("func"), Tree) and func.fields:
            name = func.fields[0][1]
            return CALLS.get(name.value, "") if isinstance(name, template.Literal) else ""
        if after.type == "UnaryOp":
            return "bool" if value.get("op") == Tree("Not") else "int"
        return _TREES.get(after.type, "")

    @property
    def leaves(self) -> tuple[bool, str | None]:
        """All that :meth:`.priors.Evidence.loss` asks of a pattern."""
        return self.loses, self.made_type

    def to_json(self) -> dict[str, Any]:
        """The pattern as a JSON document."""
        kind, where, before, after = self._parts()
        return {
            "kind": kind,
            "level": self.level,
            "where": where,
            "before": before,
            "after": after,
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Pattern":
        """Tell what :meth:`to_json` made, back.

        Raises:
            ValueError: not a form that it makes.
        """
        try:
            kind, level, where = (document[name] for name in ("kind", "level", "where"))
            before, after = document["before"], document["after"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no pattern: {str(document)[:80]}") from error
        if kind not in ("replace", "insert", "delete"):
            raise ValueError(f"no kind of pattern: {kind!r}")
        return cls(
            kind,
            level,
            where,
            None if before is None else template.from_json(before),
            None if after is None else template.from_json(after),
        )

    def __str__(self) -> str:
        before, after = template.text(self.before), template.text(self.after)
        if self.kind == "insert":
            return f"insert in {self.where}: {after}"
        if self.kind == "delete":
            return f"delete from {self.where}: {before}"
        return f"{before} -> {after}"
