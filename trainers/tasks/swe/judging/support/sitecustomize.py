"""Lets projects of Python 3.5 to 3.9 run on a newer Python: names that have moved or gone.

It lies in the environment of a judged repository, not in KENT's.
"""

import collections
import collections.abc
import fractions
import gettext
import inspect
import math
import time

for _name in collections.abc.__all__:
    if not hasattr(collections, _name):
        setattr(collections, _name, getattr(collections.abc, _name))
if not hasattr(fractions, "gcd"):
    fractions.gcd = math.gcd
if not hasattr(time, "clock"):
    time.clock = time.perf_counter
if not hasattr(inspect, "getargspec"):

    def _getargspec(function):
        full = inspect.getfullargspec(function)
        return inspect.ArgSpec(full.args, full.varargs, full.varkw, full.defaults)

    inspect.ArgSpec = collections.namedtuple("ArgSpec", "args varargs keywords defaults")
    inspect.getargspec = _getargspec

_translation = gettext.translation


def _with_codeset(*args, codeset=None, **named):
    return _translation(*args, **named)


gettext.translation = _with_codeset
