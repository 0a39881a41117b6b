"""Figures of what became of programs: shares with their intervals, by class, edits and tick."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from memory.records import Figure
from trainers import statistics
from trainers.ctm.data.edits import MAX_EDITS
from trainers.ctm.data.taxonomy import CLASSES
from trainers.ctm.evaluate import Outcomes

_RESAMPLES = 1000


def figures(
    outcomes: Outcomes, right: NDArray[np.float64] | None = None, *, seed: int = 0
) -> dict[str, Figure]:
    """All figures by name; those of parts are ``fix_accuracy.syntax``, ``.edits_2``, ``.tick_03``.

    ``token_accuracy`` is the share of the lexemes to be changed that are as they should be after
    the repair (copying the input has 0), ``lexeme_accuracy`` counts all lexemes of broken programs;
    ``lexeme_accuracy_copy`` is what copying has there. ``tick_gain`` is the best tick less the
    first one, on bugs that had no say in which is the best; ``tick_gain_several`` on those that
    need several edits.

    Args:
        outcomes: of all ticks.
        right: (S,) calibrated probability of each repair; None: the model's own.
        seed: of the intervals.
    """
    bugs = outcomes.edits > 0
    fixed, edits = outcomes.fixed, outcomes.edits
    missing = np.minimum(outcomes.missing, edits)
    right = outcomes.probability if right is None else right
    found = {
        "fix_accuracy": _share(fixed[bugs]),
        "whole_accuracy": _share(fixed),
        "clean_kept": _share(fixed[~bugs]),
        "localisation_acc1": _share(outcomes.located[bugs]),
        "token_accuracy": _ratio((edits - missing)[bugs], edits[bugs], seed),
        "lexeme_accuracy": _ratio(
            np.maximum(outcomes.lexemes - outcomes.missing, 0)[bugs], outcomes.lexemes[bugs], seed
        ),
        "lexeme_accuracy_copy": _ratio(
            np.maximum(outcomes.lexemes - edits, 0)[bugs], outcomes.lexemes[bugs], seed
        ),
        "fix_accuracy_several": _share(fixed[edits > 1]),
        "ece": _ece(right, fixed, seed),
        "ece_before": _ece(outcomes.probability, fixed, seed),
        "auroc": auroc(right, fixed, seed),
        "auroc_certainty": auroc(outcomes.certainty, fixed, seed),
        "samples_per_s": Figure(len(fixed) / max(outcomes.seconds, 1e-9), None, None, len(fixed)),
    }
    names = np.array(outcomes.bug_class)
    for name in CLASSES:
        if name != "clean" and (names == name).any():
            found[f"fix_accuracy.{name}"] = _share(fixed[names == name])
    for count in range(1, MAX_EDITS + 1):
        if (edits == count).any():
            found[f"fix_accuracy.edits_{count}"] = _share(fixed[edits == count])
    for tick, row in enumerate(outcomes.by_tick, 1):
        found[f"fix_accuracy.tick_{tick:02}"] = _share(row[bugs[: len(row)]])
    if len(outcomes.by_tick) > 1:
        read = edits[: outcomes.by_tick.shape[1]]
        found["tick_gain"] = tick_gain(outcomes.by_tick[:, read > 0], seed)
        found["tick_gain_several"] = tick_gain(outcomes.by_tick[:, read > 1], seed)
    return found


def early_figures(whole: Outcomes, early: Outcomes, *, seed: int = 0) -> dict[str, Figure]:
    """Figures of stopping early beside all ticks on the same programs.

    ``ticks_spent`` is a share of the ticks that thinking to the end would take at each question;
    the differences are paired, early less all ticks.
    """
    bugs = whole.edits > 0
    ticks = whole.ticks.sum() / max(int(whole.asked.sum()), 1)
    seconds = max(early.seconds, 1e-9)
    return {
        "fix_accuracy_early": _share(early.fixed[bugs]),
        "clean_kept_early": _share(early.fixed[~bugs]),
        "fix_accuracy_early_difference": statistics.mean_difference(
            early.fixed[bugs], whole.fixed[bugs], seed=seed
        ),
        "whole_accuracy_early_difference": statistics.mean_difference(
            early.fixed, whole.fixed, seed=seed
        ),
        "ticks_spent": statistics.ratio_of_means(early.ticks, early.asked * ticks, seed=seed),
        "samples_per_s_early": Figure(len(bugs) / seconds, None, None, len(bugs)),
    }


def tick_gain(by_tick: NDArray[np.bool_], seed: int) -> Figure:
    """The best tick less the first: each half of the programs is read at the other's best tick.

    Read at its own best tick a model without any gain would seem to have one.

    Args:
        by_tick: (T, S) bool, whether a tick repairs a program.
        seed: of the interval.
    """
    count = by_tick.shape[1]
    if count < 2:
        return Figure(None, None, None, count)
    odd = np.arange(count) % 2 == 1
    best = np.where(odd, by_tick[:, ~odd].mean(1).argmax(), by_tick[:, odd].mean(1).argmax())
    return statistics.mean_difference(by_tick[best, np.arange(count)], by_tick[0], seed=seed)


def nested(found: dict[str, Figure]) -> dict[str, Any]:
    """Figures as the benchmark prints them: parts as ``fix_accuracy_by_type`` and its like."""
    plain = {name: one.to_json() for name, one in found.items()}
    parts = {name.partition(".")[2]: one for name, one in plain.items() if "." in name}
    document: dict[str, Any] = {name: one for name, one in plain.items() if "." not in name}
    document["fix_accuracy_by_type"] = {n: one for n, one in parts.items() if n in CLASSES}
    document["fix_accuracy_by_edits"] = [
        parts.get(f"edits_{n}", Figure(None, None, None, 0).to_json())
        for n in range(1, MAX_EDITS + 1)
    ]
    document["fix_accuracy_by_tick"] = [
        parts[name] for name in sorted(parts) if name.startswith("tick_")
    ]
    return document


def auroc(scores: NDArray[np.float64], right: NDArray[np.bool_], seed: int) -> Figure:
    """Area under the curve over programs, with a percentile bootstrap over them."""
    value = statistics.auc(scores, right.astype(float))
    if value is None:
        return Figure(None, None, None, len(scores))
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(_RESAMPLES):
        rows = rng.integers(len(scores), size=len(scores))
        positive = right[rows]
        count = int(positive.sum())
        if 0 < count < len(rows):
            ranks = stats.rankdata(scores[rows])
            above = ranks[positive].sum() - count * (count + 1) / 2
            drawn.append(above / (count * (len(rows) - count)))
    low, high = np.quantile(drawn, [0.025, 0.975]).tolist()
    return Figure(value, min(low, value), max(high, value), len(scores))


def _ece(right: NDArray[np.float64], fixed: NDArray[np.bool_], seed: int) -> Figure:
    programs = [str(number) for number in range(len(fixed))]
    return statistics.ece(right, fixed.astype(float), programs, seed=seed)


def _share(values: NDArray[np.bool_]) -> Figure:
    return statistics.wilson(int(values.sum()), len(values))


def _ratio(above: NDArray[np.int64], below: NDArray[np.int64], seed: int) -> Figure:
    return statistics.ratio_of_means(above, below, seed=seed)
