"""One sandbox for the whole run: starting zygotes is the slow part."""

import json
import os
from pathlib import Path

import pytest

from sandbox import Sandbox
from sandbox.native import SWITCH, extension


@pytest.fixture(scope="session", params=["native", "ctypes"])
def sandbox(request):
    """With the C extension, where it can be built, and without it."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = str(int(request.param == "native"))
    try:
        if request.param == "native" and extension() is None:
            pytest.skip("no compiler, or no Python headers")
        with Sandbox(workers=2) as box:
            yield box
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before


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
