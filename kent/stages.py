"""Which stages exist: the names that ``stages.enabled`` may hold and what makes them."""

import importlib
import re
from typing import TYPE_CHECKING

from kent.errors import ConfigError

if TYPE_CHECKING:  # the store behind it is slow to import, and the configuration needs only names
    from trainers.stage import Stage

# In the order of a round. They are named, not imported: the daemon itself never loads torch.
STAGES: dict[str, str] = {
    "critic": "trainers.critic.stage:CriticStage",
    "fractal": "kent.partners:fractal_stage",
    "code": "trainers.code_trainer.stage:CodeStage",
    "ctm": "trainers.ctm.stage:CTMStage",
}

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def is_stage_name(name: str) -> bool:
    """True for a built-in stage's name and for ``package.module:Class``, a stage from elsewhere."""
    return name in STAGES or _REFERENCE.fullmatch(name) is not None


def load_stage(name: str) -> "Stage":
    """The stage behind a name of ``stages.enabled``.

    Raises:
        ConfigError: there is no such module or class.
    """
    module_name, _, class_name = STAGES.get(name, name).partition(":")
    try:
        stage: Stage = getattr(importlib.import_module(module_name), class_name)()
    except (ModuleNotFoundError, AttributeError) as error:
        raise ConfigError(f"stages.enabled: cannot load {name!r}: {error}") from error
    return stage


def short_name(name: str) -> str:
    """The name under which a stage's runs are stored: ``pkg.mod:TinyStage`` is ``TinyStage``."""
    return name.rpartition(":")[2]
