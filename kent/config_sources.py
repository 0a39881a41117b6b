"""Where settings are written: ``kent.toml``, KENT_* variables, flags; each with its origin."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from kent.config_fields import field_at, is_path, members, section_of
from kent.errors import ConfigError

# Variables with a name of their own, and the key that each one sets (None: read elsewhere).
NAMED_VARIABLES: dict[str, str | None] = {
    "KENT_CONFIG": None,
    "KENT_DATA": "tasks.data_dir",
    "KENT_WEIGHTS": "weights_dir",
}


@dataclass(frozen=True)
class Layer:
    """Settings of one source: nested ``values``, and where each dotted key was written.

    ``base`` is the folder that relative paths in it start from.
    """

    base: Path
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def absolute(self, model: type[BaseModel]) -> dict[str, Any]:
        """The values with every path made absolute."""
        return _absolute(self.values, model, self.base)


def _absolute(values: Mapping[str, Any], model: type[BaseModel], base: Path) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        known = model.model_fields.get(name)
        section = section_of(known) if known else None
        if section and isinstance(value, Mapping):
            out[name] = _absolute(value, section, base)
        elif known and is_path(known) and isinstance(value, str) and value:
            out[name] = str((base / Path(value).expanduser()).resolve())
        else:
            out[name] = value
    return out


def find_file(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The configuration file to read, absolute; None where there is none and none was named."""
    named = path or (Path(env["KENT_CONFIG"]) if env.get("KENT_CONFIG") else None)
    if named is None:
        here = Path("kent.toml")
        return here.resolve() if here.exists() else None
    if not named.is_file():
        raise ConfigError(f"no configuration file {named}: `kent init` writes one")
    return named.resolve()


def read_toml(file: Path) -> Layer:
    """What ``kent.toml`` says.

    Raises:
        ConfigError: unreadable, not UTF-8, or not TOML; the message has the line.
    """
    try:
        text = file.read_bytes().decode("utf-8")
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        last = f"at the last line, {len(text.splitlines())}"
        reason = str(error).replace("at end of document", last)
        raise ConfigError(f"{file}: not valid TOML: {reason}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}") from error
    lines = {key: f"{file.name} line {number}" for key, number in key_lines(text).items()}
    return Layer(file.parent, values, lines)


_HEADER = re.compile(r"\s*\[\[?\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


def key_lines(text: str) -> dict[str, int]:
    """Line number, from 1, of every table header and key, by dotted name."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _bare(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found[f"{table}.{_bare(key[1])}" if table else _bare(key[1])] = number
    return found


def _bare(key: str) -> str:
    return ".".join(part.strip(" \"'") for part in key.split("."))


def read_environment(env: Mapping[str, str], model: type[BaseModel]) -> Layer:
    """KENT_KEY and KENT_TABLE__KEY; an empty variable counts as not set."""
    layer = Layer(Path.cwd())
    for variable, raw in sorted(env.items()):
        if not variable.startswith("KENT_") or not raw:
            continue
        dotted = NAMED_VARIABLES.get(variable, variable[5:].lower().replace("__", "."))
        if dotted is not None:
            put(layer, dotted, _from_text(model, dotted, raw), variable)
    return layer


def _from_text(model: type[BaseModel], dotted: str, raw: str) -> Any:
    """A variable's text as the field's type; as it stands where it does not fit, to be refused."""
    try:
        kind = members(field_at(model, tuple(dotted.split("."))).annotation)[0]
    except KeyError:
        return raw
    if get_origin(kind) in (tuple, list):
        return [part.strip() for part in raw.split(",") if part.strip()]
    if kind not in (int, float, bool):
        return raw
    try:
        return TypeAdapter(kind).validate_strings(raw.strip())
    except ValidationError:
        return raw


def read_flags(flags: Mapping[str, tuple[str, Any]]) -> Layer:
    """What the command line says: dotted key to (flag, value); None is not given."""
    layer = Layer(Path.cwd())
    for dotted, (flag, value) in flags.items():
        if value is not None:
            put(layer, dotted, str(value) if isinstance(value, Path) else value, flag)
    return layer


def put(layer: Layer, dotted: str, value: Any, origin: str) -> None:
    """Set one key of a layer.

    Raises:
        ConfigError: the layer gives a value where the key needs a table.
    """
    *tables, name = dotted.split(".")
    values = layer.values
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{table} is a table: {origin} does not go with a value for it")
    values[name] = value
    layer.origins[dotted] = origin
