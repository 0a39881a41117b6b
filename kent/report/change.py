"""How much each key figure changed since the first and since the last round."""

from typing import Any

from kent.report import queries
from kent.report.values import Json, finite, json_object
from kent.report.views import view_of
from memory.store import Store

PAIRED = "paired"
UNPAIRED = "unpaired"
NOT_COMPARABLE = "not comparable"

_RESAMPLES = 2_000  # enough for a display, and done in a moment
_AGREE = 1e-3  # outcomes may have been rounded when they were stored
_GAP = ("baseline_pass1", "verifier_pass1", "oracle_passN")
Outcomes = dict[str, dict[str, Any]]


def changes(store: Store, rounds: list[Json]) -> Json:
    """For each stage and key figure the change of the latest round that measured it.

    ``since_first`` compares with the first round that measured it, ``since_last`` with the one
    before; None where there is none. ``method`` is one of

    - ``paired``: both rounds stored the outcomes of the same problems (``per_problem`` in the
      stage's metrics); the interval is a bootstrap over problems;
    - ``unpaired``: the difference of the values, without an interval;
    - ``not comparable``: they measured other problems or under another protocol; no value.
    """
    pairs = _Outcomes(store)
    result: Json = {}
    for stage in sorted({name for row in rounds for name in row["stages"]}):
        history = [(row["id"], row["stages"][stage]) for row in rounds if stage in row["stages"]]
        result[stage] = {
            known.name: _change(history, known.name, pairs)
            for known in view_of(stage, _measured_names(history)).key
        }
    return result


def _measured_names(history: list[tuple[int, Json]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for _, entry in history for name in entry["provenance"]))


def _change(history: list[tuple[int, Json]], name: str, pairs: "_Outcomes") -> Json:
    measured = [
        (round_id, entry)
        for round_id, entry in history
        if (entry.get(name) or {}).get("value") is not None
    ]
    if len(measured) < 2:
        return {"since_first": None, "since_last": None}
    latest = measured[-1]
    return {
        "since_first": _difference(measured[0], latest, name, pairs),
        "since_last": _difference(measured[-2], latest, name, pairs),
    }


def _difference(
    earlier: tuple[int, Json], later: tuple[int, Json], name: str, pairs: "_Outcomes"
) -> Json:
    (from_round, before), (to_round, after) = earlier, later
    result: Json = {"from_round": from_round, "to_round": to_round, "value": None, "low": None,
                    "high": None, "n": min(before[name]["n"], after[name]["n"])}  # fmt: skip
    other = [word for word in ("problem_set", "protocol") if before[word] != after[word]]
    if other:
        words = " and ".join(word.replace("_", " ") for word in other)
        return {**result, "method": NOT_COMPARABLE, "note": f"another {words}"}
    result["value"] = after[name]["value"] - before[name]["value"]
    paired = pairs.difference(before["stage_run"], after["stage_run"], name)
    # Outcomes that do not give the stored figures are of other samples, and tell nothing of these.
    if paired is not None and abs(paired["value"] - result["value"]) < _AGREE:
        return {**result, **paired, "method": PAIRED, "note": "bootstrap over problems"}
    same = before[name]["n"] == after[name]["n"]
    note = "difference of the values" if same else "difference of the values, other n"
    return {**result, "method": UNPAIRED, "note": note}


class _Outcomes:
    """The outcomes of single problems of stage runs, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[int, Outcomes] = {}
        self._done: dict[tuple[int, int, str], Json | None] = {}

    def difference(self, first: int, second: int, name: str) -> Json | None:
        """The paired difference of a figure between two stage runs, or None without the rows."""
        key = (first, second, name)
        if key not in self._done:
            self._done[key] = self._difference(*key)
        return self._done[key]

    def _difference(self, first: int, second: int, name: str) -> Json | None:
        before, after = self._of(first), self._of(second)
        if not before or before.keys() != after.keys():
            return None
        names = _GAP if name == "gap_closed" else (name,)
        rows = [
            [finite(side[problem].get(part)) for side in (before, after) for part in names]
            for problem in sorted(before)
        ]
        if any(number is None for row in rows for number in row):
            return None
        return _bootstrap(rows, gap=name == "gap_closed")

    def _of(self, stage_run: int) -> Outcomes:
        if stage_run not in self._read:
            stored = json_object(queries.per_problem(self._store, stage_run))
            whole = all(isinstance(entry, dict) for entry in stored.values())
            self._read[stage_run] = stored if whole else {}
        return self._read[stage_run]


def _bootstrap(rows: list[list[Any]], *, gap: bool) -> Json | None:
    """Later minus earlier; rows are (problems, earlier columns then later columns)."""
    import numpy as np  # with SciPy half a second, which most reports do not need

    from trainers.statistics import Array, bootstrap

    def closed(means: Array) -> Array:
        below = means[..., 2] - means[..., 0]
        out = np.full(below.shape, np.nan)
        won = means[..., 1] - means[..., 0]
        return np.asarray(np.divide(won, below, out=out, where=np.abs(below) > 1e-12))

    def change(means: Array) -> Array:
        half = means.shape[-1] // 2
        before, after = means[..., :half], means[..., half:]
        return np.asarray(closed(after) - closed(before) if gap else (after - before)[..., 0])

    found = bootstrap(np.asarray(rows, dtype=np.float64), change, resamples=_RESAMPLES)
    return None if found.value is None else found.to_json()
