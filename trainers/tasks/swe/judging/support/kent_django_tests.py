"""A pytest plugin that sets up Django's own test suite as its ``tests/runtests.py`` does.

It lies in the environment of a judged repository, not in KENT's. ``runtests.py`` is asked for the
settings, the applications of the files that are run are installed, and the databases are made;
what it asks of a command line is answered here.
"""

import os
import subprocess
import sys

import pytest


def _labels(arguments):
    found = []
    for one in arguments:
        parts = os.path.normpath(str(one)).split(os.sep)
        if parts and parts[0] == "tests" and len(parts) > 2:
            found.append(".".join(parts[1:-1]))
    return list(dict.fromkeys(found))


class _NoGit:
    """What git would say outside of a repository: nothing."""

    returncode, stdout, stderr = 1, "", ""

    def __init__(self, *args, **named):
        pass

    def communicate(self):
        return "", ""


def _import_django():
    """Import it; a version that is no release asks git for its date, and here is no git."""
    popen, run = subprocess.Popen, subprocess.run
    subprocess.Popen = subprocess.run = _NoGit
    try:
        from django.utils import deprecation
    finally:
        subprocess.Popen, subprocess.run = popen, run
    # The suite's own support is a release's and may filter warnings that the base commit had
    # removed already, or did not have yet.
    for number in range(20, 70):
        name = f"RemovedInDjango{number}Warning"
        if not hasattr(deprecation, name):
            setattr(deprecation, name, type(name, (DeprecationWarning,), {}))


class _Suite:
    def __init__(self):
        self.runner = None
        self.databases = None

    def begin(self, labels):
        tests = os.path.join(os.getcwd(), "tests")
        sys.path.insert(0, tests)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_sqlite")
        os.environ["RUNNING_DJANGOS_TEST_SUITE"] = "true"
        _import_django()
        argv, sys.argv = sys.argv, ["runtests.py"]
        try:
            import runtests
        finally:
            sys.argv = argv
        from django.conf import settings
        from django.test.utils import get_runner

        # A multi-process set-up is not asked for: one process runs the tests of one task.
        if hasattr(runtests, "setup_run_tests"):
            runtests.setup_run_tests(0, "", "", labels)
        else:
            code = runtests.setup.__code__
            names = code.co_varnames[: code.co_argcount]
            given = {"verbosity": 0, "test_labels": labels, "parallel": 1}
            given.update(start_at="", start_after="")
            runtests.setup(**{name: given[name] for name in names if name in given})
        settings.TEST_RUNNER = "django.test.runner.DiscoverRunner"
        self.runner = get_runner(settings)(verbosity=0, interactive=False)
        self.runner.setup_test_environment()
        self.databases = self.runner.setup_databases()

    def end(self):
        if self.runner is None:
            return
        self.runner.teardown_databases(self.databases)
        self.runner.teardown_test_environment()


_suite = _Suite()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    """Set up before anything of the tests is imported."""
    _suite.begin(_labels(session.config.args))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """Give the databases back."""
    _suite.end()
