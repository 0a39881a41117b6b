"""Resources for people: the rows that the terminal and the page share, and the page's section."""

from html import escape

from kent.report.tables import Cell, table
from kent.report.values import Json
from kent.report.views import view_of
from kent.report.wording import NOTHING, clean

_TOTAL = "Together"


def resource_columns(found: Json) -> list[str]:
    """The columns that have anything in them; wall hours always."""
    total = found["total"]
    columns = ["Hours"]
    columns += ["CPU hours"] if total["cpu_hours"] is not None else []
    columns += ["Peak memory"] if total["peak_memory_mb"] is not None else []
    columns += ["Card hours"] if total["card_hours"] is not None else []
    columns += ["Card memory"] if total["card_peak_memory_mb"] is not None else []
    columns += ["Card kWh"] if total["card_kwh"] is not None else []
    return columns + (["Cost"] if total["cost"] else [])


def resource_rows(found: Json) -> list[tuple[str, list[str]]]:
    """A row for each stage, the one that took longest first, and one for all together."""
    stages = sorted(found["by_stage"].items(), key=lambda item: -item[1]["hours"])
    rows = [(clean(view_of(name).title, 40), _cells(found, one)) for name, one in stages]
    return [*rows, (_TOTAL, _cells(found, found["total"]))] if len(rows) > 1 else rows


def _cells(found: Json, one: Json) -> list[str]:
    shown = {
        "Hours": _number(one["hours"], 2),
        "CPU hours": _number(one["cpu_hours"], 2),
        "Peak memory": memory(one["peak_memory_mb"]),
        "Card hours": _number(one["card_hours"], 2),
        "Card memory": memory(one["card_peak_memory_mb"]),
        "Card kWh": _number(one["card_kwh"], 3),
        "Cost": money(one["cost"]),
    }
    return [shown[name] for name in resource_columns(found)]


def _number(value: float | None, places: int) -> str:
    return NOTHING if value is None else f"{value:,.{places}f}"


def memory(mb: float | None) -> str:
    """MiB for a person: ``812 MB``, ``1.4 GB``."""
    if mb is None:
        return NOTHING
    return f"{mb / 1024:,.1f} GB" if mb >= 1000 else f"{mb:,.0f} MB"


def money(costs: dict[str, float]) -> str:
    """Sums by currency: ``1.25 USD``."""
    return ", ".join(f"{sum_:,.2f} {clean(name, 8)}" for name, sum_ in costs.items()) or NOTHING


def notes(found: Json) -> str:
    """Which cards there were, and of how many attempts there is a record."""
    total = found["total"]
    told = [f"Card: {', '.join(clean(card, 60) for card in found['cards'])}."] if (
        found["cards"]
    ) else []  # fmt: skip
    if total["measured"] < total["attempts"]:
        told.append(f"{total['measured']:,} of {total['attempts']:,} attempts were measured.")
    return " ".join(told)


def resources_section(found: Json) -> str:
    """Bars of the hours by stage, and the table."""
    stages = sorted(found["by_stage"].items(), key=lambda item: -item[1]["hours"])
    most = max((one["hours"] for _, one in stages), default=0.0) or 1.0
    bars = "".join(
        f'<li><span class="label">{escape(clean(view_of(name).title, 40))}</span>'
        f'<span class="track"><span class="fill s1" style="width:{100 * one["hours"] / most:.2f}%">'
        f'</span></span><span class="amount">{one["hours"]:,.2f} h</span>'
        f"<small>{escape(_said(one))}</small></li>"
        for name, one in stages
    )
    head = ["Stage", *resource_columns(found)]
    body = [
        [Cell(name, header=True), *(Cell(text) for text in cells)]
        for name, cells in resource_rows(found)
    ]
    said = notes(found)
    return (
        '<section id="resources"><h2>Time, memory and cost</h2>'
        + (f'<p class="where">{escape(said)}</p>' if said else "")
        + f'<ul class="bars">{bars}</ul>'
        + table("What the attempts of each stage used that have ended", head, body)
        + "</section>"
    )


def _said(one: Json) -> str:
    attempts = f"{one['attempts']:,} attempt" + "s" * (one["attempts"] != 1)
    return ", ".join([attempts, *([money(one["cost"])] if one["cost"] else [])])
