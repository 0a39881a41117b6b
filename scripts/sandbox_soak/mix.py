"""The soak's programs: honest ones of the built-in set, hostile ones of the tests' catalogue."""

import importlib.util
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox import Call, Limits, Tests, tests_from_json
from sandbox.levels import CHOSEN
from trainers.tasks import builtin

PLUS_ONE = Tests("data", "f", calls=(Call((1,), 2), Call((2,), 3), Call((10,), 11)))

_CATALOGUE = Path(__file__).parents[2] / "tests" / "sandbox" / "sandbox_catalogue.py"
_TINY = Limits(cpu_s=0.1, wall_s=0.5)
_WRONG_SHARE, _HOSTILE_SHARE, _COSTLY_SHARE, _ENDLESS_SHARE = 0.1, 0.1, 1 / 1000, 1 / 2000
_COSTLY = ["memory bomb, mmap", "memory bomb, blocks", "memory bomb, doubling", "200 MB"]
_COSTLY += ["huge return", "inode exhaustion", "hash collisions", "fills /tmp", "25 imports"]
"""Those that end by themselves, but take tenths of a second or hundreds of megabytes."""


@dataclass(frozen=True)
class Kind:
    """A program to be run many times, and whether it is to pass."""

    name: str
    code: str
    tests: Tests
    passes: bool
    limits: Limits | None = None


class Mix:
    """The programs, drawn at random; the same ones for the same seed."""

    def __init__(self, seed: int, level: str) -> None:
        self._random = random.Random(seed)
        rows = [(row, tests_from_json(row.tests)) for row in builtin.rows()]
        self.right = [Kind(r.id, r.reference, tests, True) for r, tests in rows]
        self.wrong = [
            Kind(
                f"{r.id} wrong", f"def {r.entry_point}(*all, **named):\n    return None\n", t, False
            )
            for r, t in rows
        ]
        self.hostile, self.costly, self.endless = _catalogue(level)

    def draw(self) -> Kind:
        """Return the next program."""
        at = self._random.random()
        shares = (
            (_ENDLESS_SHARE, self.endless),
            (_COSTLY_SHARE, self.costly),
            (_HOSTILE_SHARE, self.hostile),
            (_WRONG_SHARE, self.wrong),
        )
        for share, kinds in shares:
            if at < share:
                return self._random.choice(kinds)
            at -= share
        return self._random.choice(self.right)


def _catalogue(level: str) -> tuple[list[Kind], list[Kind], list[Kind]]:
    """The catalogue's programs: those that end at once, costly ones, those that a limit ends."""
    if level not in CHOSEN:
        raise ValueError(f"hostile programs are not run at level {level}: it keeps no file safe")
    spec = importlib.util.spec_from_file_location("sandbox_catalogue", _CATALOGUE)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{_CATALOGUE} cannot be read: run this from a checkout")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    quick: list[Kind] = []
    costly: list[Kind] = []
    endless: list[Kind] = []
    for name, (expected, code) in module.CATALOGUE.items():
        if level != "A" and name in module.TMP:
            continue  # what they get depends on the level
        kind = Kind(name, _placed(code), PLUS_ONE, expected == "passed")
        if "timeout" in expected:
            endless.append(Kind(name, kind.code, PLUS_ONE, False, _TINY))
        else:
            (costly if name in _COSTLY else quick).append(kind)
    return quick, costly, endless


def _placed(code: str) -> str:
    """Fill in what the catalogue's programs are after: nothing of it is there to be had."""
    folder = Path(tempfile.gettempdir(), "no-such-folder", "canary")
    places = {"@CANARY@": str(folder), "@PORT@": "9", "@ABSTRACT@": "nobody"}
    for mark, value in {**places, "@PARENT@": str(os.getpid())}.items():
        code = code.replace(mark, value)
    return code
