"""One sandbox for the whole run: starting zygotes is the slow part."""

import json
import os
from pathlib import Path

import pytest

from sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(workers=2) as box:
        yield box


@pytest.fixture(scope="session")
def data():
    """The data sets' rows by file name."""
    if "KENT_DATA" not in os.environ:
        pytest.skip("KENT_DATA does not name the directory with the data sets")
    folder = Path(os.environ["KENT_DATA"])

    def rows(name):
        if not (folder / name).exists():
            pytest.skip(f"no {name} in KENT_DATA")
        with (folder / name).open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    return rows
