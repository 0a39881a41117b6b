"""Factorising with memory/hologram beside torchhd's resonator and beside comparing all in float32.

Run: python scripts/bench_hdc.py [--quick] [--out bench/hdc]

Accuracy and time of factorising products by codebook size (6 x F x F, and three equal codebooks),
and decoding of role-filler bundles. Every way gets the same products, and only an answer whose
product matches counts. Tables go to standard output as Markdown; resonator.json, resonator.png and
resonator.svg to the output folder.

Times are medians of wall time with the least in brackets, and of CPU time. Ours start from packed
rows, whose unpacking counts; the others' float32 matrices are made beforehand and not counted.
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import torchhd
from torch import Tensor

from memory.hologram.codebook import Codebook
from memory.hologram.factor import Factor, chance_level
from memory.hologram.hypervectors import DIMENSIONS, bind, similarity
from memory.hologram.network import NetworkSettings
from memory.hologram.product_search import nearest_products
from memory.hologram.resonator import TransformationResonator
from trainers.statistics import wilson

OPERATIONS = 6
SIZES = (50, 100, 200, 500, 1000, 2000)  # of FILE and of LOCATION
EQUAL_SIZES = (50, 100, 150, 200, 300, 400)
LOOPS = ((1, 100), (6, 30))  # starts, and steps of each, of torchhd's looped step
HEAVY, HEAVY_TRIALS = 5e6, 12  # among so many, torchhd takes seconds for each
PLAIN, PLAIN_TRIALS = 3e7, 3  # comparing so many in float32 is exact and slow

LARGE_TRIALS = 12

Places = tuple[int, ...]
_APART = 1.03  # of a plot's points at one size


@dataclass
class Cell:
    """One way on one codebook size. median_ms, least_ms: wall time of one factorisation.

    ``cpu_ms``: the median of its CPU time, which other work on the machine alters less.
    """

    way: str
    size: int
    correct: int = 0
    trials: int = 0
    low: float | None = None
    high: float | None = None
    median_ms: float = 0.0
    least_ms: float = 0.0
    cpu_ms: float = 0.0
    steps: float = 0.0  # median; 0 where nothing iterates
    times: list[float] = field(default_factory=list, repr=False)
    worked: list[float] = field(default_factory=list, repr=False)

    def timed(self, call: Callable[[], Any]) -> Any:
        """Call and note the time of the clock and of the processor."""
        begun, before = time.perf_counter(), time.process_time()
        found = call()
        self.worked.append(1000 * (time.process_time() - before))
        self.times.append(1000 * (time.perf_counter() - begun))
        return found


Way = Callable[[Tensor], tuple[Places, int]]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("bench/hdc"))
    parser.add_argument("--quick", action="store_true", help="about a minute: fewer trials, sizes")
    parser.add_argument("--trials", type=int, default=48, help="products of each size")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    trials = min(asked.trials, 6) if asked.quick else asked.trials
    sizes = (SIZES[:4], (50, 100, 200)) if asked.quick else (SIZES, EQUAL_SIZES)
    results: dict[str, Any] = {"machine": machine(asked.threads), "seed": asked.seed}
    results["triples"] = report(
        f"{OPERATIONS} x F x F, D = {DIMENSIONS:,}", triples(sizes[0], trials, asked.seed)
    )
    results["equal"] = report("Three equal codebooks", equal(sizes[1], trials, asked.seed))
    if not asked.quick:
        results["large"] = report("6 x 10,000 x 10,000", large(asked.seed))
    results["bundles"] = report("Role-filler bundles", bundles(4 * trials, asked.seed))
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "resonator.json").write_text(json.dumps(results, indent=2))
    plot(results["triples"], results["equal"], asked.out)
    print(f"\nWritten to {asked.out}/: resonator.json, resonator.png, resonator.svg")


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "cpu": platform.processor() or platform.machine(),
        "torch_capability": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "torchhd": torchhd.__version__,
    }


def triples(sizes: Sequence[int], trials: int, seed: int) -> Iterator[Cell]:
    """Operation, file and location."""
    for size in sizes:
        book = Codebook(seed=seed, cache_mb=200)
        yield from factorisations(factors_of(book, [OPERATIONS, size, size]), size, trials, seed)


def equal(sizes: Sequence[int], trials: int, seed: int) -> Iterator[Cell]:
    """Three codebooks of one size, none small enough to be enumerated."""
    for size in sizes:
        yield from factorisations(factors_of(Codebook(seed=seed), [size] * 3), size, trials, seed)


def large(seed: int) -> Iterator[Cell]:
    """More products than are compared: the network is what is left."""
    factors = factors_of(Codebook(seed=seed), [OPERATIONS, 10_000, 10_000])
    draw = np.random.default_rng(seed)
    truths = [tuple(int(draw.integers(len(f))) for f in factors) for _ in range(LARGE_TRIALS)]
    alone = partial(
        nearest_products, factors=factors, network=NetworkSettings(seed=seed), multiplications=0
    )
    yield measured("KENT, network only", 10_000, lambda y: named(alone(y)), factors, truths)


def factors_of(book: Codebook, sizes: Sequence[int]) -> list[Factor]:
    """Rotated as by TransformationResonator."""
    names = [[f"name {i}" for i in range(size)] for size in sizes]
    return [
        Factor(book.packed(f"role {place}", of_role), book.dimensions, place)
        for place, of_role in enumerate(names)
    ]


def factorisations(factors: list[Factor], size: int, trials: int, seed: int) -> Iterator[Cell]:
    """All ways on the same random products."""
    random = np.random.default_rng([seed, size])
    truths = [tuple(int(random.integers(len(f))) for f in factors) for _ in range(trials)]
    dense = [factor.take().float() for factor in factors]
    network = NetworkSettings(seed=seed)
    yield measured(
        "KENT",
        size,
        lambda y: named(nearest_products(y, factors, network=network)),
        factors,
        truths,
    )
    alone = partial(nearest_products, factors=factors, multiplications=0, network=network)
    yield measured("KENT, network only", size, lambda y: named(alone(y)), factors, truths)
    domains = stacked(dense)
    candidates = math.prod(map(len, factors))
    heavy = truths[:HEAVY_TRIALS] if candidates > HEAVY else truths
    for starts, steps in LOOPS:
        draw = torch.Generator().manual_seed(seed)
        loop = partial(
            looped, domains=domains, factors=factors, starts=starts, steps=steps, random=draw
        )
        yield measured(f"torchhd, {starts} x {steps} steps", size, loop, factors, heavy)
    if candidates <= PLAIN:
        yield measured(
            "all, float32", size, lambda y: (plain(y, dense), 0), factors, truths[:PLAIN_TRIALS]
        )


def measured(
    name: str, size: int, way: Way, factors: Sequence[Factor], truths: Sequence[Places]
) -> Cell:
    """Time and check one way; a first, uncounted call warms it up."""
    cell, steps = Cell(name, size), []
    for number, truth in enumerate((truths[0], *truths)):
        rows = zip(factors, truth, strict=True)
        observation = bind(*(f.take(torch.tensor([place]))[0] for f, place in rows))
        if number == 0:
            way(observation)
        else:
            found, took = cell.timed(partial(way, observation))
            cell.correct += found == truth
            steps.append(took)
    finish(cell, len(truths))
    cell.steps = float(np.median(steps))
    return cell


def finish(cell: Cell, trials: int) -> None:
    """Fill in what follows from the trials."""
    figure = wilson(cell.correct, trials)
    cell.trials, cell.low, cell.high = trials, figure.low, figure.high
    cell.median_ms, cell.least_ms = float(np.median(cell.times)), min(cell.times)
    cell.cpu_ms = float(np.median(cell.worked))


def named(found: Any) -> tuple[Places, int]:
    """The answer that is given: none, where it is not verified."""
    best = found.matches[0]
    return (best.places if best.similarity >= found.chance else ()), found.sweeps


def plain(observation: Tensor, dense: Sequence[Tensor]) -> Places:
    """The best of all products by float32 matrix products on all dimensions."""
    best, answer = -torch.inf, ()
    for number, row in enumerate(dense[0]):
        scores = (dense[1] * (row * observation)) @ dense[2].T
        highest, place = scores.flatten().max(0)
        if float(highest) > best:
            best = float(highest)
            answer = (number, *divmod(int(place), scores.shape[1]))
    return answer


def stacked(dense: Sequence[Tensor]) -> Any:
    """Torchhd takes codebooks of one size: rows of zeros fill up, and add nothing to any sum."""
    size = max(map(len, dense))
    domains = torch.zeros(len(dense), size, dense[0].shape[1])
    for place, rows in enumerate(dense):
        domains[place, : len(rows)] = rows
    return domains.as_subclass(torchhd.MAPTensor)


def looped(
    observation: Tensor,
    domains: Any,
    factors: Sequence[Factor],
    starts: int,
    steps: int,
    random: torch.Generator,
) -> tuple[Places, int]:
    """Torchhd's resonator step until the product matches, nothing changes, or the steps are over.

    The first start is the usual one, all rows at once; later ones are random vectors.
    """
    product = observation.float().as_subclass(torchhd.MAPTensor)
    level = chance_level(int(np.prod([len(factor) for factor in factors])), len(observation))
    taken = 0
    for start in range(starts):
        estimates = torchhd.multiset(domains).sign()
        if start:
            noise = torch.randint(0, 2, estimates.shape, generator=random) * 2.0 - 1
            estimates = noise.as_subclass(torchhd.MAPTensor)
        for _ in range(steps):
            before, estimates = estimates, torchhd.resonator(product, estimates, domains)
            taken += 1
            answer, matches = nearest(observation, domains, estimates)
            if matches >= level:
                return answer, taken
            if torch.equal(before, estimates):
                break
    return (), taken


def nearest(observation: Tensor, domains: Any, estimates: Any) -> tuple[Places, float]:
    """The rows that torchhd's estimates are, up to their signs, and their product's cosine."""
    dots = torchhd.dot_similarity(estimates.unsqueeze(-2), domains).squeeze(-2)
    places = dots.as_subclass(Tensor).abs().argmax(1)
    rows = [domains[i, place].as_subclass(Tensor) for i, place in enumerate(places)]
    return tuple(places.tolist()), float(similarity(bind(*rows), observation))


def bundles(trials: int, seed: int) -> Iterator[Cell]:
    """Three role-filler pairs in one vector; FILE and LOCATION of one size."""
    for size in (100, 1000, 10_000):
        resonator = TransformationResonator(Codebook(seed=seed))
        random = np.random.default_rng([seed, size])
        names = {role: [f"{role} {i}" for i in range(size)] for role in resonator.roles}
        cell = Cell("KENT, unbind", size)
        for number in range(trials + 1):
            truth = {role: known[int(random.integers(size))] for role, known in names.items()}
            observation = resonator.encode_bundle(truth)
            if number == 0:
                resonator.resonate(observation, names)
                continue
            found = cell.timed(partial(resonator.resonate, observation, names))
            cell.correct += found.verified and found.factors == truth
        finish(cell, trials)
        yield cell


def report(title: str, cells: Iterator[Cell]) -> list[dict[str, Any]]:
    """Print each row of a table as it is known."""
    print(f"\n{title}\n")
    print("| way | size | correct | 95% interval | ms a product (least) | CPU ms | steps |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    for cell in cells:
        interval = f"{100 * (cell.low or 0):.0f} – {100 * (cell.high or 0):.0f}%"
        took = f"{cell.median_ms:.1f} ({cell.least_ms:.1f})"
        print(
            f"| {cell.way} | {cell.size} | {cell.correct} of {cell.trials} | {interval} "
            f"| {took} | {cell.cpu_ms:.1f} | {cell.steps:g} |",
            flush=True,
        )
        rows.append(asdict(cell))
    return rows


def plot(triples: Sequence[dict[str, Any]], equal: Sequence[dict[str, Any]], folder: Path) -> None:
    """Accuracy with Wilson intervals, and time, by codebook size."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
    columns = ((f"{OPERATIONS} x F x F", triples), ("three equal codebooks", equal))
    for column, (title, rows) in enumerate(columns):
        above, below = axes[:, column]
        ways = list(dict.fromkeys(row["way"] for row in rows))
        for number, way in enumerate(ways):
            of_way = [row for row in rows if row["way"] == way]
            # A little apart, since most ways find all of the products.
            x = [row["size"] * _APART ** (number - len(ways) / 2) for row in of_way]
            share = np.array([row["correct"] / row["trials"] for row in of_way])
            ends = np.array([(row["low"], row["high"]) for row in of_way]).T
            spread = np.abs(ends - share)
            above.errorbar(x, 100 * share, 100 * spread, label=way, capsize=3, marker="o")
            below.plot(x, [row["cpu_ms"] for row in of_way], label=way, marker="o")
        above.set(title=f"{title}, D = {DIMENSIONS:,}", xscale="log", ylabel="correct, %")
        below.set(xscale="log", yscale="log", xlabel="codebook size", ylabel="CPU ms a product")
        above.legend()
        for axis in (above, below):
            sizes = sorted({row["size"] for row in rows})
            axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
            axis.minorticks_off()
    for ending in ("png", "svg"):
        figure.savefig(folder / f"resonator.{ending}", dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
