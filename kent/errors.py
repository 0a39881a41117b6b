"""Errors of the daemon and its face; each message says what is wrong and what to do.

KentError
├── ConfigError      kent.toml, KENT_* or a flag is wrong (exit code 2)
├── PromotionError   a version cannot become champion
├── RemoteError      a rented machine cannot be had, reached or given back
├── ExportError      what is to be exported is not there, or its file is in the way
├── ServeError       the live page cannot be served at that address
└── DaemonError      it cannot start, stop or be reached
    └── AlreadyRunning   another process holds the state directory
"""

from collections.abc import Sequence


class KentError(Exception):
    """Something that a person can put right."""

    exit_code = 1


class ConfigError(KentError):
    """The configuration is refused; ``problems`` has one line for each thing wrong."""

    exit_code = 2

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(self.problems))


class PromotionError(KentError):
    """A version is unknown, or cannot become champion."""


class ExportError(KentError):
    """What is to be exported is not there, or cannot be written as asked."""


class ServeError(KentError):
    """The live page cannot be served at that address or port."""


class RemoteError(KentError):
    """A rented machine cannot be had, reached, or given back."""


class DaemonError(KentError):
    """The daemon cannot start, stop or be reached."""


class AlreadyRunning(DaemonError):
    """Another process holds the state directory; the message names it."""
