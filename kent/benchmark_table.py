"""What `kent benchmark` prints: one table for all trainers, as text and as a page."""

import html
from typing import Any

Json = dict[str, Any]

_HEAD = ("trainer", "figure", "set", "mode", "value", "95 % interval", "n")
_STYLE = (
    "body{font:15px system-ui,sans-serif;margin:2rem;max-width:75rem}"
    "table{border-collapse:collapse}td,th{padding:.25rem .8rem;text-align:left;"
    "border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}"
)


def in_lines(document: Json) -> list[str]:
    """The table, then what was compared, and what speaks against the figures."""
    cells = [_HEAD, *_cells(document)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return [*lines, "", *_notes(document)]


def as_page(document: Json) -> str:
    """The same as one page that needs nothing else."""
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in row) + "</tr>"
        for row in _cells(document)
    )
    head = "".join(f"<th>{text}</th>" for text in _HEAD)
    notes = "".join(f"<li>{html.escape(line)}</li>" for line in _notes(document))
    title = f"KENT benchmark {document['run']}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f"<table><tr>{head}</tr>{rows}</table><ul>{notes}</ul></html>\n"
    )


def _cells(document: Json) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for part, told in document["parts"].items():
        if told["status"] != "done":
            found.append((part, told["error"] or told["status"], "", "", "-", "", ""))
        for row in told["rows"]:
            times, form = (100, ".1f") if row["unit"] == "share" else (1, ".2f")
            unit = " %" if row["unit"] == "share" else ""
            value = "-" if row["value"] is None else f"{times * row['value']:{form}}{unit}"
            low, high = row["low"], row["high"]
            interval = "" if low is None else f"{times * low:{form}} to {times * high:{form}}"
            found.append(
                (part, row["figure"], row["set"], row["mode"], value, interval, str(row["n"]))
            )
    return found


def _notes(document: Json) -> list[str]:
    lines = []
    for part, told in document["parts"].items():
        for name, sides in told.get("comparisons", {}).items():
            for against, found in sides.items():
                if found is None or found["difference"]["value"] is None:
                    continue
                effect = found["difference"]
                whom = told["untrained"] if against == "untrained" else "the previous run"
                lines.append(
                    f"{part}, {name}, against {whom}: {100 * effect['value']:+.1f} points, "
                    f"p = {found['p_value']:.3g} ({found['test']}); {found['power']['told']}"
                )
        if "judged" in told:
            lines.append(f"{part}: the tests of {len(told['judged'])} of the tasks ran here")
        lines += [f"{part}: {note}" for note in told.get("notes", ())]
    contamination = document["contamination"]
    pairs = contamination.get("pairs", ())
    lines.append(
        f"contamination: {len(pairs)} pairs, {len(contamination.get('flagged', ()))} test items; "
        "--json lists them with their evidence and gives the figures without them"
    )
    lines.append(
        f"run {document['run']}, seed {document['seed']}, snapshot {document['snapshot'][:16]}"
    )
    return lines
