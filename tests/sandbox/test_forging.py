"""No program passes but by giving the right values."""

import pytest
from sandbox_programs import RIGHT, data_tests, program

from sandbox import Call, Word

# Both know how the answer begins, and look for the rest of it.
WALK = """
import re, sys
def f(x):
    start, frame = '-'.join(['KENT', 'SECRET', '']), sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
            found = re.search(start + '([a-z0-9]{6})', repr(value))
            if found:
                return start + found[1]
        frame = frame.f_back
"""

HEAP = """
import ctypes, gc, re
def f(x):
    start = '-'.join(['KENT', 'SECRET', ''])
    form = re.compile(start.encode() + b'([a-z0-9]{6})')
    for thing in gc.get_objects():
        found = form.search(repr(thing).encode()) if type(thing) in (list, tuple, dict) else None
        if found:
            return start + found[1].decode()
    try:
        lines = list(open('/proc/self/maps'))
    except OSError:
        lines = []
    for line in lines:
        span, mode = line.split()[:2]
        if 'r' in mode and '[v' not in line:
            a, b = (int(n, 16) for n in span.split('-'))
            found = form.search(ctypes.string_at(a, b - a))
            if found:
                return start + found[1].decode()
"""

FORGE = """
import os, struct
frame = lambda tag, body=b'': struct.pack('<cI', tag, len(body)) + body
for fd in range(3, 20):
    try:
        os.write(fd, frame(b'V', b'T') * 3 + frame(b'Z'))
    except OSError:
        pass
os._exit(0)
"""

FORGERIES = {
    "prints success": "print('passed'); print('OK'); raise SystemExit(0)",
    "exit in f": "import sys\ndef f(x): sys.exit(0)",
    "hard exit in f": "import os\ndef f(x): os._exit(0)",
    "always equal": "class A:\n    def __eq__(s, o): return True\ndef f(x): return A()",
    "lying int": "class A(int):\n    def __eq__(s, o): return True\ndef f(x): return A(0)",
    "lying list": "class A(list):\n    def __eq__(s, o): return True\ndef f(x): return A()",
    "lying class": "class A:\n    __class__ = int\n    def __eq__(s, o): return True\n"
    "def f(x): return A()",
    "patches builtins": "import builtins\nbuiltins.isinstance = lambda *a: True\n"
    "builtins.all = lambda *a: True\nbuiltins.abs = lambda x: 0\ndef f(x): return 0",
    "forges frames": FORGE,
    "walks frames": WALK,
    "atexit": "import atexit, os\natexit.register(lambda: os._exit(0))\ndef f(x): return 0",
    "excepthook": "import sys, os\nsys.excepthook = lambda *a: os._exit(0)\nraise ValueError",
    "own check": "def check(c): pass\ndef candidate(x): return 1\ndef f(x): return 0",
    "pickle": "import os\nclass A:\n    def __reduce__(s): return (os._exit, (0,))\n"
    "def f(x): return A()",
    "patches the encoder": "import sys\nm = sys._getframe(3).f_globals\n"
    "m['run_data'] = None\ndef f(x): return 0\n",
    "import hook": "import sys\nclass H:\n    def find_spec(s, *a): raise SystemExit(0)\n"
    "sys.meta_path.insert(0, H())\nimport nothing_here",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries_do_not_pass(sandbox, name):
    verdict = sandbox.run(program(FORGERIES[name]))
    assert verdict.word in (Word.FAILED, Word.ERROR), verdict
    assert sandbox.run(program(RIGHT)).passed


def test_forged_frames_of_a_half_right_program_do_not_pass(sandbox):
    code = FORGE.replace("b'T'", "b'i\\x01\\x00\\x00\\x00\\x02'")  # every value is 2
    verdict = sandbox.run(program(code))
    assert (verdict.word, verdict.failure.call) == (Word.FAILED, 1)


def test_what_is_expected_is_nowhere_in_the_programs_memory(sandbox):
    secret = data_tests(Call((1,), "KENT-SECRET-" + "a1b2c3"))
    # The results and the source of a right program are not to be found by the next one either.
    right = "def f(x):\n    print('KENT-SECRET-a1b2c3')\n    return 'KENT-SECRET-a1b2c3'\n"
    for _ in range(3):
        assert sandbox.run(program(right, secret)).passed
        for code in (WALK, HEAP):
            verdict = sandbox.run(program(code, secret))
            assert (verdict.word, verdict.failure.text) == (Word.FAILED, "gave None")
