"""The report in a terminal: tables of 80 columns; stored text is never read as markup."""

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kent.report import summary
from kent.report.figures import Curve, KeyFigure, StageView
from kent.report.resources_section import notes, resource_columns, resource_rows
from kent.report.sparkline import BLOCKS, sparkline
from kent.report.values import Json
from kent.report.wording import NOTHING, change, clean, interval, moment, number

WIDTH = 80
_ROUNDS_SHOWN = 12
_PROMOTIONS_SHOWN = 8
_TREND = 12
_PAIRS_ABREAST = 2  # of the learning curve's figures, in 80 columns
_ASCII = str.maketrans(
    {**dict(zip(BLOCKS, "_.,-=+*#", strict=True)), "–": "-", "−": "-", "·": "|", "…": "~",
     "±": "~", "α": "alpha", "\N{NO-BREAK SPACE}": " "}
)  # fmt: skip


def render_terminal(document: Json, console: Console) -> None:
    """Print the report; it fits 80 columns and the encoding of the console."""
    _Terminal(console).report(document)


class _Terminal:
    """Writes plain text in the characters that the console has."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = console.options.ascii_only
        self._width = min(console.width, 120)

    def report(self, document: Json) -> None:
        self._line(f"KENT report · {moment(document['generated_at'])} UTC", "bold")
        self._line(summary.running_text(document["running"]))
        if not document["rounds"]:
            self._line(summary.EMPTY, "yellow")
            return
        self._line(summary.headline(document))
        for stage in summary.stage_names(document):
            self._stage(document, stage)
        self._promotions(document["promotions"])
        self._resources(document["resources"])
        self._totals(document["totals"])

    def _stage(self, document: Json, stage: str) -> None:
        view = summary.stage_view(document, stage)
        rows = summary.history(document, stage)
        self._line("")
        self._line(clean(view.title, 60), "bold cyan")
        where = summary.where_measured([entry for _, entry in rows])
        self._line(f"Test problems: {where}" if where else "Nothing measured yet.", "dim")
        self._console.print(self._rounds_table(view, rows), width=self._width)
        for row, entry in rows[-_ROUNDS_SHOWN:]:
            if problem := summary.problem_text(entry):
                self._line(f"Round {row['id']} {problem}", "red")
        self._curve(document, stage, view)
        self._console.print(self._change_table(document, stage, view), width=self._width)

    def _rounds_table(self, view: StageView, rows: list[tuple[Json, Json]]) -> Table:
        skipped = max(0, len(rows) - _ROUNDS_SHOWN)
        cut = f"; {skipped} left out" if skipped else ""
        table = self._table(f"Rounds, in percent; below each value its 95 % interval{cut}", gap=0)
        table.add_column(self._text("round"), no_wrap=True)
        for known in view.figures:
            table.add_column(self._text(known.heading), justify="right", no_wrap=True)
        shown = rows if not skipped else [rows[0], *rows[-(_ROUNDS_SHOWN - 1) :]]
        for index, (row, entry) in enumerate(shown):
            if skipped and index == 1:
                table.add_row(self._text("…", "dim"))
            table.add_row(self._round_cell(row, entry), *self._cells(view, entry))
        return table

    def _cells(self, view: StageView, entry: Json) -> list[Text]:
        return [self._figure(entry.get(known.name), known) for known in view.figures]

    def _curve(self, document: Json, stage: str, view: StageView) -> None:
        """What learning gave, each figure beside a cold start's; nothing before it was measured."""
        rows = summary.curve_rows(document, stage)[-_ROUNDS_SHOWN:]
        if view.curve is None or not rows:
            return
        curve, pairs = view.curve, view.curve.pairs
        for first in range(0, len(pairs), _PAIRS_ABREAST):
            title = f"{curve.title}, continued" if first else curve.title
            shown = [known for pair in pairs[first : first + _PAIRS_ABREAST] for known in pair]
            self._console.print(self._curve_table(title, curve, shown, rows), width=self._width)
        counts = ", ".join(
            f"{summary.spoken(one)} {rows[-1][1][one.name]['n']:,}" for one, _ in pairs
        )
        self._line(f"{curve.meaning} n: {counts}.", "dim")

    def _curve_table(
        self, title: str, curve: Curve, shown: list[KeyFigure], rows: list[tuple[Json, Json]]
    ) -> Table:
        table = self._table(title)
        table.add_column(self._text("round"), no_wrap=True)
        table.add_column(self._text(curve.learned_from.heading), justify="right", no_wrap=True)
        for known in shown:
            table.add_column(self._text(known.heading), justify="right", no_wrap=True)
        for row, entry in rows:
            cells = [self._figure(entry.get(one.name), one) for one in (curve.learned_from, *shown)]
            table.add_row(self._text(str(row["id"]), "bold"), *cells)
        return table

    def _round_cell(self, row: Json, entry: Json) -> Text:
        cell = self._text(str(row["id"]), "bold")
        if entry["status"] != "done":
            cell.append_text(self._text(f"\n{entry['status']}", "yellow"))
        return cell

    def _figure(self, figure: Json | None, known: KeyFigure) -> Text:
        if figure is None or figure["value"] is None:
            return self._text(NOTHING, "dim")
        cell = self._text(number(figure["value"], known.unit))
        if band := _short_interval(figure, known):
            cell.append_text(self._text(f"\n{band}", "dim"))
        return cell

    def _change_table(self, document: Json, stage: str, view: StageView) -> Table:
        table = self._table("Change, in points; with an interval where the problems are paired")
        for name, side in (("figure", "left"), ("trend", "left"), ("now", "right"),
                           ("since first", "right"), ("since last", "right")):  # fmt: skip
            table.add_column(self._text(name), justify="left" if side == "left" else "right")
        for known in view.key:
            latest = summary.latest(document, stage, known)
            values = [f["value"] for f in summary.series(document, stage, known.name)]
            change_of = document["change"].get(stage, {}).get(known.name, {})
            table.add_row(
                self._text(clean(known.label, 24)),
                self._text(sparkline(values, _TREND), "cyan"),
                self._text(number(latest["value"], known.unit) if latest else NOTHING),
                self._difference(change_of.get("since_first"), known),
                self._difference(change_of.get("since_last"), known),
            )
        return table

    def _difference(self, difference: Json | None, known: KeyFigure) -> Text:
        if difference is None:
            return self._text(NOTHING, "dim")
        cell = self._text(change(difference["value"], known.unit), _colour(difference, known))
        below = interval(difference, known.unit) or difference["method"]
        cell.append_text(self._text(f"\n{below}", "dim"))
        return cell

    def _promotions(self, promotions: list[Json]) -> None:
        if not promotions:
            return
        hidden = len(promotions) - _PROMOTIONS_SHOWN
        more = f" (the last {_PROMOTIONS_SHOWN} of {len(promotions)})" if hidden > 0 else ""
        table = self._table(f"Promotions{more}")
        table.add_column(self._text("round"), justify="right")
        table.add_column(self._text("candidate"), overflow="fold", max_width=20)
        table.add_column(self._text("effect"), justify="right", no_wrap=True)
        table.add_column(self._text("decision and reason"), overflow="fold")
        for row in promotions[-_PROMOTIONS_SHOWN:]:
            effect = self._text(change(row["effect"]["value"], "percent"))
            if band := interval(row["effect"], "percent"):
                effect.append_text(self._text(f"\n{band}", "dim"))
            decided = self._text(
                summary.promotion_decision(row), "green" if row["decision"] == "promoted" else ""
            )
            decided.append_text(self._text(f"\n{clean(row['reason'], 300)}"))
            table.add_row(
                self._text(summary.round_of(row)), self._text(clean(row["candidate"], 60)), effect,
                decided,
            )  # fmt: skip
        self._console.print(table, width=self._width)

    def _resources(self, found: Json) -> None:
        if not found["by_stage"]:
            return
        table = self._table("Time, memory and cost")
        table.add_column(self._text("stage"))
        for name in resource_columns(found):
            table.add_column(self._text(name.lower()), justify="right")
        for name, cells in resource_rows(found):
            table.add_row(self._text(name), *(self._text(cell) for cell in cells))
        self._console.print(table, width=self._width)
        self._line(notes(found), "dim")

    def _totals(self, totals: Json) -> None:
        table = self._table("Totals")
        table.show_header = False
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in summary.totals_rows(totals):
            table.add_row(self._text(name), self._text(text))
        self._console.print(table, width=self._width)

    def _table(self, title: str, gap: int = 1) -> Table:
        """A table under its title; ``gap`` is the space between columns beyond the first blank."""
        self._line("")
        self._line(title, "bold")
        return Table(
            box=box.SIMPLE_HEAD, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False,
            safe_box=True,
        )  # fmt: skip

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(self._text(text, style), width=self._width)

    def _text(self, text: str, style: str = "") -> Text:
        shown = text
        if self._ascii:
            shown = shown.translate(_ASCII).encode("ascii", "replace").decode("ascii")
        return Text(shown, style=style)


def _short_interval(figure: Json, known: KeyFigure) -> str:
    """The interval in at most eleven characters, so that eight columns fit a terminal."""
    text = interval(figure, known.unit)
    if known.unit == "fraction":
        return text.replace("0.", ".")
    if len(text) > 9:
        scale, between = (100, " to ") if known.unit == "percent" else (1, "–")
        low, high = (f"{scale * figure[end]:,.0f}" for end in ("low", "high"))
        return f"{low}{between}{high}".replace("-", "−")
    return text


def _colour(difference: Json, known: KeyFigure) -> str:
    """Green or red where the interval excludes no change."""
    low, high = difference["low"], difference["high"]
    if low is None or high is None or low <= 0 <= high or known.better == "none":
        return ""
    return "green" if (low > 0) == (known.better == "up") else "red"
