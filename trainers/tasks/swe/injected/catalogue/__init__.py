"""The functions of Python's library that get bugs, and what they are called with.

Each is pure: plain data in, plain data out. Where a class does the work, or the result is a
generator, a short function in front of it makes it so; the bugs go behind it.
"""

from trainers.tasks.swe.injected.catalogue import addresses, numbers, settings, texts
from trainers.tasks.swe.injected.catalogue.target import Target

TARGETS: tuple[Target, ...] = (
    *texts.TARGETS,
    *numbers.TARGETS,
    *addresses.TARGETS,
    *settings.TARGETS,
)

__all__ = ["TARGETS", "Target"]
