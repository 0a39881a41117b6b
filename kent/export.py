"""Writes the judged samples to a file from which a critic can be trained elsewhere.

JSON lines: first a header with counts and licences, then a line a sample.
"""

import gzip
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, get_args

from kent.errors import ExportError
from memory.files import write_atomically
from memory.records import ProblemRow
from memory.sample_stream import SampleFilter, SampleStream, open_samples
from memory.store import Store
from trainers.config import CriticConfig
from trainers.generators.prompts import protocol_id, solve_prompt
from trainers.tasks.licences import LICENCES

SCHEMA = "kent-samples/1"

Json = dict[str, Any]


def export_samples(
    store_path: Path, target: Path, wanted: SampleFilter, *, code_version: str, force: bool = False
) -> Json:
    """Write the samples that ``wanted`` lets through; a daemon may go on meanwhile.

    Args:
        store_path: the database.
        target: packed with gzip where its name ends in ``.gz``; whole or not there.
        wanted: which samples; those that no sandbox judged are counted and left out.
        code_version: of the KENT that writes.
        force: replace a file that exists.

    Returns:
        The header.

    Raises:
        ExportError: ``target`` exists, no sample is let through, or a prompt is no longer known.
        StoreError: the database cannot be read or ``target`` not be written.
    """
    if target.exists() and not force:
        raise ExportError(f"{target} exists; name another file, or replace it with --force")
    Store.open(store_path, read_only=True).close()  # refuses what is absent, foreign or too old
    with open_samples(store_path, wanted) as stream:
        header = _header(stream, wanted, code_version)
        write_atomically(
            target,
            lambda path: _write(path, target.name.endswith(".gz"), header, stream),
            overwrite=force,
        )
    return header


def _header(stream: SampleStream, wanted: SampleFilter, code_version: str) -> Json:
    groups = stream.groups()
    judged = [group for group in groups if group["verdict"] is not None]
    if not judged:
        raise ExportError(f"no judged sample {_in_words(wanted)}; nothing was written")
    known = {protocol_id(kind) for kind in _prompt_kinds()}
    if unknown := sorted({group["protocol"] for group in judged} - known):
        raise ExportError(
            f"there are samples under the protocol {', '.join(unknown)}, whose prompt this KENT "
            f"does not make; choose one with --protocol: {', '.join(sorted(known))}"
        )
    by = {name: _count(judged, name) for name in ("split", "source", "verdict", "generator_id",
                                                  "protocol")}  # fmt: skip
    return {
        "schema": SCHEMA,
        "kent_version": code_version,
        "exported_at": time.time(),
        "filter": asdict(wanted),
        "samples": sum(group["samples"] for group in judged),
        "problems": stream.problems(),
        "not_judged": sum(group["samples"] for group in groups if group["verdict"] is None),
        "by": by,
        "licences": {source: LICENCES.get(source, "unknown") for source in by["source"]},
    }


def _prompt_kinds() -> tuple[str, ...]:
    return get_args(CriticConfig.model_fields["protocol"].annotation)


def _count(groups: list[Json], name: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for group in groups:
        counts[group[name]] = counts.get(group[name], 0) + group["samples"]
    return counts


def _in_words(wanted: SampleFilter) -> str:
    given = [f"{name} {value}" for name, value in asdict(wanted).items() if value is not None]
    return f"of {', '.join(given)}" if given else "is in the store"


def _write(path: Path, packed: bool, header: Json, stream: SampleStream) -> None:
    with _text(path, packed) as file:
        file.write(json.dumps(header) + "\n")
        for row in stream.samples():
            file.write(json.dumps(_line(row)) + "\n")


@contextmanager
def _text(path: Path, packed: bool) -> Iterator[TextIO]:
    if not packed:
        with path.open("w", encoding="ascii", newline="\n") as file:
            yield file
        return
    # Without a name or a time of its own, so that the packed bytes follow from the lines alone.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as gz,
        io.TextIOWrapper(gz, encoding="ascii", newline="\n") as file,
    ):
        yield file


def _line(row: Json) -> Json:
    """One line: the stored columns, with the prompt as the generator was asked and a label."""
    kind = row["protocol"].partition("/")[0]
    prompt = [asdict(message) for message in solve_prompt(_problem(row), kind)]
    line = {**row, "prompt": prompt, "passed": row["verdict"] == "passed"}
    line["kent_version"] = line.pop("code_version")
    return line


def _problem(row: Json) -> ProblemRow:
    """What a prompt is made of; the hidden tests are not, and are not exported."""
    return ProblemRow(
        id=row["problem_id"],
        source=row["source"],
        statement=row["statement"],
        entry_point=row["entry_point"],
        split=row["split"],
        tests={},
        tests_hash=row["tests_hash"],
        visible_tests=tuple(row["visible_tests"]),
        stub=row["stub"],
    )
