"""A small writer of SVG line plots with interval bands; colours come from the page's style."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_DOTS = 40  # with more rounds the line speaks for itself
_LABEL_GAP = 14.0
_NAME = 7.2  # the width of a bold letter of a line's name, on average
_MARK_WIDTH = 11.0  # closer together, only promotions are marked


@dataclass(frozen=True)
class Point:
    """A value with its interval at a position on the x axis; ``tip`` is shown on hovering."""

    x: int
    value: float
    low: float | None
    high: float | None
    tip: str


@dataclass(frozen=True)
class Series:
    """A line; ``style`` is the class ``s0``, ``s1`` or ``s2`` of the page's style."""

    label: str
    style: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """An event on the time line, such as a promotion."""

    x: int
    promoted: bool
    tip: str


@dataclass(frozen=True)
class Drawing:
    """What a plot shows. ``ticks`` are the x labels by position."""

    key: str
    title: str
    description: str
    ticks: tuple[str, ...]
    series: tuple[Series, ...]
    marks: tuple[Mark, ...] = ()
    reference: float | None = None
    reference_label: str = ""
    percent: bool = True
    axis: str = "round"


def line_plot(drawing: Drawing, width: int, height: int) -> str:
    """The plot as an ``<svg>`` element of this shape; it scales to its box."""
    return _Plot(drawing, width, height).svg()


def spark(values: Sequence[float | None], width: int = 120, height: int = 28) -> str:
    """A line without axes; decoration beside a number, so hidden from screen readers."""
    known = [(i, v) for i, v in enumerate(values) if v is not None]
    if len(known) < 2:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    low, span = (low, high - low) if high > low else (low - 0.5, 1.0)  # a level line in the middle
    step = (width - 8) / max(1, len(values) - 1)
    points = [(4 + i * step, height - 4 - (v - low) / span * (height - 8)) for i, v in known]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" preserveAspectRatio="xMinYMid meet"'
        f' aria-hidden="true"><polyline class="line s1" points="{line}"/>'
        f'<circle class="dot s1" cx="{x:.1f}" cy="{y:.1f}" r="3"/></svg>'
    )


def y_range(drawing: Drawing) -> tuple[float, float]:
    """The y axis: everything drawn with some air, inside [0, 1] where all of it is."""
    levels = [
        level
        for line in drawing.series
        for p in line.points
        for level in (p.value, p.low, p.high)
        if level is not None
    ]
    levels += [] if drawing.reference is None else [drawing.reference]
    low, high = min(levels, default=0.0), max(levels, default=1.0)
    air = max(0.08 * (high - low), 0.01)
    bounded = low >= 0 and high <= 1
    bottom, top = low - air, high + air
    return (max(0.0, bottom), min(1.0, top)) if bounded else (bottom, top)


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between low and high, at most ``most`` of them."""
    if high <= low:
        return [low]
    power = 10 ** math.floor(math.log10((high - low) / most))
    for factor in (1, 2, 2.5, 5, 10, 20):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [n * step for n in range(first, last + 1)]
    return [low, high]


class _Plot:
    """One drawing at one size: maps values to the sheet and writes the elements."""

    def __init__(self, drawing: Drawing, width: int, height: int) -> None:
        self._d = drawing
        self._width, self._height = width, height
        many = len(drawing.series) > 1
        longest = max((len(line.label) for line in drawing.series), default=0)
        self._left, self._right = 46.0, width - (_NAME * longest + 14.0 if many else 14.0)
        self._top, self._bottom = 22.0, height - 38.0
        self._low, self._high = y_range(drawing)

    def svg(self) -> str:
        d = self._d
        parts = [*self._y_axis(), *self._x_axis(), *self._reference(), *self._marks()]
        parts += [part for line in d.series for part in self._bands(line)]
        parts += [part for line in d.series for part in self._line(line)]
        parts += self._end_labels() if len(d.series) > 1 else []
        title, desc = f"{d.key}-t", f"{d.key}-d"
        return (
            f'<svg class="plot" viewBox="0 0 {self._width} {self._height}" role="img"'
            f' aria-labelledby="{title} {desc}"><title id="{title}">{escape(d.title)}</title>'
            f'<desc id="{desc}">{escape(d.description)}</desc>{"".join(parts)}</svg>'
        )

    def _x(self, position: float) -> float:
        count = len(self._d.ticks)
        if count < 2:
            return (self._left + self._right) / 2
        inset = min(24.0, (self._right - self._left) / count / 2)
        span = self._right - self._left - 2 * inset
        return self._left + inset + span * position / (count - 1)

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._bottom - share * (self._bottom - self._top)

    def _y_axis(self) -> Iterator[str]:
        ticks = nice_ticks(self._low, self._high)
        write = _tick_writer(ticks, self._d.percent)
        for tick in ticks:
            y = self._y(tick)
            yield (
                f'<line class="grid" x1="{self._left}" x2="{self._right}"'
                f' y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<text class="tick" x="{self._left - 6}" y="{y + 4:.1f}"'
                f' text-anchor="end">{write(tick)}</text>'
            )

    def _x_axis(self) -> Iterator[str]:
        ticks = self._d.ticks
        room = max(2, int((self._right - self._left) / 34))
        step = max(1, math.ceil(len(ticks) / room))
        for position in range(0, len(ticks), step):
            yield (
                f'<text class="tick" x="{self._x(position):.1f}" y="{self._bottom + 16}"'
                f' text-anchor="middle">{escape(ticks[position])}</text>'
            )
        middle = (self._left + self._right) / 2
        yield (
            f'<text class="axis" x="{middle:.1f}" y="{self._height - 5}"'
            f' text-anchor="middle">{escape(self._d.axis)}</text>'
        )

    def _reference(self) -> Iterator[str]:
        if self._d.reference is None:
            return
        y = self._y(self._d.reference)
        yield (
            f'<line class="reference" x1="{self._left}" x2="{self._right}"'
            f' y1="{y:.1f}" y2="{y:.1f}"/><text class="tick" x="{self._right - 2}"'
            f' y="{y - 4:.1f}" text-anchor="end">{escape(self._d.reference_label)}</text>'
        )

    def _marks(self) -> Iterator[str]:
        dense = len(self._d.ticks) > 1 and self._x(1) - self._x(0) < _MARK_WIDTH
        for mark in self._d.marks:
            if dense and not mark.promoted:
                continue
            x = self._x(mark.x)
            word = "promoted" if mark.promoted else "kept"
            down = f"M{x - 5:.1f},6 L{x + 5:.1f},6 L{x:.1f},15 Z"
            line = (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="15" y2="{self._bottom}"/>'
                if mark.promoted
                else ""
            )
            yield (
                f'<g class="mark {word}">{line}<path d="{down}"/>'
                f"<title>{escape(mark.tip)}</title></g>"
            )

    def _bands(self, line: Series) -> Iterator[str]:
        for run in _runs(line.points):
            edges = [(self._x(p.x), p.low, p.high) for p in run]
            whole = [(x, lo, hi) for x, lo, hi in edges if lo is not None and hi is not None]
            if len(whole) == 1:
                x, lo, hi = whole[0]
                yield (
                    f'<line class="whisker {line.style}" x1="{x:.1f}" x2="{x:.1f}"'
                    f' y1="{self._y(lo):.1f}" y2="{self._y(hi):.1f}"/>'
                )
            elif whole:
                there = [f"{x:.1f},{self._y(hi):.1f}" for x, _, hi in whole]
                back = [f"{x:.1f},{self._y(lo):.1f}" for x, lo, _ in reversed(whole)]
                yield f'<polygon class="band {line.style}" points="{" ".join(there + back)}"/>'

    def _line(self, line: Series) -> Iterator[str]:
        radius = 3.5 if len(self._d.ticks) <= _DOTS else 0.0
        for run in _runs(line.points):
            if len(run) > 1:
                points = " ".join(f"{self._x(p.x):.1f},{self._y(p.value):.1f}" for p in run)
                yield f'<polyline class="line {line.style}" points="{points}"/>'
            for p in run:
                x, y = f"{self._x(p.x):.1f}", f"{self._y(p.value):.1f}"
                size = radius or (2.0 if len(run) == 1 else 0.0)
                dot = f'<circle class="dot {line.style}" cx="{x}" cy="{y}" r="{size}"/>'
                yield (
                    f"<g>{dot if size else ''}"
                    f'<circle class="hit" cx="{x}" cy="{y}" r="9"/>'
                    f"<title>{escape(p.tip)}</title></g>"
                )

    def _end_labels(self) -> Iterator[str]:
        """Each line's name at its end, pushed apart where they would meet."""
        ends = sorted(
            ((self._y(line.points[-1].value), line) for line in self._d.series if line.points),
            key=lambda end: end[0],
        )
        ys: list[float] = []
        for y, _ in ends:
            ys.append(max(y, ys[-1] + _LABEL_GAP) if ys else max(y, self._top + 4))
        over = max(0.0, ys[-1] - self._bottom) if ys else 0.0
        for (_, line), y in zip(ends, ys, strict=True):
            yield (
                f'<text class="name {line.style}" x="{self._right + 8}"'
                f' y="{y - over + 4:.1f}">{escape(line.label)}</text>'
            )


def _runs(points: Sequence[Point]) -> Iterator[list[Point]]:
    """Stretches without a missing round; a line is not drawn across a gap."""
    run: list[Point] = []
    for point in points:
        if run and point.x != run[-1].x + 1:
            yield run
            run = []
        run.append(point)
    if run:
        yield run


def _tick_writer(ticks: Sequence[float], percent: bool) -> Callable[[float], str]:
    scale, unit = (100.0, " %") if percent else (1.0, "")
    step = abs(ticks[1] - ticks[0]) * scale if len(ticks) > 1 else 1.0
    # The fewest decimals that write the step exactly.
    places = next((p for p in range(5) if math.isclose(round(step, p), step, rel_tol=1e-6)), 5)
    return lambda tick: f"{tick * scale + 0.0:.{places}f}{unit}".replace("-", "−")
