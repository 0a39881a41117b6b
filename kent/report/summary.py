"""The report in sentences: what was reached, what is running, what to do when there is nothing."""

from typing import Any

from kent.report.figures import KeyFigure, StageView
from kent.report.values import Json
from kent.report.views import STAGES, view_of
from kent.report.wording import NOTHING, clean, duration, number, plural

_OF_CURVE = "learning."
STALE_S = 120.0  # a stage beats every few seconds; after this it is likely dead

EMPTY = "Nothing has been run yet. Start the daemon with `kent daemon start`, or run one round in \
the foreground with `kent round`; then look here again."


def stage_names(document: Json) -> list[str]:
    """The stages that ran in any round: those of a round in its order, then others as they came."""
    found = list(dict.fromkeys(name for row in document["rounds"] for name in row["stages"]))
    order = list(STAGES)
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def history(document: Json, stage: str) -> list[tuple[Json, Json]]:
    """Each round in which the stage ran, with what the stage did in it, oldest first."""
    return [(row, row["stages"][stage]) for row in document["rounds"] if stage in row["stages"]]


def stage_view(document: Json, stage: str) -> StageView:
    """How the stage is shown, for the figures that it has in this document."""
    names = dict.fromkeys(
        name for _, entry in history(document, stage) for name in entry["provenance"]
    )
    return view_of(stage, tuple(names))


def series(document: Json, stage: str, name: str) -> list[Json]:
    """A figure in each round in which the stage ran; undefined ones have a value of None.

    One of the learning curve is undefined in rounds that were measured on other tasks than now.
    """
    missing = {"value": None, "low": None, "high": None, "n": 0}
    rows = history(document, stage)
    if name.startswith(_OF_CURVE):
        now = _set_now(rows)
        return [_on(entry, now).get(name) or missing for _, entry in rows]
    return [entry.get(name) or missing for _, entry in rows]


def curve_rows(document: Json, stage: str) -> list[tuple[Json, Json]]:
    """The rounds of the learning curve: those measured on the tasks of the last one."""
    rows = history(document, stage)
    now = _set_now(rows)
    return [(row, entry) for row, entry in rows if now and entry["learning_set"] == now]


def spoken(known: KeyFigure) -> str:
    """The two lines of a column's head as one."""
    return known.heading.replace("-\n", "").replace("\n", " ")


def _set_now(rows: list[tuple[Json, Json]]) -> str | None:
    sets = [entry["learning_set"] for _, entry in rows if entry["learning_set"]]
    return sets[-1] if sets else None


def _on(entry: Json, tasks: str | None) -> Json:
    """What a round measured, or nothing where that was on other tasks."""
    return entry if entry["learning_set"] == tasks else {}


def latest(document: Json, stage: str, known: KeyFigure) -> Json | None:
    """The figure in the last round that measured it."""
    measured = [f for f in series(document, stage, known.name) if f["value"] is not None]
    return measured[-1] if measured else None


def headline_figure(document: Json, stage: str) -> KeyFigure | None:
    """The figure that stands for a stage: the one it names, else the first that was measured."""
    view = stage_view(document, stage)
    measured = [known for known in view.key if latest(document, stage, known) is not None]
    named = [known for known in measured if known.name == view.headline]
    return next(iter([*named, *measured]), None)


def headline(document: Json) -> str:
    """What the critic does for its user, in one sentence; empty before the first measurement."""
    measured = [
        (row, entry)
        for row, entry in history(document, "critic")
        if entry["baseline_pass1"]["value"] is not None
        and entry["verifier_pass1"]["value"] is not None
    ]
    if not measured:
        return ""
    row, entry = measured[-1]
    single, choice, best, gap = (
        entry[name]["value"]
        for name in ("baseline_pass1", "verifier_pass1", "oracle_passN", "gap_closed")
    )
    text = (
        f"In round {row['id']} the critic's choice solves {_percent(choice)} of the "
        f"test problems; a single sample solves {_percent(single)}"
    )
    if best is not None:
        text += f", the best of all samples {_percent(best)}"
    if gap is not None:
        text += f". That closes {_percent(gap)} of the gap"
    return text + "."


def _percent(value: float) -> str:
    return f"{number(value, 'percent')}\N{NO-BREAK SPACE}%"


def running_text(running: Json | None) -> str:
    """What is going on, in one line."""
    if running is None:
        return "Nothing is running."
    if running["stage"] is None:
        return f"Round {running['round']} is open; no stage is running."
    parts = [f"Round {running['round']}", f"stage {clean(running['stage'], 40)}"]
    parts += [clean(running["phase"], 60)] if running["phase"] else []
    if running["total"]:
        share = 100 * running["done"] / running["total"]
        unit = f" {clean(running['unit'], 20)}" if running["unit"] else ""
        parts.append(f"{running['done']:,} of {running['total']:,}{unit} ({share:.0f} %)")
    parts.append(f"for {duration(running['seconds'])}")
    return " · ".join(parts) + _pulse(running["heartbeat_age_s"])


def _pulse(age: float | None) -> str:
    if age is None:
        return ""
    if age > STALE_S:
        return f" · no heartbeat for {duration(age)}: it may have died (`kent daemon status`)"
    return f" · heartbeat {duration(age)} ago"


def problem_text(entry: Json) -> str:
    """Why a stage did not end well, or what it noted; else an empty string."""
    notes = "; ".join(clean(note, 300) for note in entry["notes"])
    if entry["status"] in ("done", "running"):
        return f"note: {notes}" if notes else ""
    return f"{entry['status']}: {clean(entry['error'], 400) or notes or 'no reason was stored'}"


def totals_rows(totals: Json) -> list[tuple[str, str]]:
    """The totals as name and text."""
    words = [
        f"{name.replace('_', ' ')} {n:,}"
        for name, n in sorted(totals["verdicts"].items(), key=lambda item: -item[1])
        if n
    ]
    problems = [f"{n:,} {clean(split, 20)}" for split, n in totals["problems"].items()]
    models = totals["models"]
    statuses = [f"{n} {clean(status, 20)}" for status, n in sorted(models["by_status"].items())]
    rows: list[tuple[str, str]] = [
        ("Rounds", f"{totals['rounds']:,}"),
        ("Stage hours", f"{totals['hours']:,.2f}"),
        ("Problems", listed(sum(totals["problems"].values()), problems)),
        ("Samples", f"{totals['samples']:,}, {plural(totals['tokens'], 'token')}"),
        ("Distinct programs", f"{totals['distinct_programs']:,}"),
        ("Verdicts", listed(totals["verdicts_total"], words)),
        ("Models", listed(models["total"], statuses)),
    ]
    return rows + _in_use(models)


def _in_use(models: Json) -> list[tuple[str, str]]:
    """The champions, and the versions that cannot be used with the reason."""
    stale = models["stale"]
    champions = [
        f"{clean(kind, 20)}: {clean(model, 60)}" + (" (stale)" if model in stale else "")
        for kind, model in models["champions"].items()
    ]
    reasons = [f"{clean(model, 60)}: {clean(why, 200)}" for model, why in stale.items()]
    rows = [("In use", ", ".join(champions)), ("Stale", "; ".join(reasons))]
    return [row for row in rows if row[1]]


def listed(total: int, parts: list[str]) -> str:
    """``12: 8 passed, 4 failed``."""
    return f"{total:,}" + (": " + ", ".join(parts) if parts else "")


def promotion_decision(row: Json) -> str:
    """The decision with what it rests on: the test, a person, or the daemon."""
    word = decision_word(row)
    if row["actor"] != "gate":
        return word
    p, alpha = row["p_value"], row["alpha"]
    shown = NOTHING if p is None else f"{p:.2g}"
    level = NOTHING if alpha is None else f"{alpha:g}"
    return f"{word} (p = {shown}, α = {level}, {plural(row['looks'], 'look')})"


def decision_word(row: Json) -> str:
    """``promoted``, ``kept``, ``rolled back by hand``."""
    word = str(row["decision"]).replace("_", " ")
    by = {"hand": " by hand", "daemon": " by the daemon"}
    return word + by.get(row["actor"], "")


def round_of(row: Json) -> str:
    """The round of a decision; nothing where it was made by hand."""
    return "" if row["round"] is None else str(row["round"])


def where_measured(entries: list[Any]) -> str:
    """The problem set, protocol and generator of the last round that names them."""
    for entry in reversed(entries):
        named = [entry["problem_set"], entry["protocol"], entry["generator"]]
        if any(named):
            return " · ".join(clean(word, 60) for word in named if word)
    return ""
