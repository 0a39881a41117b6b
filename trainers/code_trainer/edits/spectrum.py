"""Which lines failing and passing tests reach, as features of places."""

from dataclasses import dataclass

from sandbox import Verdict, Word
from trainers.code_trainer.edits.program import Site
from trainers.ochiai import ochiai


@dataclass(frozen=True)
class Spectrum:
    """Suspicion by line, from 0 to 1; the lines that any failing call reached; where one raised.

    ``share``: of the calls that failed.
    """

    suspicion: dict[int, float]
    reached: frozenset[int]
    raised: int | None = None
    share: float = 1.0

    @classmethod
    def of(cls, verdict: Verdict) -> "Spectrum | None":
        """Return the spectrum of a traced run; None where no call failed or nothing was traced."""
        calls = [trace for trace in verdict.trace if trace.call is not None]
        failing = [trace for trace in calls if trace.word is not Word.PASSED]
        if not failing:
            return None
        suspicion = {line: value for line, value in ochiai(calls).items() if value > 0}
        reached = frozenset(line for trace in verdict.trace for line in trace.lines)
        raised = verdict.failure.line if verdict.failure is not None else None
        return cls(suspicion, reached, raised, len(failing) / len(calls))

    def features(self, site: Site) -> dict[str, float]:
        """Return what the spectrum says of a place: its line, else its statement's."""
        lines = {site.line}
        if site.statement is not None:
            lines.add(site.statement.lineno)
        most = max(self.suspicion.get(line, 0.0) for line in lines)
        features = {"site.suspicious": most}
        if not lines & self.reached:
            features["site.unreached"] = 1.0
        elif most == 0.0:
            features["site.innocent"] = 1.0
        if most and most >= max(self.suspicion.values()) - 1e-9:
            features["site.most"] = 1.0
        if self.raised in lines:
            features["site.raised"] = 1.0
        return features
