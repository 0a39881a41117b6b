"""Figures of one round on one axis: a dot and its interval each, where a line would have one point.

A forest plot: so several intervals can be compared that would cover each other on a time axis.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from kent.report.svg import nice_ticks

_ROW, _TOP, _FOOT = 40.0, 6.0, 28.0


@dataclass(frozen=True)
class Row:
    """A figure: its name, its value in [0, 1] and interval, and what is written beside it."""

    label: str
    value: float
    low: float | None
    high: float | None
    text: str


def forest(key: str, title: str, rows: Sequence[Row], width: int) -> str:
    """The rows as an ``<svg>`` element of this width."""
    return _Forest(key, title, rows, width).svg()


class _Forest:
    def __init__(self, key: str, title: str, rows: Sequence[Row], width: int) -> None:
        self._key, self._title, self._rows = key, title, rows
        self._width, self._height = width, _TOP + _ROW * len(rows) + _FOOT
        self._left, self._right = 12.0, width - 18.0
        ends = [end for row in rows for end in (row.low, row.high, row.value) if end is not None]
        self._low, self._high = min(0.0, *ends), max(1.0, *ends)

    def svg(self) -> str:
        parts = [*self._axis()]
        for index, row in enumerate(self._rows):
            parts += self._row(row, _TOP + _ROW * index + 26)
        told = "; ".join(f"{row.label}: {row.text}" for row in self._rows)
        return (
            f'<svg class="forest" viewBox="0 0 {self._width} {self._height:.0f}" role="img"'
            f' aria-labelledby="{self._key}-t"><title id="{self._key}-t">'
            f"{escape(self._title)}. {escape(told)}</title>{''.join(parts)}</svg>"
        )

    def _x(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return self._left + share * (self._right - self._left)

    def _axis(self) -> Iterator[str]:
        bottom = self._height - _FOOT
        for tick in nice_ticks(self._low, self._high):
            x, shown = self._x(tick), f"{100 * tick:.0f} %".replace("-", "−")
            yield (
                f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom:.1f}"/>'
                f'<text class="tick" x="{x:.1f}" y="{bottom + 16:.1f}" text-anchor="middle">'
                f"{shown}</text>"
            )

    def _row(self, row: Row, y: float) -> Iterator[str]:
        x = self._x(row.value)
        yield (
            f'<text class="row" x="{self._left}" y="{y - 11:.1f}">{escape(row.label)}</text>'
            f'<text class="tick" x="{self._right}" y="{y - 11:.1f}" text-anchor="end">'
            f"{escape(row.text)}</text>"
        )
        if row.low is not None and row.high is not None:
            yield (
                f'<line class="span" x1="{self._x(row.low):.1f}" x2="{self._x(row.high):.1f}"'
                f' y1="{y:.1f}" y2="{y:.1f}"/>'
            )
        yield f'<circle class="dot s1" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'
