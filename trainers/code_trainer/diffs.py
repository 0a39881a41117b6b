"""From texts before and after to patches, back, and to a unified diff that ``git apply`` takes."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from trainers.code_trainer.locations import Locations
from trainers.code_trainer.patches import WHOLE_FILE, CodePatch
from trainers.code_trainer.regions import Region, largest_region_operation, regions, split_lines
from trainers.errors import PatchError

_NO_NEWLINE = "\n\\ No newline at end of file\n"
_UNSAFE_PATH = re.compile(r'[\x00-\x1f"\\\x7f]')


def patches_of(before: Mapping[str, str], after: Mapping[str, str]) -> list[CodePatch]:
    """The patches that make one set of texts the other, by path and line.

    A path that only one of the two has is a file that is created or removed.
    """
    found: list[CodePatch] = []
    for path in sorted({*before, *after}):
        if path in before and path in after:
            found.extend(_file_patches(path, before[path], after[path]))
        elif path in after:
            kind = largest_region_operation("", after[path]) or "add_line"
            found.append(CodePatch(path, kind, WHOLE_FILE, after[path]))
        else:
            kind = largest_region_operation(before[path], "") or "delete_line"
            found.append(CodePatch(path, kind, WHOLE_FILE, "", 0, before[path]))
    return found


def apply_patches(before: Mapping[str, str], patches: Iterable[CodePatch]) -> dict[str, str]:
    """The texts after the patches, in any order; files that none of them touches stay as they are.

    Raises:
        PatchError: a patch's anchor does not stand where it says, two patches overlap, or one is of
            a file that is not there.
    """
    texts = dict(before)
    ordered = sorted(patches, key=lambda patch: (patch.file, patch.start, len(patch.anchor)))
    for path, group in groupby(ordered, key=lambda patch: patch.file):
        own = list(group)
        if own[0].location == WHOLE_FILE:
            _apply_whole(texts, own)
        else:
            texts[path] = _apply_lines(texts.get(path), own)
    return texts


def unified_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The change as a unified diff with ``a/`` and ``b/``; empty where nothing changed.

    Raises:
        PatchError: a path holds a control character, a quote or a backslash.
    """
    parts: list[str] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        if _UNSAFE_PATH.search(path):
            raise PatchError(f"the path {path!r} cannot stand in a diff: rename the file first")
        parts.extend(_file_diff(path, old, new))
    return "".join(parts)


def _file_patches(path: str, before: str, after: str) -> Iterator[CodePatch]:
    found = regions(before, after)
    locations = Locations(before) if found else None
    for region in found:
        assert locations is not None
        yield CodePatch(
            file=path,
            operation=region.operation,
            location=_location(locations, region),
            content="".join(region.added),
            start=region.start,
            anchor="".join(region.removed),
        )


def _location(locations: Locations, region: Region) -> str:
    """Of what is replaced or deleted, its first line with text; of an insertion, its place."""
    lines = region.removed or region.added
    skipped = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if region.removed:
        return locations.at(region.start + skipped)
    first = lines[skipped]
    return locations.at(region.start, len(first) - len(first.lstrip()))


def _apply_whole(texts: dict[str, str], patches: list[CodePatch]) -> None:
    first, *others = patches
    if others:
        raise PatchError(f"{first.file}: a patch of the whole file stands beside another of it")
    if first.anchor and texts.get(first.file) != first.anchor:
        raise PatchError(f"{first.file} is not the file that the patch removes: read it again")
    if not first.anchor and texts.get(first.file):
        raise PatchError(f"{first.file} is there already: patch its lines, or remove it first")
    if first.file in texts:
        del texts[first.file]
    else:
        texts[first.file] = first.content


def _apply_lines(text: str | None, patches: list[CodePatch]) -> str:
    if text is None:
        raise PatchError(f"{patches[0].file} is not there: the patch is of another tree")
    lines = split_lines(text)
    done: list[str] = []
    position = 0
    for patch in patches:
        anchor = split_lines(patch.anchor)
        end = patch.start + len(anchor)
        if patch.start < position:
            raise PatchError(f"{patch.file}: two patches change line {patch.start + 1}")
        if patch.start > len(lines) or lines[patch.start : end] != anchor:
            raise PatchError(f"{patch.file}: line {patch.start + 1} is not what the patch replaces")
        done += [*lines[position : patch.start], patch.content]
        position = end
    return "".join([*done, *lines[position:]])


def _file_diff(path: str, old: str | None, new: str | None) -> Iterator[str]:
    yield f"diff --git a/{path} b/{path}\n"
    if old is None:
        yield "new file mode 100644\n"
    if new is None:
        yield "deleted file mode 100644\n"
    if not old and not new:  # an empty file has no hunk; git knows it by the hash of nothing
        yield f"index {_hash(old)}..{_hash(new)}\n"
        return
    source = f"a/{path}" if old is not None else "/dev/null"
    target = f"b/{path}" if new is not None else "/dev/null"
    tab = "\t" if " " in path else ""  # as git does, so that the name has an end
    lines = difflib.unified_diff(
        split_lines(old or ""), split_lines(new or ""), source + tab, target + tab
    )
    for line in lines:
        yield line if line.endswith("\n") else line + _NO_NEWLINE


def _hash(text: str | None) -> str:
    return "0000000" if text is None else "e69de29"
