"""Short ways to make programs for tests."""

from sandbox import Call, Limits, Program, Tests

PLUS_ONE = Tests("data", "f", calls=(Call((1,), 2), Call((2,), 3), Call((10,), 11)))
RIGHT = "def f(x):\n    return x + 1\n"
QUICK = Limits(cpu_s=1.0, wall_s=3.0)


def program(code, tests=PLUS_ONE, limits=QUICK, key="k"):
    return Program(key, code, tests, limits)


def data_tests(*calls, **kw):
    return Tests("data", "f", calls=tuple(calls), **kw)
