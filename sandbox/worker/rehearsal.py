"""What a zygote does once, before the walls, so that no child has to do it again.

The first compilation in a process makes the compiler's own types, some 170 pages of memory, and
Python makes a function's bytecode its own after some calls. So a program is run here as programs
are run, its results going nowhere.
"""

import marshal
import os
import socket
import sys
from collections.abc import Callable

from sandbox.worker import child, shared, split

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
TESTS = """
def check(candidate):
    assert candidate([3, 2, 8, -4], "a") != []
    assert candidate([3, 2], text="") == candidate([3, 2]), "the same"
    assert all(len(candidate([n])) >= 1 for n in (1, 2, 3))
check(f)
"""
TIMES = 32
SPLIT_TIMES = 6


def rehearse() -> None:
    """Run the program alone and shared, and one with a fault of each kind."""
    calls = [("", b"m" + marshal.dumps((([3, 2, 8, -4], "a"), {}), 2), ()) for _ in range(3)]
    tests = marshal.dumps(("f", "", calls), 2)
    several = marshal.dumps([(PROGRAM, tests)] * 2, 2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    for code in [PROGRAM] * TIMES + list(FAULTY):
        child.run_data(memoryview(code), memoryview(tests), nothing)
        shared.run_shared(memoryview(several), nothing)
    payload = marshal.dumps(("f", "import math", TESTS), 2)

    def candidate() -> None:
        split.run_candidate(memoryview(PROGRAM), nothing)

    def tester() -> None:
        split.run_tester(memoryview(payload), nothing)

    for _ in range(SPLIT_TIMES):
        _both(candidate, tester)
        _both(tester, candidate)
    split.use_line(split.LINE_FD)
    os.close(nothing)
    sys.modules.pop(child.NAME, None)


def _both(here: Callable[[], None], there: Callable[[], None]) -> None:
    """Play one side of split mode in this process against the other in a child."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            split.use_line(theirs.fileno())
            there()
        finally:
            os._exit(0)
    theirs.close()
    split.use_line(ours.fileno())
    here()
    ours.close()
    os.waitpid(pid, 0)
