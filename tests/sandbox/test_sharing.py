"""Programs that share a process: who may, and that none can touch the next."""

# ruff: noqa: E501 - the programs as they are

import builtins
import marshal
import os
import sys
import tempfile

import pytest
from sandbox_catalogue import CATALOGUE
from sandbox_programs import RIGHT, program

from sandbox import Call, Program, Sandbox, Tests, Word
from sandbox.bundles import MOST, Task, take
from sandbox.jobs import Prepared
from sandbox.types import Limits
from sandbox.worker import purity, shared, wire
from sandbox.worker.purity import ATTRIBUTES, MODULES, pure

pytestmark = pytest.mark.skipif(
    not purity.KNOWN_VERSION, reason="programs share a process on Python 3.11 only"
)

ADMITTED = [
    RIGHT,
    "from typing import List\nimport math\ndef f(x: List[int]) -> int:\n    'doc'\n    return math.gcd(*x)",
    "import re\nP = re.compile('a+')\ndef f(s):\n    return [m.group() for m in P.finditer(s)]",
    "from collections import Counter, defaultdict, deque\ndef f(x):\n    return Counter(x).most_common(1)",
    "import heapq\ndef f(x):\n    h = []\n    heapq.heappush(h, x)\n    return heapq.heappop(h)",
    "from functools import lru_cache\n@lru_cache(maxsize=None)\ndef f(n):\n    return n if n < 2 else f(n - 1)",
    "def f(x):\n    try:\n        return 1 / x\n    except ZeroDivisionError as e:\n        raise ValueError('no') from e",
    "def f(x):\n    def g():\n        yield from range(x)\n    a, *b = [i for i in g() if i]\n    return {a: b, 'c': f'{x:>5}'}",
    "def len(x): return 3\ndef f(x): return len(x)",
    "'''Text.'''\ndef f(x): return x\nif __name__ == '__main__':\n    f(1)",
    "def f(x):\n    global y\n    y = x\n    return y",
]

REFUSED = [
    "import os\ndef f(x): return x",
    "import math as os, sys\ndef f(x): return sys.modules",
    "from sys import *\ndef f(x): return x",
    "def f(x): return (i for i in x).gi_frame",
    "def f(x):\n    try: 1 / 0\n    except Exception as e: return e.__traceback__",
    "def f(x): return '{0.gi_frame}'.format(i for i in x)",
    "def f(x): return map(str.format_map, x)",
    "def f(x): return x.__class__",
    "def f(x): return getattr(x, 'real')",
    "def f(x): return type('T', (), {'__eq__': lambda a, b: True})()",
    "class T: pass\ndef f(x): return x",
    "import math\nmath.pi = 3\ndef f(x): return x",
    "import math\ndef f(x):\n    del math.pi\n    return x",
    "def f(x): return __builtins__",
    "def f(x): return __import__('os')",
    "def f(x): return eval('x')",
    "def f(x): return exec('x')",
    "def f(x): return globals()",
    "def f(x): return vars()",
    "def f(x): return open('/tmp/a')",
    "def f(x): print(x)",
    "def f(x): return id(x)",
    "async def f(x): return x",
    "def f(x):\n    with x: return x",
    "def f(x):\n    match x:\n        case int(real=r): return r",
    "import operator\ndef f(x): return operator.attrgetter('real')(x)",
    "import random\ndef f(x): return random.random()",
    "import typing\ndef f(x): return typing.sys",
    "import collections\ndef f(x): return collections.namedtuple('P', 'a')",
    "import re\ndef f(x): return re.functools",
    "f = breakpoint",
    "x: int = 3\ndef f(x): return x",
]


def compiled(code):
    return compile(code, "<candidate>", "exec", dont_inherit=True)


@pytest.mark.parametrize("code", ADMITTED)
def test_programs_that_compute_are_admitted(code):
    assert pure(compiled(code))


@pytest.mark.parametrize("code", REFUSED)
def test_programs_that_could_reach_out_are_refused(code):
    assert not pure(compiled(code))


def test_arguments_beyond_a_byte_are_read_whole():
    many = "".join(f"n{i} = {i}\n" for i in range(300))
    assert pure(compiled(many + "def f(x): return n299"))
    assert not pure(compiled(many + "eval"))
    inside = "def f(x):\n" + "".join(f"    n{i}\n" for i in range(300))
    assert pure(compiled(inside))
    assert not pure(compiled(inside + "    eval"))
    assert not pure(compiled(inside + "    x.gi_frame"))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_gives_only_what_is_listed_for_it(name):
    module = __import__(name)
    reachable = {each for each in dir(module) if each in ATTRIBUTES}
    harmless = {"operator": {"index"}, "typing": {"Counter", "OrderedDict", "defaultdict"}}
    assert reachable <= set(MODULES[name].split()) | harmless.get(name, set())


def test_hostile_programs_are_refused_or_stay_harmless():
    admitted = set()
    for name, (expected, code) in CATALOGUE.items():
        try:
            if expected != "passed" and pure(compiled(code)):
                admitted.add(name)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
    touch_the_limits_alone = {
        "infinite loop", "loop at import", "big power in C", "regex catastrophe",
        "catches everything", "memory bomb, blocks", "memory bomb, doubling", "huge return",
        "deep return", "cyclic return", "endless generator", "recursion",
    }  # fmt: skip
    assert touch_the_limits_alone <= admitted
    harmless_too = {
        "number of 5,000 digits",
        "not a number",
        "lone surrogate",
        "redefines builtins",
    }
    for name in admitted - touch_the_limits_alone - harmless_too:
        _, code = CATALOGUE[name]
        assert "import" not in code, name


def state():
    """What a program of another could feel: the built-ins, and all modules' own names."""
    names = {"builtins": builtins, **{name: sys.modules[name] for name in MODULES}}
    inside = {name: {k: id(v) for k, v in vars(module).items()} for name, module in names.items()}
    return inside, sys.getrecursionlimit(), sys.gettrace(), list(sys.path), os.environ.copy()


def run_here(pairs):
    """Run programs as a shared process does; the frames' bodies."""
    with tempfile.TemporaryFile() as file:
        payloads = [(code.encode(), Prepared(tests).payload) for code, tests in pairs]
        shared.run_shared(memoryview(marshal.dumps(payloads, 2)), file.fileno())
        file.seek(0)
        raw, bodies = file.read(), []
    while raw:
        _, size = wire.FRAME.unpack_from(raw)
        bodies.append(raw[wire.FRAME.size : wire.FRAME.size + size])
        raw = raw[wire.FRAME.size + size :]
    return bodies


def test_what_is_admitted_leaves_nothing_behind():
    for name in MODULES:
        __import__(name)
    tests = Tests("data", "f", calls=(Call((5,), 5), Call(("aab",), 1)))
    run_here([(code, tests) for code in ADMITTED])
    before = state()
    bodies = run_here([(code, tests) for code in ADMITTED])
    assert len(bodies) == len(ADMITTED)
    assert all(bodies)
    assert state() == before
    assert "candidate" not in sys.modules


def test_a_refused_program_is_not_run_among_others():
    code = "import sys\nsys.kent_was_here = True\ndef f(x): return x"
    assert run_here([(code, Tests("data", "f", calls=(Call((5,), 5),)))]) == [b""]
    assert not hasattr(sys, "kent_was_here")


def test_arguments_are_made_anew_for_each_program(sandbox):
    code = "def f(x):\n    x.append(1)\n    return len(x)"
    tests = Tests("data", "f", calls=(Call(([],), 1), Call(([],), 1)))
    verdicts = sandbox.run_many([Program(str(i), code, tests) for i in range(20)])
    assert all(verdict.passed for verdict in verdicts)


def test_names_of_one_are_unknown_to_the_next(sandbox):
    tests = Tests("data", "f", calls=(Call((), 1),))
    sets = "secret = 1\ndef f(): return secret"
    reads = "def f(): return secret"
    programs = [Program(f"{i}", reads if i % 2 else sets, tests) for i in range(16)]
    words = {v.key: v.word for v in sandbox.run_many(programs)}
    assert words == {str(i): Word.ERROR if i % 2 else Word.PASSED for i in range(16)}


BAD = {
    "loops": ("while True: pass", Word.TIMEOUT),
    "eats memory": ("def f(x):\n    a = [0]\n    while True: a = a + a", Word.OUT_OF_MEMORY),
    "recurses": ("def f(x): return f(x)", Word.ERROR),
    "is wrong": ("def f(x): return 0", Word.FAILED),
    "raises": ("def f(x): raise SystemExit", Word.ERROR),
    "is no Python": ("def f(x) return 0", Word.SYNTAX_ERROR),
    "returns much": ("def f(x): return 'x' * 100_000_000", Word.ERROR),
    "nests": ("(" * 5000, Word.SYNTAX_ERROR),
}


@pytest.mark.parametrize("name", BAD)
def test_neighbours_of_a_bad_program_keep_their_verdicts(sandbox, name):
    code, word = BAD[name]
    limits = Limits(cpu_s=3, wall_s=20)
    bad = Program("bad", code, program("").tests, limits)
    good = [Program(str(i), RIGHT, program("").tests, limits) for i in range(60)]
    verdicts = {v.key: v for v in sandbox.run_many([*good[:30], bad, *good[30:]])}
    assert verdicts.pop("bad").word is word
    assert len(verdicts) == 60
    assert all(verdict.passed for verdict in verdicts.values())


def test_verdicts_are_the_same_alone():
    codes = [*ADMITTED, *REFUSED, *(code for code, _ in BAD.values())]
    tests = Tests("data", "f", calls=(Call((5,), 5), Call((0,), 0)))
    programs = [Program(str(i), code, tests, Limits(cpu_s=2)) for i, code in enumerate(codes)]
    found = []
    for share in (True, False):
        with Sandbox(workers=2, share=share) as box:
            verdicts = sorted(box.run_many(programs), key=lambda verdict: int(verdict.key))
            found.append(
                [(v.word, v.failure and (v.failure.call, v.failure.type)) for v in verdicts]
            )
    assert found[0] == found[1]


def test_bundles_hold_only_what_may_share():
    def task(code=RIGHT, limits=Limits(), wanted=True, tests=None):
        tests = tests or program("").tests
        made = Program("k", code, tests)
        return Task(made, lambda verdict: None, lambda: wanted, Prepared(tests), limits)

    from collections import deque

    assert len(take(deque(task() for _ in range(99)), 99).tasks) == MOST
    assert len(take(deque(task() for _ in range(20)), 3).tasks) == 3
    assert len(take(deque([task(), task(limits=Limits(cpu_s=1))]), 8).tasks) == 1
    assert len(take(deque([task("class A: pass"), task()]), 8).tasks) == 1
    assert len(take(deque([task(), task("import os"), task()]), 8).tasks) == 1
    assert len(take(deque([task(wanted=False), task(), task()]), 8).tasks) == 2
    assert take(deque([task(wanted=False)]), 8) is None
    split = Tests("split", "f", test_code="assert f(1) == 2")
    assert len(take(deque([task(), task(tests=split)]), 8).tasks) == 1
