"""Which programs want numpy, and where it is: they run in zygotes of their own, started on demand.

A zygote that has numpy loaded forks at several times the cost of a plain one; a plain one does not
have it at all.
"""

import functools
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from sandbox.types import Limits, Program

ADDRESS_SPACE_MB = 512
"""What numpy and its libraries take of the address space before a program has done anything."""

_IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+numpy\b", re.MULTILINE)


def needs_numpy(program: Program) -> bool:
    """Tell whether the program or its tests import numpy."""
    texts = (program.code, program.tests.setup_code, program.tests.test_code)
    return any("numpy" in text and _IMPORTS.search(text) for text in texts)


@functools.cache
def numpy_folder() -> str:
    """Return the folder that holds the package numpy of this interpreter; "" where it has none."""
    spec = find_spec("numpy")
    return str(Path(spec.origin).resolve().parents[1]) if spec and spec.origin else ""


def with_numpy(limits: Limits) -> Limits:
    """Return the limits for a process that has numpy loaded."""
    return replace(limits, memory_mb=limits.memory_mb + ADDRESS_SPACE_MB)
