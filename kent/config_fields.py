"""What the configuration's models say of their fields: type and range, in a person's words."""

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model behind a field that is a table of ``kent.toml``, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def field_at(model: type[BaseModel], key: tuple[str, ...]) -> FieldInfo:
    """The field at a key such as ``("critic", "epochs")``.

    Raises:
        KeyError: there is none.
    """
    field = model.model_fields[key[0]]
    if len(key) == 1:
        return field
    section = section_of(field)
    if section is None:
        raise KeyError(".".join(key))
    return field_at(section, key[1:])


def walk(model: type[BaseModel], at: tuple[str, ...] = ()) -> Iterator[tuple[str, FieldInfo]]:
    """Every key that holds a value, dotted, with its field."""
    for name, field in model.model_fields.items():
        section = section_of(field)
        if section is None:
            yield ".".join((*at, name)), field
        else:
            yield from walk(section, (*at, name))


def members(kind: Any) -> list[Any]:
    """The alternatives of a union without None; of any other type, itself."""
    if get_origin(kind) in (Union, types.UnionType):
        return [part for part in get_args(kind) if part is not type(None)]
    return [kind]


def is_path(field: FieldInfo) -> bool:
    """True where the value is a file or folder."""
    return Path in members(field.annotation)


def allowed(field: FieldInfo) -> str:
    """What a value of the field may be, e.g. ``a whole number of 1 to 1000``."""
    kind = members(field.annotation)[0]
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(kind))
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        noun = "a whole number" if kind is int else "a number"
        return f"{noun}{_range(field)}"
    if kind is Path:
        return "a path in quotes"
    if get_origin(kind) in (tuple, list):
        return "a list of texts in quotes"
    return "a text in quotes"


def _range(field: FieldInfo) -> str:
    bound: dict[str, Any] = {}
    for limit in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            value = getattr(limit, name, None)
            if isinstance(limit, annotated_types.BaseMetadata) and value is not None:
                bound[name] = f"{value:g}" if isinstance(value, float) else str(value)
    if "ge" in bound and "le" in bound:
        return f" of {bound['ge']} to {bound['le']}"
    words = {"gt": "above", "ge": "of at least", "lt": "below", "le": "at most"}
    parts = [f"{words[name]} {bound[name]}" for name in words if name in bound]
    return (" " + " and ".join(parts)) if parts else ""
