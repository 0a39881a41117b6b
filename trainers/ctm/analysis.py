"""What a CTM's ticks do, as numbers to be drawn: certainty, places, attention, synchronisation.

All of it is of the first question about each program: where is the first edit? The document is
plain JSON, small enough to be kept with a round.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from trainers.ctm.data.collate import collate
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.data.taxonomy import CLASSES
from trainers.ctm.model import ContinuousThoughtMachine

PROGRAMS = 400
_CHUNK = 32
_PAIRS = 48  # of the synchronisation, those that tell the classes apart best
_MAPS = 3  # programs whose attention is shown
_MAP_CELLS = 160  # longer programs make no map that can be read

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Seen:
    """One program: the T ticks of the first question.

    Attributes:
        sample: the program.
        certainty: (T,).
        located: (T,) 0 or 1, the likeliest place is a right one.
        attention: (T, N) mean over the heads.
        right: (N,) bool, cells of a right edit.
        synchronisation: (pairs,) of the output at the last tick.
    """

    sample: RepairSample
    certainty: Array
    located: Array
    attention: Array
    right: NDArray[np.bool_]
    synchronisation: Array

    @property
    def bug_class(self) -> str:
        """Its class, ``clean`` for a sound one."""
        return self.sample.facts.bug_class if self.right.any() else "clean"


def analyse(
    model: ContinuousThoughtMachine,
    samples: Sequence[RepairSample],
    data: Dataset,
    *,
    device: str = "cpu",
) -> dict[str, Any]:
    """Look at the first ``PROGRAMS`` of the samples, all ticks.

    Returns:
        ``ticks``; by class over ticks ``certainty``, ``located`` (the likeliest place is right)
        and ``attention_on_place`` (the weight on right cells, beside ``attention_even``, what even
        attention would give); ``certainty_by_outcome`` for places right and wrong at the end;
        ``synchronisation``: by class the mean of each pair at the last tick in standard deviations
        from the mean of all; ``maps``: programs with the attention of three ticks on the grid.
    """
    seen = list(_look(model, samples[:PROGRAMS], data, device))
    classes: list[str] = [one for one in CLASSES if any(o.bug_class == one for o in seen)]
    by_class = {name: [one for one in seen if one.bug_class == name] for name in classes}
    bugs = {name: group for name, group in by_class.items() if name != "clean"}
    right = [one for one in seen if one.located[-1]]
    wrong = [one for one in seen if not one.located[-1]]
    return {
        "ticks": model.config.iterations,
        "n": {name: len(group) for name, group in by_class.items()},
        "certainty": {name: _mean([o.certainty for o in g]) for name, g in by_class.items()},
        "certainty_by_outcome": {
            name: _mean([one.certainty for one in group])
            for name, group in (("place right", right), ("place wrong", wrong))
            if group
        },
        "located": {name: _mean([o.located for o in g]) for name, g in by_class.items()},
        "attention_on_place": {name: _mean([_on_place(o) for o in g]) for name, g in bugs.items()},
        "attention_even": {
            name: float(np.mean([one.right.mean() for one in group]))
            for name, group in bugs.items()
        },
        "synchronisation": _patterns(by_class),
        "maps": [_map(one) for one in _shown(bugs)],
    }


def with_repairs(analysis: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Put what whole repairs became beside it: by tick, and the curve of their probabilities."""
    by_tick = [one["value"] for one in document["fix_accuracy_by_tick"]]
    return {**analysis, "fixed_by_tick": by_tick, "reliability": document["reliability"]}


def _look(
    model: ContinuousThoughtMachine, samples: Sequence[RepairSample], data: Dataset, device: str
) -> Iterator[_Seen]:
    model.eval()
    for start in range(0, len(samples), _CHUNK):
        part = samples[start : start + _CHUNK]
        batch = collate(part, height=data.height, width=data.width, tokenizer=data.tokenizer).to(
            device
        )
        with torch.no_grad():
            thoughts = model(batch, analyse=True)
        assert thoughts.attention is not None
        assert thoughts.synchronisation is not None
        targets = batch.targets()
        best = thoughts.locations.argmax(-1)  # (T, B)
        located = targets.t()[best, torch.arange(batch.size, device=device)].double().cpu().numpy()
        certainty = thoughts.certainty.double().cpu().numpy()
        attention = thoughts.attention.double().mean(2).cpu().numpy()
        last = thoughts.synchronisation[-1].double().cpu().numpy()
        places = targets[:, :-1].cpu().numpy()
        for b, sample in enumerate(part):
            cells = len(sample.grid.tokens)
            yield _Seen(
                sample,
                certainty[:, b],
                located[:, b],
                attention[:, b, :cells],
                places[b, :cells],
                last[b],
            )


def _on_place(one: _Seen) -> Array:
    weight: Array = one.attention[:, one.right].sum(1)
    return weight


def _patterns(by_class: dict[str, list[_Seen]]) -> dict[str, Any]:
    """Means by class of the pairs that differ most between classes, in their order."""
    every = np.array([one.synchronisation for group in by_class.values() for one in group])
    if not len(every):
        return {"pairs": [], "classes": {}}
    spread = np.maximum(every.std(0), 1e-9)
    means = np.array(
        [
            (np.mean([one.synchronisation for one in group], axis=0) - every.mean(0)) / spread
            for group in by_class.values()
        ]
    )
    told = np.sort(np.argsort(-means.var(0), kind="stable")[:_PAIRS])
    return {
        "pairs": told.tolist(),
        "classes": {name: _rounded(row[told]) for name, row in zip(by_class, means, strict=True)},
    }


def _shown(bugs: dict[str, list[_Seen]]) -> list[_Seen]:
    """Short programs, one of each class, as many as are drawn."""
    found = []
    for group in bugs.values():
        short = [one for one in group if len(one.right) <= _MAP_CELLS]
        found += short[:1]
    return found[:_MAPS]


def _map(one: _Seen) -> dict[str, Any]:
    grid, ticks = one.sample.grid, len(one.attention)
    shown = sorted({1, (ticks + 1) // 2, ticks})
    return {
        "bug_class": one.bug_class,
        "row": grid.row.tolist(),
        "col": grid.col.tolist(),
        "right": np.flatnonzero(one.right).tolist(),
        "ticks": {str(tick): _rounded(one.attention[tick - 1]) for tick in shown},
    }


def _mean(rows: list[Array]) -> list[float]:
    return _rounded(np.mean(rows, axis=0))


def _rounded(values: Array) -> list[float]:
    rounded: list[float] = np.round(values, 5).tolist()
    return rounded
