"""The account that the tests of a rented box work with."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpu_account import Account, guards
from lambda_server import KEY


@pytest.fixture
def account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Account]:
    monkeypatch.setenv("LAMBDA_API_KEY", KEY)
    account = Account(tmp_path, capfdbinary)
    yield account
    for process in guards(account.records.folder):
        process.kill()
    account.server.close()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in left if KEY.encode() in path.read_bytes()], sys.argv
