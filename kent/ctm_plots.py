"""Plots of what a CTM's ticks do (``trainers.ctm.analysis``): files, and drawings for the page."""

import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

Json = dict[str, Any]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_WIDE, _HIGH = 8.4, 4.0  # inches
# Text stays text, and the same numbers give the same bytes.
_SVG = {"svg.fonttype": "none", "svg.hashsalt": "kent", "font.family": "sans-serif"}


def drawings(analysis: Json) -> dict[str, Figure]:
    """The plots by name; one without anything to show is left out."""
    makers: dict[str, Callable[[Json], Figure | None]] = {
        "iteration_progression": _progression,
        "certainty_curves": _certainty,
        "attention_on_place": _attention_on_place,
        "synchronisation_patterns": _synchronisation,
        "attention_maps": _maps,
        "reliability": _reliability,
    }
    made = {name: make(analysis) for name, make in makers.items()}
    return {name: figure for name, figure in made.items() if figure is not None}


def write_plots(analysis: Json, folder: Path) -> list[Path]:
    """Write each plot as PNG and as SVG; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in drawings(analysis).items():
        picture = folder / f"{name}.png"
        figure.savefig(picture, dpi=130)
        vector = folder / f"{name}.svg"
        vector.write_text(as_svg(figure, name), "utf-8")
        written += [picture, vector]
    return written


def as_svg(figure: Figure, name: str) -> str:
    """An ``<svg>`` element without prolog, images or script; its ids begin with ``name``."""
    page = io.StringIO()
    with mpl.rc_context(_SVG):
        figure.savefig(page, format="svg", metadata={"Date": None, "Creator": None})
    text = page.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    return re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text)


def _progression(analysis: Json) -> Figure | None:
    """The share of programs whose likeliest place is right, by tick; whole repairs beside it."""
    lines = {name: row for name, row in analysis["located"].items() if name != "clean"}
    if not lines:
        return None
    figure, axes = _lines(analysis, lines, "place found, share of programs")
    whole = analysis.get("fixed_by_tick")
    if whole:
        axes.plot(range(1, len(whole) + 1), whole, "k--", label="whole program repaired")
    _name_lines(figure)
    axes.set_title("Iteration progression: right place, by tick and class")
    return figure


def _certainty(analysis: Json) -> Figure | None:
    figure, axes = _lines(analysis, analysis["certainty"], "certainty, mean")
    outcome = analysis["certainty_by_outcome"]
    for (name, row), dash in zip(outcome.items(), ("--", ":"), strict=False):
        axes.plot(range(1, len(row) + 1), row, color="#555555", linestyle=dash, label=name)
    _name_lines(figure)
    axes.set_title("Certainty by tick: classes, and places right and wrong at the end")
    return figure


def _attention_on_place(analysis: Json) -> Figure | None:
    if not analysis["attention_on_place"]:
        return None
    figure, axes = _lines(analysis, analysis["attention_on_place"], "attention weight")
    for even, colour in zip(analysis["attention_even"].values(), _COLOURS, strict=False):
        axes.axhline(even, color=colour, linestyle=":", linewidth=1)
    _name_lines(figure)
    axes.set_title("Attention on the cells of a right edit; dotted: even attention")
    return figure


def _synchronisation(analysis: Json) -> Figure | None:
    found = analysis["synchronisation"]
    if not found["pairs"]:
        return None
    names, rows = list(found["classes"]), np.array(list(found["classes"].values()))
    figure, axes = _sheet(_WIDE, 1.4 + 0.35 * len(names))
    most = max(float(np.abs(rows).max()), 1e-6)
    shown = axes.pcolormesh(rows, cmap="RdBu_r", vmin=-most, vmax=most)
    told = [f"{name} ({analysis['n'][name]})" for name in names]
    axes.set_yticks(np.arange(len(names)) + 0.5, told)
    axes.invert_yaxis()
    axes.set_xlabel("pair of neurons, those that differ most between classes")
    axes.set_title("Synchronisation at the last tick, standard deviations from the mean")
    bar = figure.colorbar(shown, ax=axes)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)  # the page shows no images
    return figure


def _maps(analysis: Json) -> Figure | None:
    maps = analysis["maps"]
    if not maps:
        return None
    ticks = list(maps[0]["ticks"])
    figure = Figure(figsize=(_WIDE, 2.3 * len(maps)), layout="constrained")
    sheets = figure.subplots(len(maps), len(ticks), squeeze=False)
    for one, line in zip(maps, sheets, strict=True):
        for tick, axes in zip(ticks, line, strict=True):
            _map(axes, one, tick)
    figure.suptitle("Attention over the code grid; framed: cells of a right edit", fontsize=10)
    return figure


def _map(axes: Axes, one: Json, tick: str) -> None:
    places = list(zip(one["col"], one["row"], strict=True))
    cells = PatchCollection([Rectangle(place, 1, 1) for place in places], cmap="viridis")
    cells.set_array(np.array(one["ticks"][tick]))
    axes.add_collection(cells)
    for cell in one["right"]:
        axes.add_patch(Rectangle(places[cell], 1, 1, fill=False, edgecolor="red", linewidth=1.5))
    axes.set(xlim=(0, max(one["col"]) + 1), ylim=(max(one["row"]) + 1, 0))
    axes.set_title(f"{one['bug_class']}, tick {tick}", fontsize=8)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=6)


def _reliability(analysis: Json) -> Figure | None:
    bins = analysis.get("reliability")
    if not bins:
        return None
    figure, axes = _sheet(4.4, 4.2)
    said, seen = ([one["said"] for one in bins], [one["seen"] for one in bins])
    values = [one["value"] for one in seen]
    bars = [
        [max(0.0, one["value"] - one["low"]) for one in seen],
        [max(0.0, one["high"] - one["value"]) for one in seen],
    ]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=1)
    axes.errorbar(said, values, yerr=bars, fmt="o-", color=_COLOURS[0], capsize=3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability said", ylabel="share that was right")
    axes.set_title("Reliability of whole repairs")
    return figure


def _lines(analysis: Json, rows: Mapping[str, list[float]], label: str) -> tuple[Figure, Axes]:
    figure, axes = _sheet(_WIDE, _HIGH)
    for (name, row), colour in zip(rows.items(), _COLOURS, strict=False):
        told = f"{name} (n = {analysis['n'][name]})"
        axes.plot(range(1, len(row) + 1), row, marker=".", color=colour, label=told)
    axes.set(xlabel="tick", ylabel=label)
    axes.set_xlim(0.8, analysis["ticks"] + 0.2)
    axes.grid(visible=True, alpha=0.3)
    return figure, axes


def _name_lines(figure: Figure) -> None:
    """Beside the lines, so that it covers none."""
    figure.legend(loc="outside right upper", fontsize=8)


def _sheet(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()
