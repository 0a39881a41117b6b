"""The sections of the page: a stage's cards, plots and tables; promotions; totals; rounds."""

from html import escape

from kent.report import summary
from kent.report.cards import cards, direction
from kent.report.change import UNPAIRED
from kent.report.curve import curve_section
from kent.report.figures import KeyFigure, StageView
from kent.report.plots import measured_rounds, stage_plots
from kent.report.tables import Cell, table
from kent.report.values import Json
from kent.report.wording import NOTHING, change, clean, duration, interval, moment, number

_WORD_CLASS = {"passed": "good", "failed": "w1", "error": "w2", "syntax_error": "w3"}


def stage_section(document: Json, stage: str) -> str:
    """A stage: what its figures are now, how they went, the numbers, and what they mean."""
    view = summary.stage_view(document, stage)
    rows = summary.history(document, stage)
    index = summary.stage_names(document).index(stage)
    where = summary.where_measured([entry for _, entry in rows])
    parts = [
        f'<section id="stage-{index}"><h2>{escape(clean(view.title, 60))}</h2>',
        f'<p class="where">Measured on test problems: {escape(where)}</p>' if where else "",
        cards(document, stage, view),
        _plots(stage_plots(document, stage, view)),
        _marks_key(document, stage),
        curve_section(document, stage, view),
        _figures_table(view, rows),
        _problems(rows),
        _change_table(document, stage, view),
        _meanings(view, rows),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _plots(figures: list[str]) -> str:
    return f'<div class="plots">{"".join(figures)}</div>' if figures else ""


def _marks_key(document: Json, stage: str) -> str:
    drawn = measured_rounds(document, stage, summary.stage_view(document, stage)) > 1
    if not drawn or not any(row["stage"] == stage for row in document["promotions"]):
        return ""
    return (
        '<p class="key"><span class="with"><span class="tri promoted" aria-hidden="true">▼</span>a '
        'candidate was promoted</span><span class="with"><span class="tri kept" aria-hidden="true">'
        "▽</span>the champion was kept</span>bands are 95 % intervals</p>"
    )


def _figures_table(view: StageView, rows: list[tuple[Json, Json]]) -> str:
    shown = [known for known in view.figures if _measured(known, rows)]
    head = ["Round", *(_with_unit(known) for known in shown), "Time", "Status"]
    body = []
    for row, entry in reversed(rows):
        cells = [Cell(str(row["id"]), header=True)]
        cells += [_figure_cell(entry.get(known.name), known) for known in shown]
        cells += [
            Cell(duration(entry["seconds"])),
            Cell(entry["status"], style=f"status {entry['status']}"),
        ]
        body.append(cells)
    return table("Figures by round, the latest first", head, body)


def _measured(known: KeyFigure, rows: list[tuple[Json, Json]]) -> bool:
    found = (entry.get(known.name) for _, entry in rows)
    return any(figure is not None and figure["value"] is not None for figure in found)


def _with_unit(known: KeyFigure) -> str:
    return clean(known.label, 40) + (", %" if known.unit == "percent" else "")


def _figure_cell(figure: Json | None, known: KeyFigure) -> Cell:
    if figure is None or figure["value"] is None:
        return Cell(NOTHING)
    return Cell(number(figure["value"], known.unit), small=interval(figure, known.unit))


def _problems(rows: list[tuple[Json, Json]]) -> str:
    """Why stages did not end well, the latest first."""
    told = [(row["id"], entry, summary.problem_text(entry)) for row, entry in reversed(rows)]
    items = "".join(
        f'<li class="{_weight(entry)}">Round {round_id} {escape(text)}</li>'
        for round_id, entry, text in told
        if text
    )
    return f'<ul class="problems">{items}</ul>' if items else ""


def _weight(entry: Json) -> str:
    """A note weighs less than a failure."""
    return "note" if entry["status"] in ("done", "running", "skipped") else entry["status"]


def _change_table(document: Json, stage: str, view: StageView) -> str:
    body = []
    for known in view.key:
        found = document["change"].get(stage, {}).get(known.name, {})
        latest = summary.latest(document, stage, known)
        if latest is None:
            continue
        now = _figure_cell(latest, known)
        name = Cell(clean(known.label, 40), header=True)
        first, last = (_change_cell(found.get(key), known) for key in ("since_first", "since_last"))
        body.append([name, now, first, last])
    if not any(cell.text != NOTHING for row in body for cell in row[2:]):
        return ""  # one round: there is nothing to compare with, and the cards say what is now
    head = ["Figure", "Now", "Since the first round", "Since the round before"]
    return table("Change, in points where a figure is a percentage", head, body)


def _change_cell(difference: Json | None, known: KeyFigure) -> Cell:
    if difference is None:
        return Cell(NOTHING)
    band = interval(difference, known.unit)
    plain = difference["method"] == UNPAIRED
    small = (
        f"{band}, paired"
        if band
        else UNPAIRED
        if plain
        else f"not comparable: {difference['note']}"
    )
    return Cell(
        change(difference["value"], known.unit), small=small, style=direction(difference, known)
    )


def _meanings(view: StageView, rows: list[tuple[Json, Json]]) -> str:
    entries = "".join(
        f"<dt>{escape(clean(known.label, 40))}</dt><dd>{escape(known.meaning)}</dd>"
        for known in view.figures
        if known.meaning and _measured(known, rows)
    )
    return (
        f"<details><summary>What the figures mean</summary><dl>{entries}</dl></details>"
        if entries
        else ""
    )


def promotions_section(promotions: list[Json]) -> str:
    """Every decision between a candidate and a champion, the latest first."""
    head = ["Round", "Candidate", "Decision", "Effect, points", "p", "Reason"]
    body = [
        [
            Cell(summary.round_of(row), header=True),
            Cell(clean(row["candidate"], 60), small=_against(row), style="words"),
            Cell(
                summary.decision_word(row),
                style="status better" if row["decision"] == "promoted" else "status",
            ),
            Cell(change(row["effect"]["value"], "percent"), small=_effect_band(row)),
            Cell(NOTHING if row["p_value"] is None else f"{row['p_value']:.2g}", small=_looks(row)),
            Cell(clean(row["reason"], 600), style="words"),
        ]
        for row in reversed(promotions)
    ]
    return (
        '<section id="promotions"><h2>Promotions</h2>'
        + table("Decided on validation problems, one-sided and paired, or by hand", head, body)
        + "</section>"
    )


def _against(row: Json) -> str:
    champion = clean(row["champion"], 60)
    if row["actor"] != "gate":
        return f"in place of {champion}" if champion else "no champion before"
    return f"against {champion}" if champion else "the first of its kind"


def _effect_band(row: Json) -> str:
    if row["actor"] != "gate":
        return ""
    band = interval(row["effect"], "percent")
    return (f"{band}, " if band else "") + f"n = {row['effect']['n']:,}"


def _looks(row: Json) -> str:
    if row["actor"] != "gate":
        return ""
    level = NOTHING if row["alpha"] is None else f"{row['alpha']:g}"
    return f"α = {level}, look {row['looks']}"


def totals_section(totals: Json) -> str:
    """What was done in all, with the verdicts as a bar."""
    body = [
        [Cell(name, header=True), Cell(text, style="words")]
        for name, text in summary.totals_rows(totals)
    ]
    return (
        '<section id="totals"><h2>Totals</h2>'
        + _verdict_bar(totals)
        + table("Everything in the store", ["What", "How much"], body)
        + "</section>"
    )


def _verdict_bar(totals: Json) -> str:
    total = totals["verdicts_total"]
    if not total:
        return ""
    parts, key = [], []
    for word, n in sorted(totals["verdicts"].items(), key=lambda item: -item[1]):
        if n:
            style = _WORD_CLASS.get(word, "w4")
            name = escape(clean(word.replace("_", " "), 30))
            share = 100 * n / total
            parts.append(f'<span class="{style}" style="width:{share:.3f}%"></span>')
            swatch = f'<span class="swatch {style}" aria-hidden="true"></span>'
            key.append(f"<li>{swatch}{name} {share:.1f} %</li>")
    return (
        f'<div class="bar" aria-hidden="true">{"".join(parts)}</div>'
        f'<ul class="barkey" aria-label="Verdicts on distinct programs">{"".join(key)}</ul>'
    )


def rounds_section(document: Json) -> str:
    """Each round with its code and models: where the figures came from."""
    head = ["Round", "Status", "Began (UTC)", "Took", "Profile", "Code", "Models"]
    body = []
    for row in reversed(document["rounds"]):
        end = row["finished_at"]
        models = [clean(entry.get(stage), 60) for stage, entry in row["stages"].items()]
        body.append(
            [
                Cell(str(row["id"]), header=True),
                Cell(row["status"], style=f"status {row['status']}"),
                Cell(moment(row["started_at"])),
                Cell(NOTHING if end is None else duration(end - row["started_at"])),
                Cell(clean(row["profile"], 30) or NOTHING),
                Cell(clean(row["code_version"], 60), style="words"),
                Cell(", ".join(model for model in models if model) or NOTHING, style="words"),
            ]
        )
    return (
        '<section id="rounds"><h2>Rounds</h2>'
        + table("Every round, the latest first", head, body)
        + "</section>"
    )
