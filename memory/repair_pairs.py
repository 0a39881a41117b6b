"""Repair pairs: of one train problem, a sample that fails and the passing one that is most like it.

Such a pair shows a bug and its fix as a language model makes it; patterns are mined from both.
"""

import io
import time
import tokenize
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from memory.encoding import list_to_json
from memory.repair_records import RepairPair, RepairPairRow
from memory.repair_sql import Batched

PER_PROBLEM = 8
MIN_SIMILARITY = 0.7  # below it the fix is another program, not an edit of this one
# For a failing program, so many passing ones, nearest by bags of tokens, are compared in full.
_COMPARED = 5
_LONGEST = 2_000  # tokens of a program that is compared; difflib takes time with the square

_PROBLEMS = """
SELECT s.problem_id, (SELECT count(*) FROM repair_pairs r WHERE r.problem_id = s.problem_id)
FROM splits s WHERE s.split = 'train'
  AND (:ids IS NULL OR s.problem_id IN (SELECT value FROM json_each(:ids)))
ORDER BY s.problem_id
"""
# One sample a program, the oldest; a program that verdicts differ on is on neither side, and one
# that does not parse shows no edit.
_PROGRAMS = """
SELECT min(x.id), x.code, max(v.verdict = 'passed'),
       EXISTS (SELECT 1 FROM repair_pairs r JOIN samples b ON b.id = r.broken_sample
               WHERE r.problem_id = x.problem_id AND b.program_hash = x.program_hash)
FROM samples x JOIN problems p ON p.id = x.problem_id
JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE x.problem_id = ? GROUP BY x.program_hash
HAVING max(v.verdict = 'passed') = min(v.verdict = 'passed')
  AND max(v.verdict NOT IN ('passed', 'failed', 'error', 'timeout')) = 0
ORDER BY min(x.id)
"""
_INSERT = """
INSERT INTO repair_pairs (problem_id, broken_sample, fixed_sample, similarity, created_at)
VALUES (?, ?, ?, ?, ?) ON CONFLICT (broken_sample, fixed_sample) DO NOTHING
"""
_INSERT_CHANGE = """
INSERT INTO pair_changes (pair_id, first_line, last_line, change)
SELECT id, ?, ?, ? FROM repair_pairs WHERE broken_sample = ? AND fixed_sample = ?
ON CONFLICT (pair_id) DO NOTHING
"""
_SELECT = """
SELECT r.problem_id, r.broken_sample, r.fixed_sample, r.similarity, r.id, c.first_line, c.last_line,
       c.change, b.code, f.code
FROM repair_pairs r JOIN samples b ON b.id = r.broken_sample JOIN samples f ON f.id = r.fixed_sample
LEFT JOIN pair_changes c ON c.pair_id = r.id
WHERE r.id > :after AND (:ids IS NULL OR r.problem_id IN (SELECT value FROM json_each(:ids)))
ORDER BY r.id LIMIT :limit
"""


@dataclass(frozen=True)
class _Program:
    sample_id: int
    code: str
    tokens: tuple[str, ...]
    bag: Counter[str]


class RepairPairs(Batched):
    """Reads and writes of ``repair_pairs``."""

    def derive_repair_pairs(
        self,
        *,
        problem_ids: Iterable[str] | None = None,
        per_problem: int = PER_PROBLEM,
        min_similarity: float = MIN_SIMILARITY,
    ) -> int:
        """Pair the samples of these train problems (None: of all); each problem is committed alone.

        A failing program is in one pair, with the passing program that is most like it, and a
        problem has at most ``per_problem`` pairs, the most alike first. Again, it adds what new
        samples give and changes nothing else; problems of other splits are passed over.

        Returns:
            How many pairs are new.
        """
        ids = None if problem_ids is None else list_to_json(problem_ids)
        new = 0
        for problem_id, known in self._select(_PROBLEMS, {"ids": ids}):
            if known < per_problem:
                pairs = self._nearest(problem_id, min_similarity)[: per_problem - known]
                new += self.add_repair_pairs(pairs)
        return new

    def add_repair_pairs(self, rows: Iterable[RepairPairRow]) -> int:
        """Store pairs in one transaction; those that are already there stay as they are.

        Returns:
            How many were new.

        Raises:
            SplitGuardError: a sample is not of the problem, or that of no train problem; then
                none is stored.
        """
        now, given = time.time(), list(rows)
        new = [(r.problem_id, r.broken_sample, r.fixed_sample, r.similarity, now) for r in given]
        changes = [
            (*row.span, row.change, row.broken_sample, row.fixed_sample)
            for row in given
            if row.span is not None
        ]
        with self._write() as connection:
            count = connection.executemany(_INSERT, new).rowcount if new else 0
            connection.executemany(_INSERT_CHANGE, changes)
        return count

    def repair_pairs(
        self,
        *,
        problem_ids: Iterable[str] | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> list[RepairPair]:
        """The pairs of these problems (None: of all) with an id above ``after``, oldest first."""
        asked = {
            "ids": None if problem_ids is None else list_to_json(problem_ids),
            "after": after,
            "limit": -1 if limit is None else limit,
        }
        return [RepairPair(_pair(row[:8]), row[8], row[9]) for row in self._select(_SELECT, asked)]

    def _nearest(self, problem_id: str, min_similarity: float) -> list[RepairPairRow]:
        """For each failing program that is in no pair yet the passing one most like it, if any."""
        broken: list[_Program] = []
        fixed: list[_Program] = []
        for sample_id, code, passed, paired in self._select(_PROGRAMS, (problem_id,)):
            tokens = _tokens(code) if passed or not paired else ()
            if 0 < len(tokens) <= _LONGEST:
                side = fixed if passed else broken
                side.append(_Program(sample_id, code, tokens, Counter(tokens)))
        pairs = []
        for program in broken:
            similarity, nearest = _most_alike(program, fixed, min_similarity)
            if nearest is not None:
                span = changed_lines(program.code, nearest.code)
                pairs.append(
                    RepairPairRow(
                        problem_id, program.sample_id, nearest.sample_id, similarity, span=span
                    )
                )
        return sorted(pairs, key=lambda pair: (-pair.similarity, pair.broken_sample))


def likeness(broken: str, fixed: str) -> float:
    """The share of two programs' tokens that match in order; 0 where one has none that is read."""
    before, after = _tokens(broken), _tokens(fixed)
    if not 0 < len(before) <= _LONGEST or not 0 < len(after) <= _LONGEST:
        return 0.0
    return SequenceMatcher(None, before, after, autojunk=False).ratio()


def changed_lines(broken: str, fixed: str) -> tuple[int, int]:
    """The first and last line of the failing text that another has differently, from 1.

    Where lines were only added it is the line before which they stand.
    """
    before, after = broken.splitlines(), fixed.splitlines()
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    changed = [(low, high) for tag, low, high, _, _ in steps if tag != "equal"]
    if not changed:
        return 1, max(1, len(before))
    first = min(changed[0][0], max(len(before) - 1, 0)) + 1
    return first, max(first, changed[-1][1])


def _pair(columns: Sequence[Any]) -> RepairPairRow:
    problem, broken, fixed, similarity, number, first, last, change = columns
    if first is None:
        return RepairPairRow(problem, broken, fixed, similarity, number)
    return RepairPairRow(problem, broken, fixed, similarity, number, (first, last), change)


def _most_alike(
    program: _Program, fixed: Sequence[_Program], min_similarity: float
) -> tuple[float, _Program | None]:
    """The passing program that is most like this one, with the similarity; the older of two."""

    def shared(other: _Program) -> float:
        """An upper bound of the similarity: the share of tokens, whatever their order."""
        total = len(program.tokens) + len(other.tokens)
        return 2 * (program.bag & other.bag).total() / total

    best: float = 0.0
    nearest: _Program | None = None
    bounds = sorted(((shared(other), other) for other in fixed), key=lambda pair: -pair[0])
    for bound, other in bounds[:_COMPARED]:
        if bound < max(best, min_similarity):
            break
        similarity = SequenceMatcher(None, program.tokens, other.tokens, autojunk=False).ratio()
        # Where all tokens agree only comments differ: what was judged is chance, not an edit.
        if similarity < 1 and similarity >= min_similarity and similarity > best:
            best, nearest = similarity, other
    return best, nearest


def _tokens(code: str) -> tuple[str, ...]:
    """The tokens of a program without comments and line breaks; none where it does not parse.

    Indentation stays, as a token of its own: to move a line in or out is an edit.
    """
    left_out = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER}
    layout = {tokenize.INDENT: "\tin", tokenize.DEDENT: "\tout"}
    try:
        return tuple(
            layout.get(token.type, token.string)
            for token in tokenize.generate_tokens(io.StringIO(code).readline)
            if token.type not in left_out
        )
    except (tokenize.TokenError, SyntaxError):
        return ()
