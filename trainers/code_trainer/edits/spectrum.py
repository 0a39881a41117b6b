"""Which lines failing and passing tests reach: how suspicious each line is.

Source: Ochiai's coefficient as used by Abreu et al. 2007, "On the accuracy of spectrum-based fault
localization".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from sandbox import CallTrace, Verdict, Word
from trainers.code_trainer.edits.program import Site


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
        suspicion = _ochiai(calls, len(failing))
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


def _ochiai(calls: Sequence[CallTrace], failing: int) -> dict[int, float]:
    failed, passed = Counter[int](), Counter[int]()
    for trace in calls:
        (passed if trace.word is Word.PASSED else failed).update(trace.lines)
    return {line: count / sqrt(failing * (count + passed[line])) for line, count in failed.items()}
