"""Measures a model on held-out programs: repaired as a whole, places found, how sure, how fast."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trainers.ctm.data import edits as scripts
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.manifest import Split
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.editable import SampleProgram, of_samples
from trainers.ctm.repair import Repairer
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.repair_path import Repair
from trainers.ctm.trm import TinyRecursiveModel

_CHUNK = 64


@dataclass(frozen=True)
class Outcomes:
    """What became of S programs, one value each.

    Attributes:
        fixed: (S,) bool, the whole program is as it should be; a clean one: left alone.
        bug_class: the class, ``clean`` for sound programs.
        edits: (S,) int64, edits that it needs.
        missing: (S,) int64, edits that the repaired program still needs, ``_FAR`` at most.
        lexemes: (S,) int64 of the sound program.
        located: (S,) bool, the likeliest place at the first step is one of an edit.
        probability: (S,) that the model gave to its whole repair.
        certainty: (S,) the least of its steps.
        changed: (S,) bool, an edit was made.
        sound: (S,) that the program needs no edit, at the first step.
        fails: (S,) bool, the program as it was given does not parse.
        asked: (S,) int64, how often the model was asked for an edit.
        ticks: (S,) int64, that it thought in all.
        seconds: of all.
        by_tick: for each tick (ticks, S') bool as ``fixed``; S' may be fewer, the first ones.
    """

    fixed: NDArray[np.bool_]
    bug_class: list[str]
    edits: NDArray[np.int64]
    missing: NDArray[np.int64]
    lexemes: NDArray[np.int64]
    located: NDArray[np.bool_]
    probability: NDArray[np.float64]
    certainty: NDArray[np.float64]
    changed: NDArray[np.bool_]
    sound: NDArray[np.float64]
    fails: NDArray[np.bool_]
    asked: NDArray[np.int64]
    ticks: NDArray[np.int64]
    seconds: float
    by_tick: NDArray[np.bool_]

    @property
    def share(self) -> NDArray[np.float64]:
        """(S,) of ``Repair.share``."""
        shares: NDArray[np.float64] = self.probability / np.maximum(
            self.probability + self.sound, 1e-12
        )
        return shares

    def careful(self, least: float) -> "Outcomes":
        """What becomes of the programs where repairs of a share below ``least`` are taken back.

        Programs that do not parse are repaired all the same; ``by_tick`` stays as it is.
        """
        back = self.changed & ~self.fails & (self.share < least)
        return replace(
            self,
            fixed=np.where(back, self.edits == 0, self.fixed),
            missing=np.where(back, self.edits, self.missing),
            probability=np.where(back, self.sound, self.probability),
            changed=self.changed & ~back,
        )


_FAR = 16


def held_out(data: Dataset, split: Split, count: int, seed: int) -> list[RepairSample]:
    """So many samples of a split, the same ones for every model."""
    samples = data.split(split)
    return samples.samples(_order(len(samples), seed)[:count].tolist())


def for_fitting(data: Dataset, count: int, seed: int) -> list[RepairSample]:
    """So many samples of validation, none that ``held_out`` gives where there are enough."""
    samples = data.split("validation")
    return samples.samples(_order(len(samples), seed)[::-1][:count].tolist())


def evaluate(
    repairer: Repairer,
    samples: Sequence[RepairSample],
    data: Dataset,
    *,
    tick_samples: int = 0,
    between: Callable[[int], None] = lambda count: None,
) -> Outcomes:
    """Repair the programs of samples and compare them with what they should be.

    Args:
        repairer: the model and how it is read.
        samples: with the edits that are right.
        data: of which they are.
        tick_samples: so many of them are also repaired by each tick alone.
        between: is told after each part how many programs it had; may raise to stop.
    """
    started = time.monotonic()
    programs = of_samples(samples, data.tokenizer, data.height, data.width)
    repairs: list[Repair] = []
    for start in range(0, len(programs), _CHUNK):
        part = programs[start : start + _CHUNK]
        repairs += repairer.repair(part)
        between(len(part))
    seconds = time.monotonic() - started
    wanted = [sample.repaired().words for sample in samples]
    given = [_words(repair) for repair in repairs]
    return Outcomes(
        fixed=np.array([one == two for one, two in zip(given, wanted, strict=True)], bool),
        bug_class=[
            sample.facts.bug_class if len(sample.edit_at) else "clean" for sample in samples
        ],
        edits=np.array([len(sample.edit_at) for sample in samples], np.int64),
        missing=np.array(
            [_distance(one, two) for one, two in zip(given, wanted, strict=True)], np.int64
        ),
        lexemes=np.array([len(words) for words in wanted], np.int64),
        located=np.array(
            [_located(one, two) for one, two in zip(repairs, samples, strict=True)], bool
        ),
        probability=np.array([one.probability for one in repairs], np.float64),
        certainty=np.array([one.certainty for one in repairs], np.float64),
        changed=np.array([len(one.moves) > 0 for one in repairs], bool),
        sound=np.array([one.sound for one in repairs], np.float64),
        fails=np.array([one.fails for one in repairs], bool),
        asked=np.array([one.asked for one in repairs], np.int64),
        ticks=np.array([one.ticks for one in repairs], np.int64),
        seconds=seconds,
        by_tick=_by_tick(repairer, programs[:tick_samples], wanted, between),
    )


def ticks_of(model: RepairModel) -> int:
    """How many ticks a model has: the CTM's, TRM's supervision steps, else one."""
    if isinstance(model, TinyRecursiveModel):
        return model.config.trm_steps
    return model.config.iterations if hasattr(model, "core") else 1


def _order(count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 11]).permutation(count)


def _by_tick(
    repairer: Repairer,
    programs: Sequence[SampleProgram],
    wanted: Sequence[tuple[int, ...]],
    between: Callable[[int], None],
) -> NDArray[np.bool_]:
    rows = []
    for tick in range(1, ticks_of(repairer.model) + 1) if programs else ():
        repairs = replace(repairer, ticks=tick, read="last", threshold=None).repair(programs)
        rows.append([_words(one) == two for one, two in zip(repairs, wanted, strict=False)])
        between(0)
    return np.array(rows, bool).reshape(len(rows), len(programs))


def _words(repair: Repair) -> tuple[int, ...]:
    assert isinstance(repair.program, SampleProgram)
    return repair.program.state.words


def _distance(given: tuple[int, ...], wanted: tuple[int, ...]) -> int:
    found = scripts.script(given, wanted, _FAR)
    return _FAR if found is None else len(found)


def _located(repair: Repair, sample: RepairSample) -> bool:
    if repair.located is None:
        return False
    best = int(repair.located.argmax())
    cells = len(repair.located) - 1
    free = scripts.next_edits(sample.edits)
    places = {int(sample.grid.cells[sample.edit_at[number]]) for number in free}
    return best in places if places else best == cells
