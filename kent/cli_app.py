"""What all commands share: the global options, the configuration they lead to, printing JSON."""

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # imported when first used: `kent daemon status` must be quick
    from kent.config import KentConfig
    from memory.store import Store


class App:
    """The global options of one invocation."""

    config_option: Path | None = None
    state_option: Path | None = None
    profile_option: str | None = None
    debug = False

    def load(self, **flags: tuple[str, Any]) -> "KentConfig":
        """The configuration under the global options and a command's own ``flags``."""
        from kent.config import load_config

        mine = {
            "state_dir": ("--state", self.state_option),
            "profile": ("--profile", self.profile_option),
        }
        return load_config(self.config_option, flags={**mine, **flags})

    @cached_property
    def config(self) -> "KentConfig":
        """The configuration under the global options alone."""
        return self.load()

    @cached_property
    def state_dir(self) -> Path:
        """Where the state is, for commands that want nothing else of the configuration.

        Where ``--state`` says it, nothing is read: that takes longer than all else that they do.
        """
        if self.state_option is not None:
            return self.state_option.expanduser().resolve()
        return self.config.state_dir

    @cached_property
    def config_file(self) -> Path | None:
        """The configuration file in force."""
        import os

        from kent.config_sources import find_file

        return find_file(self.config_option, os.environ)

    def global_arguments(self) -> list[str]:
        """Arguments that lead another ``kent`` to the same configuration."""
        arguments = ["--state", str(self.config.state_dir), "--profile", self.config.profile]
        if self.config_file:
            arguments += ["--config", str(self.config_file)]
        return arguments

    def read_store(self) -> "Store":
        """The store, for reading."""
        from memory.store import Store

        return Store.open(self.config.state_dir / "kent.db", read_only=True)

    def write_store(self) -> "Store":
        """The store that is there, for a short write; the daemon may use it meanwhile."""
        from memory.store import Store

        return Store.open(self.config.state_dir / "kent.db", create=False)


pass_app = click.make_pass_decorator(App)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def print_json(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str) -> None:
    """A line for a person, on standard error."""
    click.echo(text, err=True)
