"""The base of every table of ``kent.toml``."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of ``kent.toml``: unknown keys are refused, values are checked, nothing changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
