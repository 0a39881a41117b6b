"""Tasks that need no network: bugs injected into functions of the running Python's library."""

from trainers.tasks.swe.injected.generate import COUNT, SOURCE, inject

__all__ = ["COUNT", "SOURCE", "inject"]
