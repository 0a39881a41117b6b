"""Solved train problems that are like another: what the generator is shown before it tries again.

They are looked up by BM25 over statements (Robertson and Zaragoza 2009), through bm25s.
"""

from collections.abc import Mapping, Sequence

import bm25s

from memory.records import ProblemRow
from memory.store import Store
from trainers.samples import SampleSource

SHOWN = 2
_PASSING = """
SELECT x.problem_id, x.code, max(x.logprob / max(x.tokens, 1))
FROM samples x JOIN problems p ON p.id = x.problem_id
JOIN splits s ON s.problem_id = p.id AND s.split = 'train'
JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE v.verdict = 'passed' AND x.generator_id = :generator AND x.protocol = :protocol
GROUP BY x.problem_id
"""


class SolvedProblems:
    """Train problems with a program that passes their tests.

    Args:
        problems: of the train split.
        programs: by problem id; a problem without one is left out.
    """

    def __init__(self, problems: Sequence[ProblemRow], programs: Mapping[str, str]) -> None:
        self._known = [
            (row, programs[row.id])
            for row in problems
            if row.split == "train" and row.id in programs
        ]
        self._index: bm25s.BM25 | None = None
        if self._known:
            self._index = bm25s.BM25()
            texts = [row.statement for row, _ in self._known]
            self._index.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)

    @classmethod
    def of(
        cls, store: Store, problems: Sequence[ProblemRow], source: SampleSource
    ) -> "SolvedProblems | None":
        """The problems that the generator has solved itself; None where there are none."""
        asked = {"generator": source.generator_id, "protocol": source.protocol}
        found = {row["problem_id"]: row["code"] for row in store.query(_PASSING, asked)}
        solved = cls(problems, found)
        return solved if solved._known else None

    def like(self, problem: ProblemRow) -> list[tuple[ProblemRow, str]]:
        """The nearest by their statements, the nearest last; the problem itself is never one."""
        if self._index is None:
            return []
        query = bm25s.tokenize([problem.statement], show_progress=False)
        count = min(len(self._known), SHOWN + 1)
        places, _ = self._index.retrieve(query, k=count, show_progress=False)
        found = [self._known[int(place)] for place in places[0]]
        return [one for one in found if one[0].id != problem.id][:SHOWN][::-1]
