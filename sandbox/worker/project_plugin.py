"""Runs pytest in a project's walled process and reports each test on a descriptor.

A copy of this file lies beside the tree, and the project's interpreter, which may be older than
ours, runs it as ``python -s -B project_plugin.py``. It imports pytest before the tree can be
imported from, so that no file of the tree takes the place of pytest or of the library for it. What
it reports is still written by the process that runs the patched code: see :mod:`sandbox.project`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import pytest
from _pytest.reports import TestReport  # pytest itself exports it only since version 7

REPORT_FD = 3
TEXT_MAX = 2000


class Reporter:
    """Keeps the wanted tests of what was collected, and tells how each went.

    Each line begins with a token that code which floods every descriptor does not have.
    """

    def __init__(self, wanted: list[str], token: str) -> None:
        self._wanted = frozenset(wanted)
        self._token = token
        self._pid = os.getpid()
        self._write = os.write

    def _tell(self, **fields: Any) -> None:
        if os.getpid() != self._pid:
            return  # a test forked, and its child went on through the session
        line = memoryview(f"{self._token} {json.dumps(fields)}\n".encode())
        while line:
            line = line[self._write(REPORT_FD, line) :]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Leave out the other tests of the files, after every other plugin had its say."""
        items[:] = [item for item in items if item.nodeid in self._wanted]

    def pytest_collectreport(self, report: Any) -> None:
        """Tell of a file that could not be collected."""
        if report.failed:
            self._tell(kind="collect", id=report.nodeid, text=str(report.longrepr)[-TEXT_MAX:])

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Tell of one phase of one test; a subtest's report is told apart from its test's."""
        kind = "test" if type(report) is TestReport else "part"
        crash = getattr(report.longrepr, "reprcrash", None)
        text = str(report.longrepr)[-TEXT_MAX:] if crash is None else crash.message[:TEXT_MAX]
        self._tell(
            kind=kind,
            id=report.nodeid,
            when=report.when,
            outcome=report.outcome,
            expected=hasattr(report, "wasxfail"),
            text="" if report.passed else text,
        )

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> None:
        """Tell how many failures pytest itself has counted, and how it will end."""
        self._tell(kind="end", status=int(exitstatus), failures=session.testsfailed)


def main() -> int:
    """Read what to run, and see that the tests cannot; run it."""
    beside = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - nothing loaded
    order = os.path.join(beside, "job.json")  # noqa: PTH118
    with open(order, encoding="utf-8") as file:  # noqa: PTH123
        job = json.load(file)
    os.unlink(order)  # noqa: PTH108
    folders = [os.path.join(beside, "tree", folder) for folder in job["path"]]  # noqa: PTH118
    sys.path[0:1] = folders  # in the place of this file's own
    os.environ["PYTHONPATH"] = os.pathsep.join(folders)
    sys.argv[:] = ["pytest", *job["arguments"]]
    return int(pytest.main(job["arguments"], plugins=[Reporter(job["wanted"], job["token"])]))


if __name__ == "__main__":
    sys.exit(main())
