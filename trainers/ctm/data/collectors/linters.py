"""Findings of ruff with a fix, in installed packages: what a linter mends in one function.

Families F, E9, B and PLE; styles and star imports are left out, and so are B905 and B028, whose
fixes write out an argument that nothing in the program asks for (``strict=False``,
``stacklevel=2``): nine findings of ten were theirs, and good code is full of them. A finding is no
proof of wrong behaviour, so that these are a class of their own, ``lint``.
"""

import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from trainers.ctm.data.collectors.definitions import Definition, outer_functions
from trainers.ctm.data.collectors.pair import Count, Pair, ignore
from trainers.ctm.data.corpus import Package, cut, source_of
from trainers.errors import CTMDataError

SOURCE = "ruff"
FAMILIES, LEFT_OUT = "F,E9,B,PLE", "F405,F403,E999,B905,B028"
_AT_ONCE = 500  # files for one run of ruff


def lint_pairs(
    package: Package, files: Sequence[str], *, per_file: int = 8, count: Count = ignore
) -> Iterator[Pair]:
    """The pairs of a package's files; code is read and never run.

    Args:
        package: where the files are.
        files: their paths below its folder.
        per_file: how many pairs a file gives at most.
        count: is told why a finding gave none.

    Raises:
        CTMDataError: ruff is not there or does not run.
    """
    for start in range(0, len(files), _AT_ONCE):
        findings = _findings(package.root, files[start : start + _AT_ONCE])
        for name, group in groupby(findings, key=lambda one: str(one["filename"])):
            path = str(Path(name).relative_to(package.root.resolve()))
            yield from _of_file(package, path, list(group), per_file, count)


def _of_file(
    package: Package, path: str, findings: list[dict[str, Any]], most: int, count: Count
) -> Iterator[Pair]:
    source = source_of(package, path)
    if source is None:
        return
    try:
        known = [node for node, _ in outer_functions(source).values()]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        count("does not parse")
        return
    given = 0
    for finding in findings:
        if given == most:
            return
        pair = _of_finding(source, finding["fix"]["edits"], known)
        if pair is None:
            count("not in one function")
            continue
        broken, fixed = pair
        given += 1
        yield Pair(
            broken=broken,
            fixed=fixed,
            bug_class="lint",
            operator="lint",
            source=SOURCE,
            group=f"{package.name}/{path}",
            origin={
                "package": package.name,
                "version": package.version,
                "licence": package.licence,
                "path": path,
                "line": finding["location"]["row"],
                "rule": finding["code"],
                "safe": finding["fix"]["applicability"] == "safe",
            },
        )


def _findings(root: Path, files: Sequence[str]) -> list[dict[str, Any]]:
    """The findings that have a fix, by file."""
    root = root.resolve()
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [
                _ruff(), "check", "--isolated", "--no-cache", "--select", FAMILIES, "--ignore",
                LEFT_OUT, "--output-format", "json", "--unsafe-fixes", "--exit-zero",
                *(str(root / name) for name in files),
            ],
            capture_output=True, text=True, check=False, cwd=cache,
        )  # fmt: skip
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[0]
        raise CTMDataError(f"ruff does not run ({said}); install ruff") from error
    return [one for one in found if one.get("fix") and one["fix"].get("edits")]


def _of_finding(
    source: str, edits: list[dict[str, Any]], known: list[Definition]
) -> tuple[str, str] | None:
    """The function that all edits of a fix are in, before and after; None where there is none."""
    first = min(edit["location"]["row"] for edit in edits)
    last = max(edit["end_location"]["row"] for edit in edits)
    around = [n for n in known if n.lineno <= first and last <= (n.end_lineno or 0)]
    if not around:
        return None
    node = around[0]
    before, after = source.split("\n"), _mended(source, edits).split("\n")
    longer = len(after) - len(before)
    return cut(before, node), cut(after, node, longer)


def _mended(source: str, edits: list[dict[str, Any]]) -> str:
    """The text after a fix; its places are lines and columns from 1."""
    starts = [0]
    for line in source.split("\n"):
        starts.append(starts[-1] + len(line) + 1)

    def place(at: dict[str, int]) -> int:
        return min(starts[min(at["row"], len(starts)) - 1] + at["column"] - 1, len(source))

    for edit in sorted(edits, key=lambda e: place(e["location"]), reverse=True):
        start, end = place(edit["location"]), place(edit["end_location"])
        source = source[:start] + edit["content"] + source[end:]
    return source


def _ruff() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "ruff"
    found = str(beside) if beside.is_file() else shutil.which("ruff")
    if not found:
        raise CTMDataError(f"ruff is not installed; {sys.executable} -m pip install ruff")
    return found
