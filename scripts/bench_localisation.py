#!/usr/bin/env python
"""Measures localisation on SWE tasks: ours against BM25, by folds and by repository left out.

Nothing is tuned here, and each task is ranked by a model that did not see it; the memory of fixes
sees only those before the task's base date. Writes JSON where --out says.
"""

import argparse
import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from memory.hologram.codebook import Codebook
from memory.records import Figure
from trainers.code_trainer.ablation import ABLATIONS, OURS, VECTORS, with_vectors
from trainers.code_trainer.bm25 import PATH_WEIGHT, bm25_scores
from trainers.code_trainer.evaluate_localisation import (
    by_folds,
    by_repository,
    detail_figures,
    file_figures,
    paired,
    score_parts,
    worst_rank,
)
from trainers.code_trainer.examples import Example, make_examples
from trainers.code_trainer.model import ModelSettings, gold_files
from trainers.code_trainer.tables import TableMaker
from trainers.tasks.swe.shared import read_swe
from trainers.tasks.swe.types import SWETask

Document = dict[str, dict[str, object]]


def say(line: str) -> None:
    """Progress goes to standard error."""
    print(f"[{time.monotonic() - START:7.1f} s] {line}", file=sys.stderr, flush=True)


def bm25_ranks(
    examples: Sequence[Example], tasks: Mapping[str, SWETask], maker: TableMaker, cache: Path
) -> dict[str, dict[str, int]]:
    """Strict ranks by BM25 of contents, and of contents and path tokens; kept in a file."""
    path = cache / "bm25.json"
    found: dict[str, dict[str, int]] = json.loads(path.read_text()) if path.is_file() else {}
    known = found.setdefault("BM25", {}), found.setdefault("BM25 + paths", {})
    missing = [e for e in examples if not e.lent and e.task_id not in known[1]]
    for example in sorted(missing, key=lambda example: example.repo):
        task = tasks[example.task_id]
        if task.tree is None:
            continue
        view = maker.view(task.repo, task.tree)
        for ranks, weight in zip(known, (0, PATH_WEIGHT), strict=True):
            scores = bm25_scores(view, task.issue_text, weight)
            ranks[example.task_id] = worst_rank(scores, gold_files(example))
    if missing:
        path.write_text(json.dumps(found))
    wanted = {example.task_id for example in examples if not example.lent}
    return {name: {i: r for i, r in ranks.items() if i in wanted} for name, ranks in found.items()}


def row(name: str, figures: Mapping[str, Figure]) -> dict[str, object]:
    """Print a line of the table and give its JSON."""
    parts = [
        f"{key} {100 * f.value:5.1f} [{100 * (f.low or 0):.1f}, {100 * (f.high or 0):.1f}]"
        for key, f in figures.items()
        if f.value is not None
    ]
    n = max((figure.n for figure in figures.values()), default=0)
    print(f"{name:55} n={n:4}  " + "  ".join(parts), flush=True)
    return {key: figure.to_json() for key, figure in figures.items()}


def main() -> None:
    """Measure what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the shared format")
    parser.add_argument("--cache", type=Path, required=True, help="indexes, tables, yardsticks")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--no-repositories", action="store_true", help="skip leave-one-out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tasks = {t.task_id: t for t in read_swe(arguments.data, cache=arguments.cache / "packs")}
    say(f"{len(tasks)} tasks read")
    maker = TableMaker(arguments.cache / "index")
    lines: list[str] = []
    examples = make_examples(tasks.values(), maker, arguments.cache / "tables", lines.append)
    say(f"{len(examples)} tasks are ready; {len(lines)} have no tree that has their files")
    yardsticks = bm25_ranks(examples, tasks, maker, arguments.cache)
    say("BM25 is ready")
    document = measure(examples, tasks, yardsticks, maker, arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=1))


def measure(
    examples: Sequence[Example],
    tasks: Mapping[str, SWETask],
    yardsticks: Mapping[str, Mapping[str, int]],
    maker: TableMaker,
    arguments: argparse.Namespace,
) -> Document:
    """All rows of the table."""
    seed, split = arguments.seed, by_folds(arguments.folds)
    settings = ModelSettings(without=VECTORS)
    settings = replace(settings, files=replace(settings.files, seed=seed))
    document: Document = {}
    variants = {OURS: settings}
    if arguments.ablation:
        lent = [example for example in examples if example.lent]
        codebook = Codebook(seed=seed)
        examples = with_vectors(examples, tasks, maker, codebook, arguments.cache / "vectors", say)
        examples = [*examples, *lent]
        variants |= {a.name: replace(settings, without=a.without) for a in ABLATIONS}
    by_variant = score_parts(examples, split, variants, details=OURS, say=say)
    scored = by_variant[OURS]
    ours = {one.task_id: one.worst for one in scored}
    document["ours"] = row("ours", file_figures(list(ours.values()), seed))
    for name, ranks in yardsticks.items():
        document[name] = row(name, file_figures(list(ranks.values()), seed))
        document[f"ours - {name}"] = row(f"ours - {name}", paired(ours, ranks, seed))
    for part in ("lite", "verified"):
        own = [r for i, r in ours.items() if part in tasks[i].metadata.get("sets", ())]
        if own:
            document[f"ours, {part}"] = row(f"ours, {part}", file_figures(own, seed))
    document["details"] = row("given the file; operation; ECE", detail_figures(scored, seed))
    known = {name: {one.task_id: one.worst for one in by_variant[name]} for name in variants}
    for ablation in ABLATIONS if arguments.ablation else ():
        name, ranks = ablation.name, known[ablation.name]
        document[name] = row(name, file_figures(list(ranks.values()), seed))
        for other in ablation.against:
            difference = paired(ranks, known[other], seed)
            document[f"{name} - {other}"] = row(f"    - {other}", difference)
    if not arguments.no_repositories:
        name = "repository never trained on"
        apart = score_parts(
            examples, by_repository, {name: settings}, whole_repository=True, say=say
        )[name]
        ranks = {one.task_id: one.worst for one in apart}
        document[name] = row(name, file_figures(list(ranks.values()), seed))
        document[f"{name} - ours"] = row("    - ours", paired(ranks, ours, seed))
    return document


if __name__ == "__main__":
    START = time.monotonic()
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    main()
