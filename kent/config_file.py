"""The commented ``kent.toml`` that ``kent init`` writes, made from the models themselves."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kent.config import KentConfig
from kent.config_fields import allowed, section_of
from kent.errors import ConfigError
from kent.profiles import PRESETS

_HEAD = """\
# KENT's configuration. Every line is commented out: what it shows is the default.
# Order: defaults, then the profile's presets, then this file, then KENT_* variables
# (KENT_PROFILE=gpu, KENT_CRITIC__EPOCHS=30), then flags. Relative paths start at this file.
"""


def write_config(path: Path, *, force: bool = False) -> None:
    """Write the commented file.

    Raises:
        ConfigError: it exists (and ``force`` is off), or its folder cannot be written.
    """
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(config_text())
    except FileExistsError as error:
        raise ConfigError(f"{path} exists: `kent init --force` replaces it") from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


def config_text() -> str:
    """All keys with their meaning, allowed values and defaults; loading it changes nothing."""
    fields = KentConfig.model_fields
    parts = [_HEAD]
    parts += [_entry(name, field, "") for name, field in fields.items() if not section_of(field)]
    for name, field in fields.items():
        if section := section_of(field):
            parts.append(_table(name, section))
    return "\n".join(parts)


def _table(name: str, section: type[BaseModel]) -> str:
    """A table and, behind it as TOML wants them, the tables within it."""
    meaning = (section.__doc__ or "").strip().splitlines()[0]
    text, inner = f"# {meaning}\n[{name}]\n", ""
    for key, field in section.model_fields.items():
        if within := section_of(field):
            inner += "\n" + _table(f"{name}.{key}", within)
        else:
            text += _entry(key, field, name)
    return text + inner


def _entry(name: str, field: FieldInfo, table: str) -> str:
    meaning = f"{field.description}; " if field.description else ""
    presets = [
        f"{profile}: {_toml(preset[name])}"
        for profile, values in PRESETS.items()
        if name in (preset := _table_of(values, table))
    ]
    by_profile = f"; profile {', '.join(presets)}" if presets else ""
    return f"# {meaning}{allowed(field)}{by_profile}\n# {name} = {_toml(field.default)}\n"


def _table_of(values: Mapping[str, Any], table: str) -> Mapping[str, Any]:
    """The table of a name with dots between; empty where there is none."""
    for key in table.split("."):
        values = values.get(key, {})
    return values


def _toml(value: Any) -> str:
    """A default as TOML writes it; unset paths are shown as an example."""
    if value is None:
        return '"data"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, tuple | list):
        return json.dumps(list(value))
    return json.dumps(str(value))
