"""Type-aware mutation of a call's arguments, after EvalPlus (Liu et al. 2023, arXiv 2305.01210).

A value's mutant has its type, and so have the items inside it. Everything is drawn from the given
``random.Random``, so that a seed says what comes out.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from sandbox import Call
from sandbox.codec import encode

MAX_SIZE = 200
"""Items and characters of a call's arguments, unless the calls that it comes from have more."""

MAX_INT = 1_000_000
TRIES = 40
"""Draws for each mutant that is wanted: small types have few mutants, then fewer come."""

Mutator = Callable[[Any, Random], Any]


def size(value: Any) -> int:
    """Count the items and characters of a value, nested ones included."""
    if isinstance(value, str | bytes | bytearray):
        return 1 + len(value)
    if isinstance(value, dict):
        return 1 + sum(size(key) + size(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return 1 + sum(size(item) for item in value)
    return 1


def numbers(value: Any) -> Iterator[float]:
    """Give the integers and floats in a value, nested ones included."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, dict):
        yield from numbers([*value, *value.values()])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from numbers(item)


def magnitude(value: Any) -> float:
    """Return the largest absolute value of the numbers in a value; 0 where there are none."""
    return max(map(abs, numbers(value)), default=0)


class Bounds:
    """How large arguments may be: the fixed bounds, or twice what the given calls have."""

    def __init__(self, like: Sequence[Call]) -> None:
        arguments = [argument for call in like for argument in arguments_of(call)]
        self.size = max(MAX_SIZE, 2 * max((size(list(arguments_of(c))) for c in like), default=0))
        self.magnitude = max(MAX_INT, 2 * max(map(magnitude, arguments), default=0))

    def admit(self, call: Call) -> bool:
        """Tell whether the call's arguments lie within the bounds."""
        arguments = list(arguments_of(call))
        return size(arguments) <= self.size and not magnitude(arguments) > self.magnitude


def arguments_of(call: Call) -> tuple[Any, ...]:
    """Return the values of a call's arguments: the positional ones, then those by name."""
    return (*call.args, *call.kwargs.values())


def call_key(call: Call) -> bytes:
    """Return what tells a call's arguments from others, types included."""
    return encode((call.args, sorted(call.kwargs.items())), stable=True)


def mutants(calls: Sequence[Call], random: Random, wanted: int) -> Iterator[Call]:
    """Give up to ``wanted`` calls that differ from ``calls`` and from each other.

    A mutant may be mutated further. Fewer come where the arguments have few mutants.
    """
    pool, seen, bounds = list(calls), {call_key(call) for call in calls}, Bounds(calls)
    for _ in range(TRIES * wanted if pool else 0):
        if len(pool) - len(calls) >= wanted:
            return
        mutant = mutate_call(random.choice(pool), random)
        if bounds.admit(mutant) and (key := call_key(mutant)) not in seen:
            seen.add(key)
            pool.append(mutant)
            yield mutant


def mutate_call(call: Call, random: Random) -> Call:
    """Mutate one argument, sometimes two."""
    args, kwargs = list(call.args), dict(call.kwargs)
    places: list[int | str] = [*range(len(args)), *kwargs]
    count = 2 if len(places) > 1 and random.random() < 0.25 else 1
    for place in random.sample(places, min(count, len(places))):
        if isinstance(place, int):
            args[place] = mutate(args[place], random)
        else:
            kwargs[place] = mutate(kwargs[place], random)
    return replace(call, args=tuple(args), kwargs=kwargs)


def mutate(value: Any, random: Random) -> Any:
    """Return a new value of the same type; the same value where the type has no mutants here."""
    mutator = _MUTATORS.get(type(value))
    return mutator(value, random) if mutator is not None else value


def _int(value: int, random: Random) -> int:
    return random.choice([value + 1, value - 1, 0, 1, -value, 2 * value, value // 2])


def _float(value: float, random: Random) -> float:
    return random.choice([value + 1, value - 1, 0.0, -value, 2 * value, value / 2])


def _str(value: str, random: Random) -> str:
    half, place = len(value) // 2, random.randrange(len(value) + 1)
    shuffled = "".join(random.sample(value, len(value)))
    cut = value[:place] + value[place + 1 :]
    repeated = value[:place] + value[place : place + 1] + value[place:]
    same = [value[::-1], value.swapcase(), value.upper(), value.lower()]
    return random.choice(
        [shuffled, value * 2, "", value[:half], value[half:], cut, repeated, *same]
    )


def _items(value: Sequence[Any], random: Random) -> list[Any]:
    """Mutate a sequence: most often an item in it, else its form."""
    items = list(value)
    if not items:
        return items
    place, other = random.randrange(len(items)), random.randrange(len(items))
    if random.random() < 0.5:
        items[place] = mutate(items[place], random)
        return items
    return random.choice(_forms(items, place, other))


def _forms(items: list[Any], place: int, other: int) -> list[list[Any]]:
    swapped = list(items)
    swapped[place], swapped[other] = swapped[other], swapped[place]
    return [
        items[:place] + items[place + 1 :],
        [*items[: place + 1], *items[place:]],
        swapped,
        items[::-1],
        items[:place],
        [items[place]] * len(items),
        [],
    ]


def _tuple(value: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    """Mutate a tuple; one of several types is a record, whose length means something."""
    if len({type(item) for item in value}) > 1:
        place = random.randrange(len(value))
        return (*value[:place], mutate(value[place], random), *value[place + 1 :])
    return tuple(_items(value, random))


def _set(value: Any, random: Random) -> Any:
    return type(value)(_items(_in_order(value), random))


def _in_order(value: Any) -> list[Any]:
    """Return a set's items in an order that does not hang on the process's hash seed."""
    return sorted(value, key=lambda item: encode(item, stable=True))


def _dict(value: dict[Any, Any], random: Random) -> dict[Any, Any]:
    if not value:
        return {}
    key = random.choice(list(value))
    if random.random() < 0.6:
        return {**value, key: mutate(value[key], random)}
    without = {k: item for k, item in value.items() if k != key}
    renamed = {mutate(k, random) if k == key else k: item for k, item in value.items()}
    return random.choice([without, renamed, dict(reversed(value.items())), {}])


_MUTATORS: dict[type, Mutator] = {
    bool: lambda value, _: not value,
    int: _int,
    float: _float,
    str: _str,
    list: _items,
    tuple: _tuple,
    set: _set,
    frozenset: _set,
    dict: _dict,
}
