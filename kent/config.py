"""The configuration: one frozen object out of defaults, profile, ``kent.toml``, KENT_*, flags."""

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from kent.config_errors import explain
from kent.config_fields import field_at, is_path
from kent.config_sources import Layer, find_file, read_environment, read_flags, read_toml
from kent.errors import ConfigError
from kent.profiles import PRESETS, Profile
from kent.service_settings import (
    AlertsConfig,
    BackupConfig,
    CardConfig,
    CostConfig,
    RetentionConfig,
)
from kent.stages import STAGES, is_stage_name
from trainers.config import TrainerSettings
from trainers.section import Section


class DaemonConfig(Section):
    """When rounds start, how stages are watched, and how they are ended."""

    interval_minutes: float = Field(
        30, ge=0, le=525_600, description="from the end of a round to the next; 0: at once"
    )
    rounds: int = Field(0, ge=0, description="rounds after which the daemon ends; 0: unlimited")
    stage_time_limit_s: float = Field(86_400, gt=0, le=31_536_000, description="of one attempt")
    heartbeat_s: float = Field(2.0, ge=0.05, le=60, description="between two beats of a stage")
    heartbeat_timeout_s: float = Field(
        300, ge=1, le=86_400, description="a stage silent for longer is ended"
    )
    stop_grace_s: float = Field(
        300, ge=0, le=86_400, description="for finishing the unit of work when asked to stop"
    )
    kill_grace_s: float = Field(10, ge=0, le=600, description="between SIGTERM and SIGKILL")
    retries: int = Field(
        1, ge=0, le=10, description="after a crash, or out of memory (then with half the batch)"
    )
    min_free_gb: float = Field(
        2.0, ge=0, le=1_000_000, description="no stage starts with less disk than this"
    )
    remedy_pause_s: float = Field(
        10, ge=0.1, le=3600, description="before the first new try when no stage can work; it grows"
    )
    log_max_mb: float = Field(20, ge=0.01, le=10_000, description="a longer log file is rotated")
    log_keep: int = Field(3, ge=1, le=100, description="rotated files that are kept")

    @model_validator(mode="after")
    def _beats_before_timeout(self) -> "DaemonConfig":
        if self.heartbeat_timeout_s <= self.heartbeat_s:
            raise ValueError("daemon.heartbeat_timeout_s must be more than daemon.heartbeat_s")
        return self


class StagesConfig(Section):
    """Which stages a round has, in which order."""

    enabled: tuple[str, ...] = Field(
        tuple(STAGES), description=f"of {', '.join(STAGES)}, or package.module:Class"
    )

    @field_validator("enabled")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_stage_name(name):
                near = difflib.get_close_matches(name, STAGES, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise ValueError(
                    f"no stage {name!r}{hint}; known: {', '.join(STAGES)}, or package.module:Class"
                )
        if not names or len(set(names)) != len(names):
            raise ValueError("wants at least one stage, and none twice")
        return names


class KentConfig(TrainerSettings):
    """Everything in ``kent.toml``: the trainers' settings and the daemon's own."""

    profile: Profile = Field("cpu", description="which presets apply: a small or a real machine")
    state_dir: Path = Field(Path("state"), description="what a run leaves")
    daemon: DaemonConfig = Field(default_factory=DaemonConfig)
    stages: StagesConfig = Field(default_factory=StagesConfig)
    retention: RetentionConfig = Field(default_factory=RetentionConfig)
    backup: BackupConfig = Field(default_factory=BackupConfig)
    card: CardConfig = Field(default_factory=CardConfig)
    cost: CostConfig = Field(default_factory=CostConfig)
    # An address can be a secret: it goes neither into the store nor to a stage's process.
    alerts: AlertsConfig = Field(default_factory=AlertsConfig, exclude=True)


def load_config(
    path: Path | None = None,
    *,
    env: Mapping[str, str] = os.environ,
    flags: Mapping[str, Any] | None = None,
) -> KentConfig:
    """The effective configuration; all of its paths are absolute.

    ``path`` of None means ``KENT_CONFIG``, else ``kent.toml`` here where there is one. ``flags``
    maps a dotted key to the (flag, value) that the command line gave.

    Raises:
        ConfigError: one line for each thing wrong: its key, where it stands, what is allowed.
    """
    file = find_file(path, env)
    written = [read_toml(file)] if file else []
    written += [read_environment(env, KentConfig), read_flags(flags or {})]
    base = file.parent if file else Path.cwd()
    profile = next((layer.values["profile"] for layer in reversed(written)
                    if "profile" in layer.values), "cpu")  # fmt: skip
    defaults = Layer(
        base=base,
        values={name: str(field_at(KentConfig, (name,)).default) for name in _path_fields()},
        origins={},
    )
    preset = Layer(base, PRESETS.get(profile, {}) if isinstance(profile, str) else {}, {})
    return _validate([defaults, preset, *written])


def stored_config(document: Mapping[str, Any], current: KentConfig) -> KentConfig:
    """The configuration that a round began with, on this machine and under this daemon.

    Folders, the cluster and the sections of the service are those of ``current``; all that shapes
    results is the round's. Raises ConfigError where the document is of another version of KENT.
    """
    mine = current.model_dump(mode="json")
    keep = (
        "state_dir", "weights_dir", "daemon", "cluster", "retention", "backup", "card", "cost"
    )  # fmt: skip
    merged = {**document, **{name: mine[name] for name in keep}}
    merged["tasks"] = {**merged.get("tasks", {}), "data_dir": mine["tasks"]["data_dir"]}
    try:
        stored = KentConfig.model_validate_json(json.dumps(merged), strict=True)
        return stored.model_copy(update={"alerts": current.alerts})
    except ValidationError as error:
        raise ConfigError(f"the stored configuration does not fit this version: {error}") from error


def _path_fields() -> list[str]:
    return [name for name, field in KentConfig.model_fields.items() if is_path(field)]


def _validate(layers: list[Layer]) -> KentConfig:
    """Later layers win, key by key."""
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        _merge(values, layer.absolute(KentConfig))
        origins.update(layer.origins)
    try:
        return KentConfig.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(explain(error, KentConfig, origins)) from error


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


PROFILES: tuple[str, ...] = get_args(Profile)
