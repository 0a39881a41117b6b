"""Builds a data set: functions, vocabulary, collected pairs, then shard after shard.

Each step is committed when it is done. A build that was killed goes on at its first missing shard
and gives the same bytes as one that was not. A complete data set grows where more is asked for:
train alone, with the vocabulary, the functions and the scale of difficulty that it has.
"""

import json
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from trainers.ctm.data.collectors.pair import Pair
from trainers.ctm.data.collectors.synthetic import SOURCE as SYNTHETIC
from trainers.ctm.data.corpus import Package
from trainers.ctm.data.difficulty import quantiles
from trainers.ctm.data.gather import (
    FUNCTIONS,
    Placed,
    Progress,
    fitting,
    gather,
    read_functions,
    write_functions,
)
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.make import PAIRS, BuildOptions, ShardMaker, listed
from trainers.ctm.data.manifest import (
    MANIFEST,
    SPLITS,
    VOCABULARY,
    Manifest,
    load_manifest,
    write_whole,
)
from trainers.ctm.data.operators.security import TEMPLATES, verify
from trainers.ctm.data.program import Program
from trainers.ctm.data.shards import Shard
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.ctm.data.validate import (
    Drops,
)
from trainers.errors import CTMDataError

Collect = Callable[[Sequence[Placed], Drops], Iterable[Pair]]
"""Gives pairs; is shown the functions that were gathered, and counts what it leaves out."""


def build(
    out: Path,
    options: BuildOptions,
    packages: Sequence[Package],
    *,
    collect: Collect | None = None,
    exclude: frozenset[str] = frozenset(),
    progress: Progress = lambda phase, done, total: None,
) -> Manifest:
    """Build a data set in a folder, go on with one, or let one grow to ``options.samples``.

    Args:
        out: the folder.
        options: what it is made of.
        packages: where functions come from.
        collect: gives the pairs of the other collectors.
        exclude: likenesses of benchmark programs; nothing like them is used.
        progress: is told how far it is.

    Raises:
        CTMDataError: the folder holds another data set, or nothing can be made.
    """
    out.mkdir(parents=True, exist_ok=True)
    manifest = _begin(out, options)
    there = manifest.complete
    enough = manifest.samples("train") >= options.samples or "train" in manifest.fruitless
    if there and enough:
        return manifest
    if not manifest.corpus:
        _gather(out, options, packages, exclude, manifest, progress)
    placed = list(read_functions(out / FUNCTIONS))
    tokenizer = CodeTokenizer.load(out / VOCABULARY, manifest.vocabulary)
    if not (out / PAIRS).exists():
        _collect(out, collect, placed, manifest)
    encoder = CTMGridEncoder(tokenizer, options.height, options.width)
    maker = ShardMaker(out, options, encoder, manifest, exclude)
    for split in ("train",) if there else SPLITS:
        maker.fill(split, placed, progress)
    if there:
        manifest.options["samples"] = options.samples
        manifest.save(out)
        return manifest
    shards = [Shard(out / entry.name) for entry in manifest.shards["train"]]
    bugs = (shard.column("raw")[shard.column("edits") > 0] for shard in shards)
    manifest.quantiles = quantiles(float(raw) for raws in bugs for raw in raws)
    manifest.complete = True
    manifest.save(out)
    return manifest


def _begin(out: Path, options: BuildOptions) -> Manifest:
    asked = json.loads(json.dumps(options.__dict__))
    if not (out / MANIFEST).exists():
        if any(out.iterdir()):
            raise CTMDataError(f"{out} holds other files; choose an empty folder")
        manifest = Manifest(asked, python=platform.python_version())
        manifest.save(out)
        return manifest
    manifest = load_manifest(out)
    differ = {k for k in asked if asked[k] != manifest.options.get(k)}
    if manifest.complete:  # it can grow, and what it was read from stays
        differ -= {"samples", "functions"}
    if differ:
        raise CTMDataError(
            f"{out} holds a data set with another {', '.join(sorted(differ))}; choose another "
            "folder, or give the same options to go on"
        )
    return manifest


def _gather(
    out: Path,
    options: BuildOptions,
    packages: Sequence[Package],
    exclude: frozenset[str],
    manifest: Manifest,
    progress: Progress,
) -> None:
    placed, held_out, counts = gather(packages, options.functions, exclude, progress)
    train = (Program.of(one.code).values for one in placed if one.split == "train")
    tokenizer = CodeTokenizer.train(train, options.vocabulary)
    tokenizer.save(out / VOCABULARY)
    kept, refused = fitting(placed, tokenizer, options.height, options.width)
    write_functions(out / FUNCTIONS, kept)
    manifest.vocabulary, manifest.test_packages = tokenizer.version, held_out
    wrong = verify() if SYNTHETIC in options.sources else []
    manifest.templates = [one.name for one in TEMPLATES if one.name not in wrong]
    manifest.corpus = {**counts, **refused, "kept": len(kept)}
    manifest.corpus |= {f"kept in {s}": sum(one.split == s for one in kept) for s in SPLITS}
    manifest.save(out)


def _collect(
    out: Path, collect: Collect | None, placed: Sequence[Placed], manifest: Manifest
) -> None:
    drops: Drops = Counter()
    pairs = list(collect(placed, drops)) if collect is not None else []
    manifest.collected = listed(drops)
    manifest.save(out)
    write_whole(out / PAIRS, "".join(json.dumps(pair.to_json()) + "\n" for pair in pairs))
