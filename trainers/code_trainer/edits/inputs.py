"""Further inputs for a program, made from those of its tests: small changes that keep the types."""

from collections.abc import Sequence
from random import Random
from typing import Any

from sandbox import Call, Tests

MOST_ITEMS = 60
"""Items and letters of a value; longer ones are not made longer."""


def varied(tests: Tests, count: int, *, seed: int = 0) -> tuple[Call, ...]:
    """Give calls like those of the tests; what they expect means nothing.

    Fewer than ``count`` come where the tests leave little to vary; none where they are no data.
    """
    if tests.mode != "data" or tests.setup_code:
        return ()
    random = Random(seed)
    calls = [call for call in tests.calls if call.args]
    found: dict[str, Call] = {}
    for _ in range(4 * count if calls else 0):
        call = random.choice(calls)
        args = list(call.args)
        for _ in range(random.choice((1, 1, 2))):
            place = random.randrange(len(args))
            args[place] = _mutant(args[place], random)
        found.setdefault(repr(args), Call(tuple(args), None, dict(call.kwargs), call.function))
        if len(found) >= count:
            break
    return tuple(found.values())


def _mutant(value: Any, random: Random) -> Any:
    kind = type(value)
    if kind is bool:
        return not value
    if kind is int:
        return random.choice((value + 1, value - 1, value // 2, value + random.randrange(1, 10), 1))
    if kind is float:
        return random.choice((value + 0.5, value - 1.0, value * 1.5, value / 2))
    if kind is str:
        return _text(value, random)
    if kind in (list, tuple):
        return kind(_items(list(value), random))
    if kind is dict and value:
        key = random.choice(list(value))
        return {k: _mutant(v, random) if k == key else v for k, v in value.items()}
    return value


def _text(value: str, random: Random) -> str:
    if not value:
        return random.choice(("a", "1", " "))
    place = random.randrange(len(value))
    longer = value if len(value) > MOST_ITEMS else value[:place] + value[place] + value[place:]
    return random.choice(
        (
            value[:place] + value[place + 1 :],
            longer,
            value[:place] + random.choice(value) + value[place + 1 :],
            value[::-1],
            value.swapcase(),
        )
    )


def _items(items: Sequence[Any], random: Random) -> list[Any]:
    if not items:
        return []
    place = random.randrange(len(items))
    before, item, after = list(items[:place]), items[place], list(items[place + 1 :])
    longer = [item, item] if len(items) < MOST_ITEMS else [item]
    return random.choice(
        (
            [*before, *after],
            [*before, *longer, *after],
            [*before, _mutant(item, random), *after],
            [*before, _mutant(item, random), *after],
            [*after, item, *before],
        )
    )
