"""What a zygote does once, before the walls, so that no child has to do it again.

The first compilation in a process makes the compiler's own types, some 170 pages of memory, and
Python makes a function's bytecode its own after some calls. So a program is run here as programs
are run, its results going nowhere.
"""

import marshal
import os
import sys

from sandbox.worker import child, shared

PROGRAM = b"""
import math
from typing import List
def f(numbers: List[int], text: str = "") -> list:
    '''A program like many.'''
    found = {}
    for i, n in enumerate(sorted(numbers)):
        if n % 2 == 0 and n not in found:
            found[n] = [str(i) + text, float(n), math.sqrt(abs(n))]
    return [(k, v) for k, v in found.items()] + [x for x in range(3) if x > 1]
"""
FAULTY = (b"def f(", b"def f(): return []")
TIMES = 32


def rehearse() -> None:
    """Run the program alone and shared, and one with a fault of each kind."""
    calls = [("", b"m" + marshal.dumps((([3, 2, 8, -4], "a"), {}), 2), ()) for _ in range(3)]
    tests = marshal.dumps(("f", "", calls), 2)
    several = marshal.dumps([(PROGRAM, tests)] * 2, 2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for code in [PROGRAM] * TIMES + list(FAULTY):
        child.run_data(memoryview(code), memoryview(tests), nothing)
        shared.run_shared(memoryview(several), nothing)
    os.close(nothing)
    sys.modules.pop(child.NAME, None)
