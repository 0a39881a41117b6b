"""Turns what validation found into lines for a person: the key, its origin, what is allowed."""

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from kent.config_fields import allowed, field_at, section_of, walk


def explain(
    error: ValidationError, model: type[BaseModel], origins: Mapping[str, str]
) -> list[str]:
    """One line for each thing wrong."""
    return [_line(problem, model, origins) for problem in error.errors(include_url=False)]


def _line(problem: Any, model: type[BaseModel], origins: Mapping[str, str]) -> str:
    key = tuple(part for part in problem["loc"] if isinstance(part, str))
    dotted = ".".join(key)
    where = _where(dotted, origins)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {dotted}{where}: {_nearest(key, model)}"
    if problem["type"] == "value_error":
        name = f"{dotted}{where}: " if origins.get(dotted) else ""
        return f"{name}{problem['ctx']['error']}"
    field = field_at(model, key)
    if section_of(field):
        return f"{dotted}{where} is a table: write [{dotted}] and its keys beneath"
    return f"{dotted} = {_shown(problem['input'])}{where}: wants {allowed(field)}"


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, bool) else str(value).lower()
    return text if len(text) <= 60 else text[:57] + "..."


def _where(dotted: str, origins: Mapping[str, str]) -> str:
    """The origin of a key, or of what stands beneath it, or of the table that holds it."""
    beneath = [key for key in origins if key.startswith(dotted + ".")]
    if beneath and dotted not in origins:
        return f" ({origins[beneath[0]]})"
    while dotted:
        if dotted in origins:
            return f" ({origins[dotted]})"
        dotted = dotted.rpartition(".")[0]
    return ""


def _nearest(key: tuple[str, ...], model: type[BaseModel]) -> str:
    """The known key that was probably meant; else the keys that are known there."""
    known = [dotted for dotted, _ in walk(model)]
    siblings = _names_beside(key, model)
    near = difflib.get_close_matches(key[-1], siblings, n=1)
    if near:
        return f"did you mean {'.'.join((*key[:-1], near[0]))}?"
    by_depth = sorted(known, key=lambda dotted: -dotted.count("."))  # the shallowest one stays
    leaves = {dotted.rpartition(".")[2]: dotted for dotted in by_depth}
    if guess := difflib.get_close_matches(key[-1], leaves, n=1, cutoff=0.75):
        return f"did you mean {leaves[guess[0]]}?"
    return f"known here: {', '.join(sorted(siblings))}"


def _names_beside(key: tuple[str, ...], model: type[BaseModel]) -> list[str]:
    for name in key[:-1]:
        section = section_of(model.model_fields[name]) if name in model.model_fields else None
        if section is None:
            break
        model = section
    return list(model.model_fields)
