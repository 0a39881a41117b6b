"""The words for a proposed repair: a patch, what is known of it, and the factors it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from trainers.code_trainer.regions import Operation

Level = Literal["none", "applies", "syntax", "factorisation", "tests"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""What a patch passed, weakest first. ``applies``: the lines that it replaces stand where it says;
``syntax``: the patched files parse; ``factorisation``: its hypervector has the operation, file and
location it was made for as its factors; ``tests``: the tests that the mode allows passed."""

WHOLE_FILE = "<file>"
"""The location of a patch that creates a file, or removes one with all its lines."""


@dataclass(frozen=True)
class CodePatch:
    """One changed region of one file (seed: code trainer §2.2).

    ``content`` takes the place of the lines from ``start`` (from 0) on that ``anchor`` holds
    verbatim; both are whole lines with their ends. An empty anchor is a pure insertion, an empty
    content a deletion. ``location``: qualified name and statement index (``locations.py``).
    """

    file: str
    operation: Operation
    location: str
    content: str
    start: int = 0
    anchor: str = ""

    @property
    def factors(self) -> dict[str, str]:
        """The three fillers by role, of which the patch's hypervector is made."""
        return {"OPERATION": self.operation, "FILE": self.file, "LOCATION": self.location}


@dataclass(frozen=True)
class PatchResult:
    """One candidate repair (seed: code trainer §2.2), and what speaks for it.

    ``verification_passed`` is what the checks said: True, every check that ran passed, up to
    ``verified_by``; False, the check after ``verified_by`` failed; None, nothing was checked.
    ``confidence`` is a probability where a calibration was fitted, else the product of the
    network's and the factors' probabilities. ``evidence`` is JSON.
    """

    patches: tuple[CodePatch, ...]
    confidence: float
    verification_passed: bool | None = None
    verified_by: Level = "none"
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CodePatchResult:
    """Operation, file and location of the repair that an issue asks for (seed: code trainer §2.4).

    ``confidences``: by role, the probability of the factor within its vocabulary;
    ``min_confidence``: the least of them, the seed's figure; ``probability``: their product.
    """

    file: str
    operation: str
    location: str
    min_confidence: float
    confidences: Mapping[str, float] = field(default_factory=dict)
    probability: float = 0.0

    @property
    def factors(self) -> dict[str, str]:
        """The three fillers by role."""
        return {"OPERATION": self.operation, "FILE": self.file, "LOCATION": self.location}
