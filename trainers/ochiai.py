"""How suspicious each line is: which failing and which passing calls reached it.

Source: Ochiai's coefficient as used by Abreu et al. 2007, "On the accuracy of spectrum-based fault
localization" (TAICPART).
"""

import math
from collections.abc import Sequence

from sandbox import CallTrace, Word


def ochiai(trace: Sequence[CallTrace]) -> dict[int, float]:
    """By line: failed(line) / sqrt(failed * reached(line)); empty where no call is known to fail.

    The import is no test.
    """
    calls = [one for one in trace if one.call is not None]
    failing = [one for one in calls if one.word is not Word.PASSED]
    if not failing:
        return {}
    found = {}
    for line in set().union(*(one.lines for one in calls)):
        bad = sum(line in one.lines for one in failing)
        reached = sum(line in one.lines for one in calls)
        found[line] = bad / math.sqrt(len(failing) * reached)
    return found
