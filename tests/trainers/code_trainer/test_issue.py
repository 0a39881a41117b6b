"""An issue's parts are found where they stand."""

from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.issue import parse_issue
from trainers.code_trainer.queries import QUERIES, weighted_queries

ISSUE = """FooBar.run_all crashes on empty input
See `run_all` in pkg/core/foo.py and pkg.core.foo.

```python
from pkg.core import FooBar
FooBar().run_all([])
```

Traceback (most recent call last):
  File "/usr/lib/python3/site-packages/pkg/core/foo.py", line 12, in run_all
    first = items[0]
IndexError: list index out of range
"""


def test_parts():
    issue = parse_issue(ISSUE)
    assert issue.title == "FooBar.run_all crashes on empty input"
    assert "FooBar().run_all([])" in issue.code
    assert "from pkg.core" not in issue.prose
    (frame,) = issue.frames
    assert (frame.line, frame.function) == (12, "run_all")
    assert frame.path.endswith("pkg/core/foo.py")
    assert "pkg/core/foo.py" in issue.paths
    assert "pkg.core.foo" in issue.dotted
    assert "run_all" in issue.spans
    assert any(error.startswith("IndexError") for error in issue.errors)
    assert "run_all" in issue.names


def test_pytest_frames():
    issue = parse_issue("title\nsrc/a/b.py:33: in call\n    x()\nsrc/a/c.py:4: ValueError\n")
    assert [(f.path, f.line, f.function) for f in issue.frames] == [
        ("src/a/b.py", 33, "call"),
        ("src/a/c.py", 4, ""),
    ]


def test_title_words_weigh_more():
    query = weighted_queries(parse_issue("alpha beta\ngamma"))["all"]
    assert query["alpha"] > query["gamma"]


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    queries = weighted_queries(parse_issue(text))
    assert set(queries) == set(QUERIES)
    assert all(weight > 0 for query in queries.values() for weight in query.values())


def test_empty():
    assert parse_issue("").text.strip() == ""
