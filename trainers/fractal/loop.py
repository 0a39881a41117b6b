"""The repair loop: draft, flood, verify, localise, patch, until a program passes.

Source: the seed ``fractal_coder.md`` (the fractal repair loop). It knows nothing of what it
repairs: a :class:`trainers.fractal.domain.Domain` does.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.random import Generator

from trainers.fractal.domain import FLOOD, Domain, Suspect
from trainers.fractal.outcome import Outcome, Step, Tried, promise

Task = TypeVar("Task")
Program = TypeVar("Program")


@dataclass(frozen=True)
class Budget:
    """What one task may cost: rendered tokens, and wall time in seconds.

    A call that began within it is finished, so the tokens spent can be more by one call.
    """

    tokens: int
    seconds: float = float("inf")


@dataclass(frozen=True)
class LoopSettings:
    """How wide the loop is. ``flood``: candidates drafted at first; ``local``: for a guilty root.

    ``tries``: patches of one program, after which the next best has its turn. ``doubted``: what the
    free arms find often passes what may be seen and is wrong, so that they come last, where nothing
    else passes; else they come first, since they cost no token. ``sweeps``: how often they try
    every program that fails.
    """

    flood: int = 8
    local: int = 8
    tries: int = 4
    doubted: bool = False
    sweeps: int = 1


class ArmChooser(Protocol):
    """Which arm next, and what came of it."""

    def choose(self, kind: str, arms: Sequence[str], rng: Generator) -> str:
        """One of the arms for a program that failed this way."""

    def learn(self, kind: str, arm: str, *, passed: bool, tokens: int) -> None:
        """A patch by this arm cost so many tokens, and its best program passed or not."""


@dataclass
class Loop(Generic[Task, Program]):
    """One task's way from nothing to a program that passes, within a budget."""

    domain: Domain[Task, Program]
    chooser: ArmChooser
    settings: LoopSettings = field(default_factory=LoopSettings)
    check_stop: Callable[[], None] = lambda: None

    def run(
        self,
        task: Task,
        budget: Budget,
        rng: Generator,
        flooded: Sequence[Program] | None = None,
        spent: int = 0,
    ) -> Outcome[Program]:
        """Work on a task.

        Args:
            task: of the domain.
            budget: the loop begins no call beyond it.
            rng: all its randomness.
            flooded: rendered programs to begin with, in place of a flood.
            spent: the tokens that those cost.
        """
        run = _Run(self, task, budget, rng, tokens=spent)
        if flooded is None:
            run.flood()
        else:
            run.judge(FLOOD, flooded, spent, None, None)
        first = bool(run.passing())
        if not self.settings.doubted:
            run.sweep()
        while not run.passing() and run.affordable() and run.patch():
            self.check_stop()
        if self.settings.doubted:
            run.sweep()
        return run.outcome(first)


class _Run(Generic[Task, Program]):
    """The state of one task's loop."""

    def __init__(
        self,
        loop: Loop[Task, Program],
        task: Task,
        budget: Budget,
        rng: Generator,
        tokens: int,
    ) -> None:
        self._loop, self._domain, self._task = loop, loop.domain, task
        self._budget, self._rng, self._tokens = budget, rng, tokens
        self._root = int(rng.integers(2**63))
        self._streams: dict[str, Generator] = {}
        self._started = time.monotonic()
        self._tried: list[Tried[Program]] = []
        self._seen: set[str] = set()
        self._steps: list[Step] = []

    def passing(self) -> list[Tried[Program]]:
        return [tried for tried in self._tried if tried.judgement.passed]

    def affordable(self) -> bool:
        return self._tokens < self._budget.tokens and self._in_time()

    def _in_time(self) -> bool:
        return time.monotonic() - self._started < self._budget.seconds

    def _stream(self, arm: str) -> Generator:
        """An arm's own randomness: its n-th call draws the same, whatever other arms did.

        So two loops from one seed differ by what they do and not by luck (common random numbers).
        """
        if arm not in self._streams:
            self._streams[arm] = np.random.default_rng([self._root, *arm.encode()])
        return self._streams[arm]

    def call(
        self, arm: str, drafts: Sequence[Program], base: Tried[Program] | None, root: int | None
    ) -> Step:
        """Render what is open and judge what came back."""
        rendered = self._domain.render(self._task, drafts, self._stream(arm))
        tokens = sum(one.tokens for one in rendered)
        self._tokens += tokens
        return self.judge(arm, [one.program for one in rendered], tokens, base, root)

    def judge(
        self,
        arm: str,
        programs: Sequence[Program],
        tokens: int,
        base: Tried[Program] | None,
        root: int | None,
    ) -> Step:
        """Verify the programs that are new, keep them, and write the step down."""
        fresh = {self._domain.text(program): program for program in programs}
        fresh = {text: program for text, program in fresh.items() if text not in self._seen}
        self._seen |= fresh.keys()
        judgements = self._domain.verify(self._task, list(fresh.values())) if fresh else []
        origin = None if base is None else base.number
        made = [
            Tried(len(self._tried) + index, program, judgement, base=origin, arm=arm)
            for index, (program, judgement) in enumerate(
                zip(fresh.values(), judgements, strict=True)
            )
        ]
        self._tried += made
        best = max(made, key=promise, default=None)
        step = Step(
            arm=arm,
            base=origin,
            root=root,
            tokens=tokens,
            programs=len(programs),
            new=len(made),
            passed=best is not None and best.judgement.passed,
            score=best.judgement.score if best else 0.0,
            kind=best.judgement.kind if best else "nothing new",
        )
        self._steps.append(step)
        return step

    def flood(self) -> None:
        """The first call of a task that begins from nothing."""
        drafts = self._domain.draft(self._task, self._loop.settings.flood, self._stream(FLOOD))
        self.call(FLOOD, drafts, None, None)

    def sweep(self) -> None:
        """Let every free arm try every program that fails, the nearest to passing first.

        Where something passes, the rest of the sweep is still tried if what these arms find is
        doubted: then there is a choice.
        """
        for _ in range(self._loop.settings.sweeps if self._domain.free else 0):
            if self.passing():
                return
            written = [one for one in self._tried if one.arm not in self._domain.free]
            for base in sorted(written, key=promise, reverse=True):
                for arm in self._local(base, free=True):
                    if (self.passing() and not self._loop.settings.doubted) or not self._in_time():
                        return
                    self._loop.check_stop()
                    self._reopen(base, arm)

    def patch(self) -> bool:
        """One patch of the most promising program, or a start anew; False where neither is left."""
        kind = None
        while True:
            base = self._next_base()
            local = self._local(base, free=False) if base is not None else []
            if base is not None and kind is None:
                kind = base.judgement.kind
            if base is not None and not local:
                base.patched = self._loop.settings.tries
                continue
            arms = [*local, *self._domain.anew]
            if not arms:
                return False
            kind = kind or "nothing"
            arm = self._loop.chooser.choose(kind, arms, self._rng)
            if arm in self._domain.anew:
                drafts = self._domain.draft(
                    self._task, self._loop.settings.local, self._stream(arm), arm
                )
                self._learn(kind, self.call(arm, drafts, None, None))
                return True
            assert base is not None, "local arms have a base"
            made = self._reopen(base, arm)
            base.patched += 1
            if made:
                return True

    def _local(self, base: Tried[Program], *, free: bool) -> list[str]:
        """The arms that can patch a program, the free ones or the others; none where it passes."""
        if base.judgement.passed:
            return []
        able = self._domain.arms(self._task, base.program, base.judgement)
        arms = [arm for arm in able if (arm in self._domain.free) == free]
        return arms if arms and self._suspect(base) is not None else []

    def _reopen(self, base: Tried[Program], arm: str) -> bool:
        """Patch a program's next suspect; False where there is nothing to patch this way."""
        suspect = self._suspect(base)
        assert suspect is not None, "a program with an arm has a suspect"
        opened = self._domain.reopen(
            self._task, base.program, base.judgement, suspect, arm,
            self._loop.settings.local, self._stream(arm),
        )  # fmt: skip
        if opened:
            self._learn(base.judgement.kind, self.call(arm, opened, base, suspect.root))
        return bool(opened)

    def _learn(self, kind: str, step: Step) -> None:
        self._loop.chooser.learn(kind, step.arm, passed=step.passed, tokens=step.tokens)

    def outcome(self, first_pass: bool) -> Outcome[Program]:
        return Outcome(
            best=max(self._tried, key=promise, default=None),
            passing=self.passing(),
            tried=self._tried,
            steps=self._steps,
            tokens=self._tokens,
            seconds=time.monotonic() - self._started,
            first_pass=first_pass,
        )

    def _next_base(self) -> Tried[Program] | None:
        """The nearest to passing of those that may be patched; the best so far is never lost."""
        open_ = [
            one
            for one in self._tried
            if one.patched < self._loop.settings.tries and not one.judgement.passed
        ]
        return max(open_, key=lambda one: (one.judgement.score, -one.patched, -one.number),
                   default=None)  # fmt: skip

    def _suspect(self, base: Tried[Program]) -> Suspect | None:
        """The next root to blame: the suspects in order, and from the front again."""
        if base.suspects is None:
            base.suspects = self._domain.localise(self._task, base.program, base.judgement)
        if not base.suspects:
            return None
        return base.suspects[base.patched % len(base.suspects)]
