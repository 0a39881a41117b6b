"""HTML tables that scroll inside their own box, so that the page never scrolls sideways."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Cell:
    """A cell: its text, a smaller second line, and classes. All text is escaped on writing."""

    text: str
    small: str = ""
    style: str = ""
    header: bool = False

    def html(self) -> str:
        """The cell's element."""
        inner = escape(self.text) + (f"<small>{escape(self.small)}</small>" if self.small else "")
        if self.header:
            return f'<th scope="row">{inner}</th>'
        style = f' class="{escape(self.style)}"' if self.style else ""
        return f"<td{style}>{inner}</td>"


def table(caption: str, head: Sequence[str], body: Sequence[Sequence[Cell]]) -> str:
    """A table with a caption, in a box that can be scrolled by touch and by keyboard."""
    first = body[0] if body else [Cell("")] * len(head)
    columns = "".join(
        f'<th scope="col"{_align(cell)}>{escape(name)}</th>'
        for name, cell in zip(head, first, strict=True)
    )
    rows = "".join(f"<tr>{''.join(cell.html() for cell in row)}</tr>" for row in body)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def _align(cell: Cell) -> str:
    """A column's head stands over its words or its numbers."""
    return ' class="words"' if {"words", "status"} & set(cell.style.split()) else ""
