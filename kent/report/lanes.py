"""The time line: a lane for each stage, with how it ended in each round and what was promoted."""

from collections.abc import Iterator
from html import escape

from kent.report import summary
from kent.report.values import Json
from kent.report.views import view_of
from kent.report.wording import clean, plural

_LANE = 44.0
_TOP, _FOOT = 8.0, 34.0
_DENSE = 9.0  # with rounds closer than this only what is not usual is drawn


def lanes(document: Json, width: int) -> str:
    """The time line as an ``<svg>`` element of this width."""
    return _Lanes(document, width).svg()


class _Lanes:
    def __init__(self, document: Json, width: int) -> None:
        self._d = document
        self._stages = summary.stage_names(document)
        self._rounds = [row["id"] for row in document["rounds"]]
        self._width = width
        self._left, self._right = 14.0, width - 14.0
        self._height = _TOP + _LANE * len(self._stages) + _FOOT

    def svg(self) -> str:
        parts = [*self._axis()]
        for index, stage in enumerate(self._stages):
            parts += self._lane(stage, _TOP + _LANE * index + 32)
        count = plural(sum(p["decision"] == "promoted" for p in self._d["promotions"]), "promotion")
        return (
            f'<svg class="lanes" viewBox="0 0 {self._width} {self._height:.0f}" role="img">'
            f"<title>Time line of {plural(len(self._rounds), 'round')}, {count}</title>"
            f"{''.join(parts)}</svg>"
        )

    def _x(self, position: int) -> float:
        count = len(self._rounds)
        if count < 2:
            return (self._left + self._right) / 2
        inset = min(24.0, (self._right - self._left) / count / 2)
        return self._left + inset + (self._right - self._left - 2 * inset) * position / (count - 1)

    def _axis(self) -> Iterator[str]:
        room = max(2, int((self._right - self._left) / 40))
        step = max(1, -(-len(self._rounds) // room))
        y = self._height - 18
        for position in range(0, len(self._rounds), step):
            yield (
                f'<text class="tick" x="{self._x(position):.1f}" y="{y:.1f}"'
                f' text-anchor="middle">{self._rounds[position]}</text>'
            )
        middle = self._width / 2
        yield (
            f'<text class="axis" x="{middle:.1f}" y="{self._height - 3:.1f}"'
            ' text-anchor="middle">round</text>'
        )

    def _lane(self, stage: str, y: float) -> Iterator[str]:
        title = escape(clean(view_of(stage).title, 60))
        yield (
            f'<text class="lane" x="{self._left}" y="{y - 15:.1f}">{title}</text>'
            f'<line class="grid" x1="{self._left}" x2="{self._right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        dense = len(self._rounds) > 1 and self._x(1) - self._x(0) < _DENSE
        decided = {
            row["round"]: row for row in self._d["promotions"] if row["stage"] == stage
        }  # fmt: skip
        for position, row in enumerate(self._d["rounds"]):
            entry = row["stages"].get(stage)
            if entry is None:
                continue
            decision = decided.get(row["id"])
            usual = entry["status"] in ("done", "skipped")
            if dense and usual and (decision is None or decision["decision"] != "promoted"):
                continue
            yield _mark(self._x(position), y, row["id"], entry, decision)


def _mark(x: float, y: float, round_id: int, entry: Json, decision: Json | None) -> str:
    """A triangle where a candidate was promoted, a ring where one was kept out, else a dot."""
    word = decision["decision"] if decision else ""
    tip = f"Round {round_id}: {entry['status']}"
    if decision:
        tip += f"; {clean(decision['candidate'], 60)} {summary.decision_word(decision)}"
    if entry["status"] not in ("done", "skipped", "running"):
        shape = (
            f'<path class="cross {entry["status"]}" d="M{x - 4:.1f},{y - 4:.1f} l8,8 m0,-8 l-8,8"/>'
        )
    elif word == "promoted":
        shape = (
            f'<path class="won" d="M{x - 8:.1f},{y + 6:.1f} L{x + 8:.1f},{y + 6:.1f}'
            f' L{x:.1f},{y - 8:.1f} Z"/>'
        )
    else:
        style = "ring" if word == "kept" else "dot"
        shape = f'<circle class="{style} {entry["status"]}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    return (
        f'<g>{shape}<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="11"/>'
        f"<title>{escape(tip)}</title></g>"
    )
