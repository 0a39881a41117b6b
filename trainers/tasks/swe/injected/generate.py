"""Makes the tasks: mutants that some input tells from the original, with tests that say so.

Everything that is told of a program was seen in the sandbox: on which inputs a mutant differs, that
the visible and the hidden tests fail on it, and that the original gives what they expect.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import islice
from platform import python_version
from random import Random

from sandbox import Call, Limits, Sandbox, Verdict, Word, tests_to_json
from sandbox import Program as Job
from trainers.tasks.swe.injected.catalogue import TARGETS, Target
from trainers.tasks.swe.injected.mutations import Mutation, Program
from trainers.tasks.swe.injected.originals import Original, originals, tests_of
from trainers.tasks.swe.injected.wording import issue_text
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.splits import by_hash
from trainers.tasks.swe.types import Judge, SWETask, TaskSplit

SOURCE, REPO = "injected", "python/stdlib"
COUNT = 400
_AT_ONCE = 3
"""Mutants of a function that are looked at in one go, for each task that it still lacks."""

_MOST_LOOKED_AT = 60
_MORE = 4
"""Functions that are tried beside two for each task that is wanted."""

_LIMITS = Limits(cpu_s=0.5, wall_s=60.0)  # of its own CPU time alone, however busy others are
_VISIBLE_FAILING, _VISIBLE_PASSING = 3, 5
_USELESS = {Word.TIMEOUT, Word.OUT_OF_MEMORY, Word.CRASHED, Word.VIOLATION, Word.NOT_JUDGED}


@dataclass(frozen=True)
class _Found:
    """A mutant, and the numbers of the original's calls on which it differs."""

    original: Original
    mutation: Mutation
    differs: tuple[int, ...]


def inject(
    *,
    count: int = COUNT,
    seed: int = 0,
    split: TaskSplit | None = None,
    targets: Sequence[Target] = TARGETS,
    notes: Notes | None = None,
) -> list[SWETask]:
    """Make ``count`` tasks, as evenly from the functions as they give bugs.

    The same seed, Python and targets give the same tasks. A function's tasks share a split.

    Args:
        count: how many tasks; fewer come where the functions do not give so many.
        seed: draws inputs and bugs.
        split: of all; by default by hash of the function.
        targets: the functions.
        notes: gathers which functions this Python lacks.

    Raises:
        SandboxError: no program can be run here.
    """
    notes = Notes() if notes is None else notes
    tasks: list[SWETask] = []
    with Sandbox(limits=_LIMITS) as sandbox:
        for some in _portions(targets, count, seed):
            if len(tasks) < count:
                made, lines = originals(some, seed, sandbox)
                for line in lines:
                    notes.say(line)
                tasks += _Tasks(made, seed, sandbox).make(count - len(tasks))
    if len(tasks) < count:
        notes.say(f"the functions give {len(tasks)} bugs that tests can tell, not {count}")
    return [_in_split(task, split) for task in sorted(tasks, key=lambda task: task.task_id)]


def _portions(targets: Sequence[Target], count: int, seed: int) -> Iterator[list[Target]]:
    """Part the functions so that a few tasks need not try them all; ``seed`` draws which go first.

    Targets of one key stay together, in their order.
    """
    keys = sorted({target.key for target in targets})
    Random(f"{seed} functions").shuffle(keys)
    size = 2 * count + _MORE
    for start in range(0, len(keys), size):
        chosen = set(keys[start : start + size])
        yield [target for target in targets if target.key in chosen]


def _in_split(task: SWETask, split: TaskSplit | None) -> SWETask:
    function = f"{task.metadata['module']}.{task.metadata['function']}"
    return replace(task, split=split or by_hash(function))


class _Tasks:
    """Goes over the functions again and again, until there are tasks enough or no mutants left."""

    def __init__(self, made: list[Original], seed: int, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._originals = {original.target.key: original for original in made}
        self._programs = {k: Program(o.code, o.spared) for k, o in self._originals.items()}
        self._mutants = {
            key: islice(
                self._programs[key].mutations(Random(f"{seed} {key}"), original.lines),
                _MOST_LOOKED_AT,
            )
            for key, original in self._originals.items()
        }
        self._tasks: dict[str, list[SWETask]] = {key: [] for key in self._originals}
        self._seen: set[str] = set()

    def make(self, count: int) -> list[SWETask]:
        """Make up to ``count`` tasks, ordered by function."""
        alive = set(self._originals)
        while alive and (lacking := count - self._total()) > 0:
            share = -(-lacking // len(alive))
            drawn = {key: self._draw(key, share) for key in sorted(alive)}
            alive -= {key for key, mutations in drawn.items() if not mutations}
            for task in self._judged(self._differing(drawn)):
                own = self._tasks[f"{task.metadata['module']}.{task.metadata['function']}"]
                own.append(task)
        return self._taken(count)

    def _total(self) -> int:
        return sum(map(len, self._tasks.values()))

    def _taken(self, count: int) -> list[SWETask]:
        """Take in turn from each function, so that the surplus of none crowds out another."""
        turns = [(turn, key) for key, own in self._tasks.items() for turn in range(len(own))]
        kept = Counter(key for _, key in sorted(turns)[:count])
        return [task for key, own in sorted(self._tasks.items()) for task in own[: kept[key]]]

    def _draw(self, key: str, share: int) -> list[Mutation]:
        drawn = list(islice(self._mutants[key], _AT_ONCE * share))
        new = [one for one in drawn if one.code not in self._seen]
        self._seen.update(one.code for one in new)
        return new or drawn

    def _differing(self, drawn: dict[str, list[Mutation]]) -> list[_Found]:
        """Run the mutants on the inputs; those that differ from the original on two at least."""
        mutants = {f"{k} {n}": (k, m) for k, ms in drawn.items() for n, m in enumerate(ms)}

        def jobs() -> Iterator[Job]:
            for name, (key, mutation) in mutants.items():
                original = self._originals[key]
                tests = tests_of(original, original.calls)
                yield Job(name, mutation.code, tests, observe=True)

        found: dict[str, _Found] = {}
        for verdict in self._sandbox.run_many(jobs()):
            key, mutation = mutants[verdict.key]
            differs = _differences(self._originals[key], verdict)
            if len(differs) >= 2:
                found[verdict.key] = _Found(self._originals[key], mutation, differs)
        return [found[name] for name in mutants if name in found]

    def _judged(self, found: list[_Found]) -> list[SWETask]:
        """Make tests, and keep the mutants that visible and hidden ones both tell."""
        parts = [_parts(one) for one in found]

        def jobs() -> Iterator[Job]:
            for number, (one, both) in enumerate(zip(found, parts, strict=True)):
                for kind, calls in zip(("visible", "hidden"), both, strict=True):
                    yield Job(f"{number} {kind}", one.mutation.code, tests_of(one.original, calls))

        verdicts = {verdict.key: verdict for verdict in self._sandbox.run_many(jobs())}
        tasks = []
        for number, (one, (visible, hidden)) in enumerate(zip(found, parts, strict=True)):
            shown, scored = (verdicts[f"{number} {kind}"] for kind in ("visible", "hidden"))
            if _tells(shown) and _tells(scored):
                tasks.append(self._task(one, visible, hidden, shown))
        return tasks

    def _task(
        self, one: _Found, visible: list[Call], hidden: list[Call], verdict: Verdict
    ) -> SWETask:
        original, mutation, target = one.original, one.mutation, one.original.target
        failure = verdict.failure
        assert failure is not None and failure.call is not None  # `_tells` saw to it
        mutant = Program(mutation.code)
        scope = mutant.scope_of(failure.line) if failure.line else ""
        line = mutation.code.splitlines()[failure.line - 1].strip() if failure.line else ""
        differing = {id(original.calls[number]) for number in one.differs}
        working = next((call for call in visible if id(call) not in differing), None)
        digest = hashlib.sha256(mutation.code.encode()).hexdigest()[:12]
        before, after = {original.path: mutation.code}, {original.path: original.code}
        return SWETask(
            task_id=f"{SOURCE}/{target.key}/{digest}",
            repo=REPO,
            issue_text=issue_text(original, visible[failure.call], failure, (scope, line), working),
            code_before=before,
            code_after=after,
            source=SOURCE,
            patch=_diff(original.path, mutation.code, original.code),
            judge=Judge(
                "program",
                visible=tests_to_json(tests_of(original, visible)),
                hidden=tests_to_json(tests_of(original, hidden)),
            ),
            metadata={
                "module": target.module,
                "function": target.name,
                "entry_point": target.name,
                "kind": mutation.kind,
                "line": mutation.line,
                "scope": mutation.scope,
                "python": python_version(),
            },
        )


def _differences(original: Original, verdict: Verdict) -> tuple[int, ...]:
    """Give the calls on which a mutant differs; none where it is of no use.

    Of no use is what hangs or crashes, and what raises whatever it is called with: nobody would
    have handed that in.
    """
    found = verdict.observed
    if len(found) != len(original.seen) or any(one.word in _USELESS for one in found):
        return ()
    if all(one.word is not Word.PASSED for one in found):
        return ()
    pairs = enumerate(zip(found, original.seen, strict=True))
    return tuple(
        n for n, (mine, its) in pairs if (mine.word, mine.digest) != (its.word, its.digest)
    )


def _parts(one: _Found) -> tuple[list[Call], list[Call]]:
    """Part the calls into visible and hidden ones, no call in both, some that differ in each.

    The shortest that differs is visible and comes first: it is what the issue tells.
    """
    rng = Random(one.mutation.code)
    calls = one.original.calls
    failing = sorted((calls[n] for n in one.differs), key=lambda call: len(repr(call.args)))
    passing = [call for n, call in enumerate(calls) if n not in one.differs]
    first, rest = failing[0], failing[1:]
    rng.shuffle(rest)
    rng.shuffle(passing)
    more = min(_VISIBLE_FAILING - 1, len(rest) // 2)
    some = min(_VISIBLE_PASSING, len(passing) // 2)
    visible = [first, *rest[:more], *passing[:some]]
    return visible, rest[more:] + passing[some:]


def _tells(verdict: Verdict) -> bool:
    """Tell whether tests fail on a mutant, at a call."""
    at_call = verdict.failure is not None and verdict.failure.call is not None
    return at_call and verdict.word in (Word.FAILED, Word.ERROR)


def _diff(path: str, before: str, after: str) -> str:
    lines: Iterable[str] = unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(lines)
