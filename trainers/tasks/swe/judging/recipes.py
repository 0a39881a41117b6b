"""Which repositories' tests run here, and what each needs: releases, packages, names of tests.

The shared data has every code file of a base commit but none of its tests, so that the tests, and
what else is no code, come from the release that is nearest in time. A repository is here because
the golden patches of some of its tasks pass; ``kent tasks judge`` says of which.
"""

from dataclasses import dataclass
from typing import Literal

NameStyle = Literal["function", "unittest", "node"]


@dataclass(frozen=True)
class Recipe:
    """How the tests of a repository are run.

    ``package``: its name in the registry; ``releases``: those that are fetched, oldest first.
    ``requirements``: what its environment holds beside pytest. ``names``: how FAIL_TO_PASS names
    tests: a bare function, unittest's ``method (module.Class)``, or a pytest node id. ``tests``:
    the folder that unittest's modules are found from. ``plugins``: modules of ``support`` that
    pytest loads. ``cpu_s``: what all tests of one task may take. ``unneeded``: patterns of paths of
    a release that no test reads; each run copies its tree. ``support``: patterns of the package's
    own files that count as tests, so that they too come from a release.
    """

    repo: str
    package: str
    releases: tuple[str, ...]
    requirements: tuple[str, ...]
    names: NameStyle
    tests: str = ""
    plugins: tuple[str, ...] = ()
    cpu_s: float = 300.0
    unneeded: tuple[str, ...] = ()
    support: tuple[str, ...] = ()


PYTEST = ("pytest==7.4.4", "setuptools==68.2.2", "wheel==0.45.1")
"""Of every environment: the last pytest that old test files are at home with, and what builds."""

RECIPES = {
    recipe.repo: recipe
    for recipe in (
        Recipe(
            "sympy/sympy",
            "sympy",
            (
                "0.7.6.1", "1.0", "1.1", "1.1.1", "1.2", "1.3", "1.4", "1.5.1", "1.6", "1.6.2",
                "1.7", "1.7.1", "1.8", "1.9", "1.10", "1.11", "1.12", "1.13.0",
            ),
            # Its own support of tests asks py for pytest, which pytest's copy of py does not have.
            ("mpmath==1.3.0", "py==1.11.0"),
            "function",
            unneeded=("doc/*", "examples/*", "*.ipynb", "bin/*"),
        ),
        Recipe(
            "django/django",
            "Django",
            # The first alphas: they are cut from the main branch, where the tasks are too.
            ("2.2a1", "3.0a1", "3.1a1", "3.2a1", "4.0a1", "4.1a1", "4.2a1", "5.0a1", "5.1a1"),
            ("asgiref==3.8.1", "sqlparse==0.5.3", "pytz==2024.2", "jinja2==3.1.6"),
            "unittest",
            tests="tests",
            plugins=("kent_django_tests",),
            unneeded=("docs/*", "js_tests/*", "extras/*", "django/*.po"),
            support=("django/test/*.py",),
        ),
    )
}  # fmt: skip
