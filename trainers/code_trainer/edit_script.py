"""An edit as the network writes it: an operation, a span of tokens of a window, the new tokens."""

from dataclasses import dataclass, field

from trainers.code_trainer.code_tokens import LINE_ENDS, Layout, Token, after, lex
from trainers.code_trainer.locations import Locations
from trainers.code_trainer.patches import CodePatch
from trainers.code_trainer.regions import Operation, split_lines

LINES_ABOVE, LINES_BELOW = 6, 14
MAX_WINDOW = 128
MAX_NEW = 48


@dataclass(frozen=True)
class Window:
    """Whole lines ``first`` to ``last`` (from 0, ``last`` excluded) of a text, as tokens.

    ``focus`` is the line of the location that the window was made for.
    """

    first: int
    last: int
    focus: int
    text: str
    tokens: tuple[Token, ...] = field(repr=False)

    @property
    def words(self) -> list[str]:
        """The token texts."""
        return [token.text for token in self.tokens]

    @property
    def in_focus(self) -> list[bool]:
        """By token, whether it begins on the line of the location."""
        line = self.focus - self.first
        return [self.text.count("\n", 0, token.start) == line for token in self.tokens]


@dataclass(frozen=True)
class EditScript:
    """Tokens ``start`` to ``end`` (excluded) of a window give way to ``tokens``."""

    operation: Operation
    start: int
    end: int
    tokens: tuple[str, ...]


def window_of(text: str, location: str, locations: Locations | None = None) -> Window | None:
    """The lines around a location, up to ``MAX_WINDOW`` tokens; None where it is not in the text.

    It grows from the location's first line, two lines down for each one up: an edit is mostly of
    the statement itself or behind it.
    """
    span = (locations or Locations(text)).lines(location)
    if span is None:
        return None
    lines = split_lines(text)
    first = last = min(span[0], len(lines))
    room = MAX_WINDOW
    growing = True
    while growing:
        growing = False
        for step in (1, 1, -1):
            line = last if step > 0 else first - 1
            if not 0 <= line < len(lines) or not span[0] - LINES_ABOVE <= line:
                continue
            cost = len(lex(lines[line]))
            if cost > room or line >= span[0] + LINES_BELOW:
                continue
            room -= cost
            first, last = (first, last + 1) if step > 0 else (first - 1, last)
            growing = True
    cut = "".join(lines[first:last])
    return Window(first, last, span[0], cut, tuple(lex(cut)))


def script_of(window: Window, patch: CodePatch) -> EditScript | None:
    """The script of a patch; None where it leaves the window or does not render to the same tokens.

    The span is the smallest: what both texts begin and end with stays. A line end counts as the
    same only with the same characters, so that a block that moves is written anew.
    """
    inside = patch.start - window.first
    lines = split_lines(window.text)
    end = inside + len(split_lines(patch.anchor))
    if inside < 0 or end > len(lines):
        return None
    changed = "".join([*lines[:inside], patch.content, *lines[end:]])
    old, new = list(window.tokens), lex(changed)
    head = _shared(old, new)
    tail = _shared(old[head:][::-1], new[head:][::-1])
    script = EditScript(
        patch.operation,
        head,
        len(old) - tail,
        tuple(token.text for token in new[head : len(new) - tail]),
    )
    same = [token.text for token in lex(apply_script(window, script))]
    return script if same == [token.text for token in new] else None


def apply_script(window: Window, script: EditScript) -> str:
    """The window's text after a script."""
    tokens, text = window.tokens, window.text
    left = tokens[script.start - 1].end if script.start else _indent(window)
    head = text[:left]
    layout = after(head)
    parts = [head]
    for i, token in enumerate(script.tokens):
        gap, raw = layout.gap(token), layout.raw(token)
        if not i and script.start < script.end:
            gap = text[left : tokens[script.start].start]
        layout.push(token, raw, len(gap))
        parts += [gap, raw]
    if script.end < len(tokens):
        parts.append(_last_gap(window, script, layout))
        parts.append(text[tokens[script.end].start :])
    else:
        parts.append(text[tokens[-1].end :] if tokens else text[left:])
    return "".join(parts)


def file_after(text: str, window: Window, script: EditScript) -> str:
    """The whole text after a script in one of its windows."""
    lines = split_lines(text)
    done = apply_script(window, script)
    return "".join([*lines[: window.first], done, *lines[window.last :]])


def _last_gap(window: Window, script: EditScript, layout: Layout) -> str:
    following = window.tokens[script.end]
    if following.text in LINE_ENDS or following.text.startswith("#"):
        before = window.tokens[script.end - 1].end if script.end else 0
        return window.text[before : following.start]
    return layout.gap(following.text)


def _indent(window: Window) -> int:
    """Where the first token stands: the space before it stays."""
    return window.tokens[0].start if window.tokens else len(window.text)


def _shared(one: list[Token], other: list[Token]) -> int:
    """How many first tokens two texts share, line ends by their characters."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left.text != right.text or (left.text in LINE_ENDS and left.raw != right.raw):
            break
        count += 1
    return count
