"""MBPP+ arguments as the functions want them: JSON has no tuple, set or complex number.

Which problem takes what is a fact of the data set, recorded by the evalplus package in its
``mbpp_deserialize_inputs`` (v0.3.1); the tables below state it by problem number.
"""

from collections.abc import Callable
from typing import Any

Arguments = tuple[Any, ...]


def arguments(number: int, packed: list[Any]) -> Arguments:
    """Give the arguments of one call of MBPP+'s problem ``number``."""
    return _MAKERS.get(number, tuple)(packed)


def _each_tuple(packed: list[Any]) -> Arguments:
    return tuple(tuple(item) for item in packed)


def _each_list_of_tuples(packed: list[Any]) -> Arguments:
    return tuple([tuple(item) for item in argument] for argument in packed)


def _each_tuple_of_tuples(packed: list[Any]) -> Arguments:
    return tuple(tuple(tuple(item) for item in argument) for argument in packed)


def _first_list_of_tuples(packed: list[Any]) -> Arguments:
    return ([tuple(item) for item in packed[0]], *packed[1:])


def _first_tuple(packed: list[Any]) -> Arguments:
    return (tuple(packed[0]), *packed[1:])


def _second_tuple(packed: list[Any]) -> Arguments:
    return (packed[0], tuple(packed[1]), *packed[2:])


def _all_tuples(packed: list[Any]) -> Arguments:
    return tuple(_deep_tuple(argument) for argument in packed)


def _deep_tuple(value: Any) -> Any:
    return tuple(_deep_tuple(item) for item in value) if isinstance(value, list) else value


def _tuples_of_mixed(packed: list[Any]) -> Arguments:
    return tuple(
        tuple(tuple(item) if isinstance(item, list) else item for item in argument)
        for argument in packed
    )


def _list_of_sets(packed: list[Any]) -> Arguments:
    return ([set(item) if item else {} for item in packed[0]],)


def _tuple_values(packed: list[Any]) -> Arguments:
    return ({key: tuple(value) for key, value in packed[0].items()}, *packed[1:])


def _real_and_complex(packed: list[Any]) -> Arguments:
    return (float(packed[0]), complex(packed[1]))


def _one_complex(packed: list[Any]) -> Arguments:
    return (complex(packed[0]),)


_TABLE: dict[Callable[[list[Any]], Arguments], tuple[int, ...]] = {
    _each_tuple: (
        *(2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429),
        *(470, 560, 579, 596, 616, 630, 726, 740, 744, 809),
    ),
    _each_list_of_tuples: (
        *(63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780),
    ),
    _each_tuple_of_tuples: (259, 401, 445),
    _first_list_of_tuples: (75, 413, 444, 753),
    _first_tuple: (250, 307, 405, 446, 617, 720, 763, 808),
    _second_tuple: (106, 750),
    _all_tuples: (580, 615, 791),
    _tuples_of_mixed: (278,),
    _list_of_sets: (115,),
    _tuple_values: (722,),
    _real_and_complex: (124,),
    _one_complex: (252,),
}
_MAKERS = {number: maker for maker, numbers in _TABLE.items() for number in numbers}
