"""Small data files in the real files' form, and the real ones where KENT_DATA names them."""

import os
from pathlib import Path

import pytest
from task_records import mbpp_record, write_lines


@pytest.fixture
def data_folder(tmp_path):
    """A folder with one MBPP problem of each official split."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_lines(folder / "mbpp.jsonl", [mbpp_record(n) for n in (1, 11, 511, 602, 601)])
    return folder


@pytest.fixture(scope="session")
def real_data():
    """The folder with the whole public data sets."""
    named = os.environ.get("KENT_DATA")
    if not named:
        pytest.skip("KENT_DATA names no folder with mbpp.jsonl and the other data sets")
    return Path(named)
