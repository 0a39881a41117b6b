"""A store in a fresh state directory, and its report."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "state" / "kent.db") as opened:
        yield opened
