"""Where a task's tests run: the repository at its base commit, with its tests or a release's.

What is no Python code, and the tests, are the release's; every code file is the base commit's own.
The task's test patch is applied to the release's test files, so that it must fit them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.swe.checkout import check_out
from trainers.tasks.swe.judging.recipes import RECIPES
from trainers.tasks.swe.judging.releases import Release
from trainers.tasks.swe.patching import apply_patch, parse_patch
from trainers.tasks.swe.paths import MAX_BYTES, is_code, is_test
from trainers.tasks.swe.repository import GitTree
from trainers.tasks.swe.types import SWETask


@dataclass(frozen=True)
class Place:
    """A tree on the disk, what the base commit changes in it, and the task's test files.

    ``base`` and ``tests``: text by path; None in ``base``: the base commit lacks the file.
    ``named``: those of ``tests`` that the test patch changes.
    """

    folder: Path
    told: str
    base: Mapping[str, str | None]
    tests: Mapping[str, str]
    named: Mapping[str, str]


OWN = "the base commit's own tests"
FUZZ = 2
"""Of a test patch on a release's test files; the golden patch says whether what it makes serves."""


def places(task: SWETask, releases: Sequence[Release], checkouts: Path) -> Iterator[Place]:
    """Places for a task: its clone's, else those of releases, the nearest in time first.

    Args:
        task: with its tree and its test patch.
        releases: oldest first. The frame is the first after the base commit, since a release is cut
            from what the base commit is on; the tests are of the release before or of that after.
        checkouts: the folder where a clone's base commit is checked out.

    Raises:
        TaskError: the task has no tree or no test patch.
    """
    if task.tree is None or task.judge is None or not task.judge.test_patch.strip():
        raise TaskError(f"{task.task_id} has no tree or no test patch: no test can judge it")
    if isinstance(task.tree, GitTree):
        yield from _own(task, task.tree, checkouts)
        return
    recipe = RECIPES.get(task.repo)
    support = recipe.support if recipe else ()
    for frame, source, own in _trials(releases, task.base_date or 0.0, bool(support)):
        tests = _patched(task, source)
        if tests is None:
            continue
        beside = {} if frame is source else _beside(tests, source)
        told = frame.name if frame is source else f"{frame.name}, tests of {source.version}"
        if own:
            beside |= _texts(source, support)
            told = f"{frame.name}, tests and their support of {source.version}"
        yield Place(frame.folder, told, _difference(task, frame), {**beside, **tests}, tests)


def _own(task: SWETask, tree: GitTree, checkouts: Path) -> Iterator[Place]:
    """The work tree of a clone's base commit: its tests are of that very day."""
    where = tree.origin()
    folder = checkouts / f"{task.task_id}-{where['commit'][:12]}"
    if not (folder / ".git").is_dir():
        check_out(Path(where["repository"]), where["commit"], folder)
    assert task.judge is not None
    before = {
        one.old: text
        for one in parse_patch(task.judge.test_patch)
        if one.old is not None and (text := _read(folder / one.old)) is not None
    }
    tests = {p: text for p, text in apply_patch(task.judge.test_patch, before).items() if text}
    yield Place(folder, OWN, {}, tests, tests)


def _pairs(releases: Sequence[Release], date: float) -> list[tuple[Release, Release]]:
    """Frame and source of tests."""
    before = next((one for one in reversed(releases) if one.date < date), None)
    after = next((one for one in releases if one.date >= date), None)
    if before is None or after is None:
        return [(one, one) for one in (before, after) if one is not None]
    near = [(after, before), (after, after)]
    if after.date - date < date - before.date:
        near.reverse()
    return [*near, (before, before)]


def _trials(
    releases: Sequence[Release], date: float, support: bool
) -> Iterator[tuple[Release, Release, bool]]:
    """Frame, source of tests, and whether the package's support of tests is of that source, too."""
    for frame, source in _pairs(releases, date):
        yield frame, source, False
        if support and frame is not source:
            yield frame, source, True


def _texts(release: Release, patterns: Sequence[str]) -> dict[str, str]:
    paths = (path for pattern in patterns for path in release.folder.glob(pattern))
    found = ((path.relative_to(release.folder).as_posix(), _read(path)) for path in paths)
    return {path: text for path, text in found if text is not None}


def _beside(tests: Mapping[str, str], release: Release) -> dict[str, str]:
    """The Python files of a release in the folders of these tests: models and helpers of theirs."""
    folders = {(release.folder / path).parent for path in tests}
    found = {}
    for folder in folders:
        for path in folder.glob("*.py"):
            relative = path.relative_to(release.folder).as_posix()
            if is_test(relative) and (text := _read(path)) is not None:
                found[relative] = text
    return found


def _patched(task: SWETask, release: Release) -> dict[str, str] | None:
    """The files of the test patch after it; a release that has it already is as it is."""
    assert task.judge is not None
    patch = task.judge.test_patch
    before = {
        one.old: text
        for one in parse_patch(patch)
        if one.old is not None and (text := _read(release.folder / one.old)) is not None
    }
    exact = _applied(patch, before, 0) or _patched_already(patch, release)
    return exact or _applied(patch, before, FUZZ)


def _applied(patch: str, before: Mapping[str, str], fuzz: int) -> dict[str, str] | None:
    try:
        after = apply_patch(patch, before, fuzz=fuzz)
    except TaskError:
        return None
    return {path: text for path, text in after.items() if text}


def _patched_already(patch: str, release: Release) -> dict[str, str] | None:
    found = {}
    for one in parse_patch(patch):
        if one.new is None or not one.new.endswith(".py"):
            continue
        text = _read(release.folder / one.new)
        if text is None or not all("".join(hunk.after) in text for hunk in one.hunks):
            return None
        found[one.new] = text
    return found or None


def _difference(task: SWETask, release: Release) -> dict[str, str | None]:
    """What the base commit's code files differ in from the release's."""
    assert task.tree is not None
    wanted = task.tree.files()
    theirs = _code_files(release.folder)
    changes: dict[str, str | None] = {path: None for path in theirs if path not in wanted}
    for path in wanted:
        text = task.tree.text(path)
        if path not in theirs or _read(release.folder / path) != text:
            changes[path] = text
    return changes


@lru_cache(maxsize=64)
def _code_files(folder: Path) -> frozenset[str]:
    """Those that a shared tree would have: no tests, and nothing too large."""
    files = (path for path in folder.rglob("*.py") if path.stat().st_size <= MAX_BYTES)
    paths = (path.relative_to(folder).as_posix() for path in files)
    return frozenset(path for path in paths if is_code(path))


def _read(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return file.read()
    except OSError:
        return None
