"""What a generated patch passes, level by level, before any test is run."""

from collections.abc import Mapping, Sequence

from trainers.code_trainer.diffs import apply_patches
from trainers.code_trainer.patch_vectors import PatchVectors
from trainers.code_trainer.patches import CodePatch, CodePatchResult, Level
from trainers.errors import PatchError
from trainers.tasks.python_source import parse


def verify(
    patches: Sequence[CodePatch],
    before: Mapping[str, str],
    factors: CodePatchResult,
    vectors: PatchVectors,
    vocabularies: Mapping[str, Sequence[str]],
) -> tuple[bool | None, Level]:
    """Whether all checks passed, and the last that did.

    None and ``none`` where there is nothing to check. A file that did not parse before the patch
    is not asked to parse after it.
    """
    if not patches:
        return None, "none"
    try:
        after = apply_patches(before, patches)
    except PatchError:
        return False, "none"
    changed = [path for path, text in after.items() if before.get(path) != text]
    if not all(parses(after[path]) or not parses(before.get(path, "")) for path in changed):
        return False, "applies"
    if not vectors.agrees(patches, factors.factors, vocabularies):
        return False, "syntax"
    return True, "factorisation"


def parses(text: str) -> bool:
    """True where the text is Python of this interpreter."""
    try:
        parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
