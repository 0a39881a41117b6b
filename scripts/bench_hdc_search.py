"""Packed search, bundles and the small operations of memory/hologram, beside float32 and torchhd.

Run: python scripts/bench_hdc_search.py [--quick] [--out bench/hdc]

Tables go to standard output as Markdown, search.json to the output folder. Times are medians of
wall time with the least in brackets, and of CPU time, which other work on the machine alters less.
"""

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchhd
from torch import Tensor

from memory.hologram.bits import words
from memory.hologram.codebook import Codebook
from memory.hologram.hypervectors import DIMENSIONS, bind, bundle, permute, similarity
from memory.hologram.packed import PackedIndex, unpack

ITEMS = 100_000
FLOAT_ITEMS = 10_000  # 400 MB as float32
QUERIES = (1, 2, 4, 8, 16, 32)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("bench/hdc"))
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    repeats = 5 if asked.quick else 25
    rows = [*search(asked.seed, repeats), *small(20 * repeats)]
    print("\n| what | ms (least) | CPU ms |\n| --- | --- | --- |")
    for row in rows:
        took = f"{row['median_ms']:.4g} ({row['least_ms']:.4g})"
        print(f"| {row['what']} | {took} | {row['cpu_ms']:.4g} |")
    asked.out.mkdir(parents=True, exist_ok=True)
    told = {"threads": asked.threads, "seed": asked.seed, "rows": rows}
    (asked.out / "search.json").write_text(json.dumps(told, indent=2))


def timed(what: str, call: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Median and least of some calls, after one that warms up."""
    call()
    took, worked = [], []
    for _ in range(repeats):
        begun, before = time.perf_counter(), time.process_time()
        call()
        worked.append(1000 * (time.process_time() - before))
        took.append(1000 * (time.perf_counter() - begun))
    median, cpu = float(np.median(took)), float(np.median(worked))
    return {"what": what, "median_ms": median, "least_ms": min(took), "cpu_ms": cpu}


def search(seed: int, repeats: int) -> list[dict[str, Any]]:
    """The ten nearest of many random patterns."""
    random = np.random.default_rng(seed)
    patterns = random.integers(0, 2**64, (ITEMS, words(DIMENSIONS)), dtype=np.uint64)
    patterns[:, -1] &= np.uint64((1 << DIMENSIONS % 64) - 1)
    index: PackedIndex[int] = PackedIndex(DIMENSIONS)
    index.add(patterns, range(ITEMS))
    rows = [
        timed(
            f"packed, {ITEMS:,} patterns, {count} at once",
            partial(index.search_many, patterns[:count], 10),
            repeats,
        )
        for count in QUERIES
    ]
    asked = Codebook(seed=seed).weighted("k", {"a": 0.5, "b": 0.7})
    rows.append(
        timed(f"packed, {ITEMS:,} patterns, 1 weighted", lambda: index.search(asked, 10), repeats)
    )
    few: PackedIndex[int] = PackedIndex(DIMENSIONS)
    few.add(patterns[:FLOAT_ITEMS], range(FLOAT_ITEMS))
    dense = unpack(patterns[:FLOAT_ITEMS], DIMENSIONS).float()
    as_map: Any = dense.as_subclass(torchhd.MAPTensor)
    ways: dict[str, Callable[[int], Any]] = {
        "packed": lambda count: few.search_many(patterns[:count], 10),
        "float32 product": lambda count: nearest(dense[:count] @ dense.T),
        "torchhd dot": lambda count: nearest(torchhd.dot_similarity(as_map[:count], as_map)),
    }
    rows += [
        timed(
            f"{name}, {FLOAT_ITEMS:,} patterns, {count} at once",
            partial(way, count),
            repeats,
        )
        for name, way in ways.items()
        for count in (1, 32)
    ]
    return rows


def nearest(scores: Tensor) -> Tensor:
    """The ten best of each row, as the index gives them."""
    return scores.as_subclass(Tensor).topk(10, dim=1).indices


def small(repeats: int) -> list[dict[str, Any]]:
    """One thread: these are too small to share."""
    torch.set_num_threads(1)
    book = Codebook()
    names = [f"name {i}" for i in range(1000)]
    weights = {name: 0.5 + i for i, name in enumerate(names[:300])}
    several = book.matrix("k", names)
    a, b = several[0], several[1]
    theirs: Any = several.float().as_subclass(torchhd.MAPTensor)
    query = book.weighted("k", weights)
    as_map: Any = query.as_subclass(torchhd.MAPTensor)
    few = max(1, repeats // 20)
    return [
        timed("bind two, int8", lambda: bind(a, b), repeats),
        timed("bind two, torchhd", lambda: torchhd.bind(theirs[0], theirs[1]), repeats),
        timed("bundle two, int8", lambda: bundle(several[:2]), repeats),
        timed("bundle two, torchhd", lambda: torchhd.bundle(theirs[0], theirs[1]), repeats),
        timed("permute, int8", lambda: permute(a), repeats),
        timed("permute, torchhd", lambda: torchhd.permute(theirs[0]), repeats),
        timed("cosine of two", lambda: similarity(a, b), repeats),
        timed("cosine of two, torchhd", lambda: similar(theirs[0], theirs[1]), repeats),
        timed("1,000 new names", lambda: Codebook().packed("k", names), few),
        timed("matrix of 1,000 names", lambda: book.matrix("k", names), few),
        timed("weighted bundle of 300 names", lambda: book.weighted("k", weights), few),
        timed("cleanup, 1,000 names, bipolar", lambda: book.cleanup(a, "k", names), few),
        timed("cleanup, 1,000 names, weighted", lambda: book.cleanup(query, "k", names), few),
        timed("cosine with 1,000, torchhd", lambda: similar(as_map, theirs), few),
    ]


def similar(left: Any, right: Any) -> Any:
    """Torchhd normalises both sides in each call."""
    return torchhd.cosine_similarity(left, right)


if __name__ == "__main__":
    main()
