"""The box in which the tests of the service run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from box import Box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    box = Box(tmp_path)
    yield box
    box.end()
