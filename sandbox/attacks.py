"""Runs a folder of hostile and honest programs, each with the checks that show it was contained.

A program file's first line says what is expected: ``# expect: passed`` or ``# expect: not-passed``,
the latter with the words that it may get, if only some will do: ``# expect: not-passed (timeout)``.
The entry point is ``f``, the hidden tests are f(1) = 2, f(2) = 3, f(10) = 11. In the text, @CANARY@
is the path of a file of ours, @PORT@ the port of a listener of ours, @ABSTRACT@ the name of an
abstract socket of ours, @PARENT@ the pid of this process.

After each program: a right one passes on the same zygote, the canary is there and its text is in no
output, the listeners heard nothing, no process is left, and the verdict came in time.
"""

import os
import re
import secrets
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sandbox.errors import SandboxError
from sandbox.sandbox import Sandbox
from sandbox.types import Call, Limits, Program, Tests, Verdict

TESTS = Tests("data", "f", calls=(Call((1,), 2), Call((2,), 3), Call((10,), 11)))
RIGHT = "def f(x):\n    return x + 1\n"
LIMITS = Limits(cpu_s=3.0, wall_s=12.0)
ENDLESS = Limits(cpu_s=0.4, wall_s=2.0)
"""For programs that may run into a limit: there is no use in waiting for it."""

LATE_S = 1.0
_EXPECT = re.compile(r"#\s*expect:\s*(passed|not-passed)\s*(?:\(([a-z_, ]+)\))?\s*$")


@dataclass(frozen=True)
class Attack:
    """A program and what it may get; ``words`` empty: anything but passed."""

    name: str
    code: str
    passes: bool
    words: frozenset[str] = frozenset()


@dataclass
class Outcome:
    """What an attack got, and each check that it broke."""

    name: str
    verdict: Verdict
    seconds: float
    broken: list[str] = field(default_factory=list)

    @property
    def contained(self) -> bool:
        """Whether every check held."""
        return not self.broken


def load(folder: Path) -> list[Attack]:
    """Read a folder's ``*.py`` files.

    Raises:
        SandboxError: there are none, or one does not say what is expected of it.
    """
    attacks = []
    for path in sorted(folder.glob("*.py")):
        code = path.read_text(encoding="utf-8", errors="surrogateescape")
        said = _EXPECT.match(code.split("\n", 1)[0])
        if said is None:
            raise SandboxError(f"{path}: the first line must be '# expect: passed' or 'not-passed'")
        words = frozenset((said[2] or "").replace(",", " ").split())
        attacks.append(Attack(path.stem, code, said[1] == "passed", words))
    if not attacks:
        raise SandboxError(f"{folder}: no program files (*.py)")
    return attacks


class Range:
    """A sandbox of one zygote, and around it what the attacks are after."""

    def __init__(self, level: str = "auto") -> None:
        self._secret = f"canary-{secrets.token_hex(8)}"
        self._folder = tempfile.TemporaryDirectory()
        Path(self._folder.name).chmod(0o777)
        self._canary = Path(self._folder.name, "canary")
        self._canary.write_text(self._secret, encoding="ascii")
        self._canary.chmod(0o666)
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(f"\0{self._secret}")
        self._unix.listen()
        for listener in (self._tcp, self._unix):
            listener.setblocking(False)
        os.environ["KENT_TEST_SECRET"] = self._secret
        self.sandbox = Sandbox(workers=1, limits=LIMITS, level=level)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sandbox.close()
        self._tcp.close()
        self._unix.close()
        self._folder.cleanup()
        os.environ.pop("KENT_TEST_SECRET", None)

    def run(self, attack: Attack) -> Outcome:
        """Run one attack and every check."""
        code = attack.code
        values = {
            "@CANARY@": str(self._canary),
            "@PORT@": str(self._tcp.getsockname()[1]),
            "@ABSTRACT@": self._secret,
            "@PARENT@": str(os.getpid()),
        }
        for mark, value in values.items():
            code = code.replace(mark, value)
        self.sandbox.run(Program("before", RIGHT, TESTS))
        before = _family()
        start = time.monotonic()
        limits = ENDLESS if "timeout" in attack.words else LIMITS
        verdict = self.sandbox.run(Program(attack.name, code, TESTS, limits))
        outcome = Outcome(attack.name, verdict, time.monotonic() - start)
        if outcome.seconds > limits.wall_s + LATE_S:
            outcome.broken.append(f"late: {outcome.seconds:.1f} s")
        self._check(attack, outcome, before)
        return outcome

    def _check(self, attack: Attack, outcome: Outcome, before: set[int]) -> None:
        verdict, broken = outcome.verdict, outcome.broken
        if verdict.passed != attack.passes or (attack.words and verdict.word not in attack.words):
            broken.append(f"verdict {verdict.word}")
        if not self.sandbox.run(Program("after", RIGHT, TESTS)).passed:
            broken.append("the next program does not pass")
        broken += self._harm(verdict)
        if len(_family()) > len(before):
            broken.append("a process is left")

    def _harm(self, verdict: Verdict) -> list[str]:
        harm = []
        siblings = list(Path(self._folder.name).iterdir())
        if siblings != [self._canary] or self._canary.read_text(encoding="ascii") != self._secret:
            harm.append("the canary was touched")
        told = f"{verdict.output_head}{verdict.output_tail}{verdict.failure}"
        if self._secret in told.replace(f"\\x00{self._secret}", ""):
            harm.append("a secret came out")
        for name, listener in (("TCP", self._tcp), ("abstract", self._unix)):
            try:
                listener.accept()[0].close()
            except BlockingIOError:
                continue
            harm.append(f"the {name} listener was reached")
        return harm


def _family() -> set[int]:
    """Return all processes that descend from a zygote of ours, whoever is their parent now."""
    found, owner = set(), str(os.getpid()).encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue  # it ended meanwhile
            parts = command.rstrip(b"\0").split(b"\0")
            if parts[-1] == owner and any(b"boot.py" in part for part in parts) and state != "Z":
                found.add(int(entry.name))
    return found


def run_attacks(folder: Path, *, level: str = "auto") -> dict[str, Any]:
    """Run a folder's programs; a JSON document with what each got and which checks broke."""
    attacks = load(folder)
    with Range(level) as grounds:
        outcomes = [grounds.run(attack) for attack in attacks]
        level = grounds.sandbox.level
    return {
        "level": level,
        "tried": len(outcomes),
        "contained": sum(outcome.contained for outcome in outcomes),
        "programs": [
            {
                "name": outcome.name,
                "verdict": str(outcome.verdict.word),
                "seconds": round(outcome.seconds, 3),
                "broken": outcome.broken,
            }
            for outcome in outcomes
        ],
    }
