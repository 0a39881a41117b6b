"""Draws arguments: small makers of values of one kind, put together to those of a call.

Every value is plain data. What is drawn lies where such functions break: empty and one-item
things, repeats, negative numbers, borders.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Make = Callable[[Random], Any]

_WORDS = (
    "a", "I", "of", "the", "time", "line", "wrap", "state-of-the-art", "e.g.", "don't", "x1",
    "well-known", "internationalization", "--flag", "(see", "below)", "end.", "Why?", "été", "42",
)  # fmt: skip


def integers(low: int, high: int) -> Make:
    """From ``low`` to ``high``, both included, the ends more often."""
    ends = (low, high, min(max(0, low), high), min(max(1, low), high))
    return lambda rng: rng.choice(ends) if rng.random() < 0.2 else rng.randint(low, high)


def floats(low: float, high: float, digits: int = 3) -> Make:
    """Rounded to some digits, so that they are short to read."""
    return lambda rng: round(rng.uniform(low, high), digits)


def one_of(*values: Any) -> Make:
    """One of these values."""
    return lambda rng: rng.choice(values)


def either(*makes: Make) -> Make:
    """What one of these makers makes."""
    return lambda rng: rng.choice(makes)(rng)


def texts(letters: str, low: int = 0, high: int = 12) -> Make:
    """Texts of some letters, of ``low`` to ``high`` characters."""
    return lambda rng: "".join(rng.choices(letters, k=rng.randint(low, high)))


def byte_texts(low: int = 0, high: int = 16) -> Make:
    """Bytes, the printable ones more often."""

    def make(rng: Random) -> bytes:
        letters = [rng.randint(32, 126) if rng.random() < 0.7 else rng.randint(0, 255)]
        letters += [rng.choice(letters) if rng.random() < 0.2 else rng.randint(0, 255)]
        return bytes(rng.choices([*letters, *b"aZ0= \n"], k=rng.randint(low, high)))

    return make


def sentences(low: int = 0, high: int = 14) -> Make:
    """Words, now and then with more than one blank or a new line between them."""

    def make(rng: Random) -> str:
        words = rng.choices(_WORDS, k=rng.randint(low, high))
        gaps = rng.choices((" ", "  ", "\n", "\n\n", "\t"), (20, 2, 2, 1, 1), k=len(words))
        return "".join(word + gap for word, gap in zip(words, gaps, strict=True)).rstrip(" ")

    return make


def lines(low: int = 0, high: int = 5) -> Make:
    """Lines that are indented by nothing, blanks or a tab, some of them empty."""

    def make(rng: Random) -> str:
        margin = rng.choice(("", "  ", "    ", "\t"))
        made = []
        for _ in range(rng.randint(low, high)):
            more = rng.choice(("", "  ", " "))
            text = rng.choice(("", "x = 1", "return", "if a:", "# note", "word word"))
            made.append(margin + more + text)
        return "\n".join(made)

    return make


def joined(separator: str, part: Make, low: int = 0, high: int = 5) -> Make:
    """Parts with a separator between them."""
    return lambda rng: separator.join(str(part(rng)) for _ in range(rng.randint(low, high)))


def formed(pattern: str, *parts: Make) -> Make:
    """A ``str.format`` pattern, filled with what the makers make."""
    return lambda rng: pattern.format(*(part(rng) for part in parts))


def lists(item: Make, low: int = 0, high: int = 7) -> Make:
    """Lists, in which items may repeat."""
    return lambda rng: [item(rng) for _ in range(rng.randint(low, high))]


def ordered(item: Make, low: int = 0, high: int = 8, *, reverse: bool = False) -> Make:
    """Sorted lists."""
    return lambda rng: sorted((item(rng) for _ in range(rng.randint(low, high))), reverse=reverse)


def tuples(*items: Make) -> Make:
    """Tuples with one item of each maker."""
    return lambda rng: tuple(item(rng) for item in items)


def mappings(key: Make, value: Make, low: int = 0, high: int = 4) -> Make:
    """Dictionaries."""
    return lambda rng: {key(rng): value(rng) for _ in range(rng.randint(low, high))}


def nested(leaf: Make, depth: int = 2) -> Make:
    """Leaves in lists, tuples and dictionaries, some levels deep."""

    def make(rng: Random, levels: int) -> Any:
        kind = rng.choice(("leaf", "list", "tuple", "dict")) if levels else "leaf"
        if kind == "leaf":
            return leaf(rng)
        items = [make(rng, levels - 1) for _ in range(rng.randint(0, 4))]
        if kind == "dict":
            return {f"k{number}": item for number, item in enumerate(items)}
        return items if kind == "list" else tuple(items)

    return lambda rng: make(rng, depth)


def heaps(item: Make, low: int = 1, high: int = 8) -> Make:
    """Lists that are heaps: sorted ones are."""
    return ordered(item, low, high)


def draw(makes: Sequence[Make], rng: Random) -> tuple[Any, ...]:
    """Draw the arguments of one call."""
    return tuple(make(rng) for make in makes)
