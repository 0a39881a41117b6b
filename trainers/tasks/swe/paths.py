"""Which paths of a repository count as tests, and what is too large to be read."""

import re

MAX_BYTES = 400_000
"""A larger file is generated, or a table: it is left out of trees."""

_TESTS = re.compile(
    r"(^|/)(tests?|testing|testcases?)/|(^|/)(test_[^/]*|[^/]*_tests?|conftest|tests?)\.py$"
)


def is_test(path: str) -> bool:
    """Tell whether a path belongs to the tests, by its folders and its name.

    On the shared data the trees lack just the paths of which this is true, and those too large.
    """
    return _TESTS.search(path) is not None


def is_code(path: str) -> bool:
    """Tell whether a path is Python and no test."""
    return path.endswith(".py") and not is_test(path)
