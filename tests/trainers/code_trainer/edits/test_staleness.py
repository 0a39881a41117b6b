"""Variables that stay as they began."""

import ast

import pytest

from trainers.code_trainer.edits.staleness import Changes, change

STALE = [
    ("def f(a):\n    t = 0\n    for x in a:\n        g(x)\n    return t", {"t"}),
    (
        "def f(q):\n    seen = set()\n    while q:\n        if q.pop() in seen:\n            g()",
        {"seen"},
    ),
    ("def f(q):\n    rows, last = [], None\n    rows.append(q)\n    return rows, last", {"last"}),
    ("def f():\n    n = -1\n    return n", {"n"}),
]
NOT_STALE = [
    "def f(a):\n    t = 0\n    for x in a:\n        t += x\n    return t",
    "def f():\n    d = {}\n    d['x'] = 1\n    return d",
    "def f():\n    rows = []\n    fill(rows)\n    return rows",
    "def f(x):\n    flag = False\n    if x:\n        flag = True\n    return flag",
    "def f(x):\n    n = 0\n    return 1",
    "def f(n=0):\n    return n",
    "def f():\n    n = 0\n    for n in range(3):\n        g(n)",
    "def f():\n    n = 0\n    (n := 2)\n    return n",
    "def f():\n    n, *rest = 0, 1, 2\n    return n, rest",
    "def f():\n    global n\n    n = 0\n    return n",
]


@pytest.mark.parametrize(("source", "wanted"), STALE)
def test_what_nothing_changes_after_its_beginning_is_stale(source, wanted):
    assert Changes.of(ast.parse(source)).stale == wanted


@pytest.mark.parametrize("source", NOT_STALE)
def test_what_is_changed_or_never_read_is_not(source):
    assert Changes.of(ast.parse(source)).stale == frozenset()


def test_putting_back_the_change_makes_one_stale_variable_less():
    broken, whole = ast.parse(STALE[0][0]), ast.parse(NOT_STALE[0])
    assert change(broken, whole) == {"stale.variables": -1.0}
    assert change(whole, broken) == {"stale.variables": 1.0}
