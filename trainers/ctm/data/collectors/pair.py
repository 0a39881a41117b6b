"""A pair of a broken and a sound program as a collector gives it, before it becomes a sample."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from trainers.ctm.data.taxonomy import BugClass

Count = Callable[[str], None]
"""Takes the reason why something was left out; a collector calls it once for each."""


@dataclass(frozen=True)
class Pair:
    """A broken program and the sound one.

    ``group`` is what must not be on two sides of a split: a file of a repository, a question.
    ``origin`` tells repository, commit, licence or whatever else is known.
    """

    broken: str
    fixed: str
    bug_class: BugClass
    operator: str
    source: str
    group: str
    train_only: bool = False
    origin: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)


def ignore(reason: str) -> None:
    """Counts nothing."""
