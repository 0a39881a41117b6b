"""Which way to patch next: by measured success per rendered token, from the circuits of memory."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from memory.hologram.circuits import CircuitObserver
from memory.repair_records import ObservationRow

# Nothing costs nothing: a patch that renders no token still takes a place in the sandbox.
MIN_TOKENS = 8.0
# How many patches' worth the mean cost over all arms counts for an arm that was tried rarely.
_COST_STRENGTH = 2.0


@dataclass(frozen=True)
class Patched:
    """One patch: how the program failed, the arm, its outcome and its cost in tokens."""

    kind: str
    arm: str
    passed: bool
    tokens: int


class CircuitChooser:
    """Thompson sampling over arms, each draw divided by the arm's mean cost.

    What is learned stays in :attr:`learned` until it is stored as observations; the context of a
    circuit is ``<domain>:<how the program failed>``, its pattern ``<domain>:<arm>``.

    Args:
        domain: whose arms these are.
        observer: what was seen before; it is not changed.
        costs: of earlier patches, by arm: (patches, tokens).
    """

    def __init__(
        self,
        domain: str,
        observer: CircuitObserver,
        costs: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.learned: list[Patched] = []
        self._domain, self._observer = domain, observer.snapshot()
        self._costs: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for arm, (patches, tokens) in (costs or {}).items():
            self._costs[arm] = [float(patches), float(tokens)]

    def choose(self, kind: str, arms: Sequence[str], rng: Generator) -> str:
        """See :class:`trainers.fractal.loop.ArmChooser`."""
        draws = []
        for arm in arms:
            wins, losses = self._observer.posterior(*self._circuit(kind, arm))
            draws.append(rng.beta(wins, losses) / self._cost(arm))
        return arms[int(np.argmax(draws))]

    def learn(self, kind: str, arm: str, *, passed: bool, tokens: int) -> None:
        """See :class:`trainers.fractal.loop.ArmChooser`."""
        self.learned.append(Patched(kind, arm, passed, tokens))
        self._costs[arm][0] += 1
        self._costs[arm][1] += tokens

    def observations(self, problem_id: str, stage_run_id: int | None) -> list[ObservationRow]:
        """What was learned on one train problem, as rows for the store; then it is forgotten here.

        Several patches of one arm on one problem are one observation: whether any passed.
        """
        won: dict[tuple[str, str], bool] = {}
        for one in self.learned:
            circuit = self._circuit(one.kind, one.arm)
            won[circuit] = won.get(circuit, False) or one.passed
        self.learned = []
        return [
            ObservationRow(context, pattern, success, None, problem_id, stage_run_id)
            for (context, pattern), success in won.items()
        ]

    def _circuit(self, kind: str, arm: str) -> tuple[str, str]:
        return f"{self._domain}:{kind}", f"{self._domain}:{arm}"

    def _cost(self, arm: str) -> float:
        """Mean tokens of a patch by this arm; where little is known, that of all arms."""
        patches = sum(count for count, _ in self._costs.values())
        tokens = sum(total for _, total in self._costs.values())
        overall = tokens / patches if patches else MIN_TOKENS
        count, total = self._costs.get(arm, (0.0, 0.0))
        mean = (total + _COST_STRENGTH * overall) / (count + _COST_STRENGTH)
        return max(MIN_TOKENS, mean)


class FirstArm:
    """Always the first arm that fits: the domain's default."""

    def choose(self, kind: str, arms: Sequence[str], rng: Generator) -> str:
        """See :class:`trainers.fractal.loop.ArmChooser`."""
        return arms[0]

    def learn(self, kind: str, arm: str, *, passed: bool, tokens: int) -> None:
        """Nothing is learned."""
