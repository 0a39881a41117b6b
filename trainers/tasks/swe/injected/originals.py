"""The programs before they get bugs: cut out of the library, and known by what they give."""

import ast
import doctest
import re
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from sandbox import Call, Observed, Program, Sandbox, Tests, Word
from sandbox.codec import NotDataError, encode
from trainers.errors import TaskError
from trainers.tasks.expected import Job, record
from trainers.tasks.reference_tests import FLOAT_TOLERANCE
from trainers.tasks.swe.injected.catalogue import Target
from trainers.tasks.swe.injected.slicing import cut
from trainers.tasks.swe.injected.values import draw

INPUTS = 28
"""Different inputs that are drawn for each function, beside those in its documentation."""

_EXAMPLES = 6
_TRIES = 6 * INPUTS


@dataclass(frozen=True)
class Original:
    """A function of the library as a program.

    ``path`` is the module's below the library's folder; ``calls`` expect what it gives; ``seen`` is
    what each gave, as the sandbox tells of mutants too; ``lines`` are those that a call reaches.
    """

    target: Target
    path: str
    code: str
    calls: tuple[Call, ...]
    seen: tuple[Observed, ...]
    lines: frozenset[int]

    @property
    def spared(self) -> frozenset[str]:
        """The function in front, which gets no bugs."""
        return frozenset({self.target.name}) if self.target.front else frozenset()


def originals(
    targets: Iterable[Target], seed: int, sandbox: Sandbox
) -> tuple[list[Original], list[str]]:
    """Make the programs that can be called here, and a line for each target that cannot be.

    Args:
        targets: what to make; of two with one key the first, with the inputs of both.
        seed: draws the inputs.
        sandbox: where the programs are watched.
    """
    notes: list[str] = []
    jobs: dict[str, tuple[Target, str, Job]] = {}
    for target in targets:
        inputs = _inputs(target, seed)
        if target.key in jobs:
            jobs[target.key][2].inputs.extend(inputs)
            continue
        try:
            path, code, examples = _cut(target)
        except TaskError as error:
            notes.append(f"{target.key} is not in this Python: {error}")
            continue
        inputs = [*examples, *(one for one in inputs if one not in examples)]
        jobs[target.key] = (target, path, Job(target.key, code, target.name, inputs))
    calls = _calls([job for _, _, job in jobs.values()], notes)
    watched = _watched({key: (jobs[key][2].code, calls[key]) for key in calls}, sandbox)
    made = []
    for key in sorted(calls):
        target, path, job = jobs[key]
        seen, lines = watched[key]
        if lines is not None and all(one.word is Word.PASSED for one in seen):
            made.append(Original(target, path, job.code, calls[key], seen, lines))
        else:
            notes.append(f"{key} does not give the same twice; it gets no bugs")
    return made, notes


def tests_of(original: Original, calls: Sequence[Call]) -> Tests:
    """Make tests of some of its calls."""
    return Tests("data", original.target.name, calls=tuple(calls), reason="what the library gives")


def _cut(target: Target) -> tuple[str, str, list[tuple[Any, ...]]]:
    """Give the module's path, the program, and the inputs that the documentation shows."""
    library, parts = Path(sysconfig.get_path("stdlib")), target.module.split(".")
    paths = ("/".join(parts) + ".py", "/".join([*parts, "__init__.py"]))
    path = next((path for path in paths if (library / path).is_file()), None)
    if path is None:
        raise TaskError(f"{library} has no {paths[0]}")
    source = (library / path).read_text("utf-8")
    is_package = path == paths[1]
    package = target.module if is_package else target.module.rpartition(".")[0]
    code = cut(source, target.needs or (target.name,), package)
    if target.front:
        code += f"\n\n{target.front}"
    return path, code, _examples(code, target.name)


def _examples(code: str, name: str) -> list[tuple[Any, ...]]:
    """Find the calls of ``name`` on constants in the examples of a program's docstrings."""
    found: list[tuple[Any, ...]] = []
    try:
        examples = doctest.DocTestParser().get_examples(code)
    except ValueError:  # a text that only looks like an example
        return found
    for example in examples:
        call = re.match(rf"{re.escape(name)}\(", example.source.strip())
        try:
            tree = ast.parse(example.source.strip(), mode="eval").body if call else None
            if isinstance(tree, ast.Call) and not tree.keywords:
                arguments = tuple(ast.literal_eval(argument) for argument in tree.args)
                found += [arguments] if arguments not in found else []
        except (SyntaxError, ValueError):
            continue
    return found[:_EXAMPLES]


def _inputs(target: Target, seed: int) -> list[tuple[Any, ...]]:
    rng = Random(f"{seed} {target.key} {len(target.makes)}")
    found: dict[str, tuple[Any, ...]] = {}
    for _ in range(_TRIES):
        arguments = draw(target.makes, rng)
        found.setdefault(repr(arguments), arguments)
        if len(found) == INPUTS:
            break
    return list(found.values())


def _calls(jobs: list[Job], notes: list[str]) -> dict[str, tuple[Call, ...]]:
    """Call the programs in the sandbox; the calls that gave plain data, by the job's key."""
    calls: dict[str, tuple[Call, ...]] = {}
    for found in record(jobs):
        if found.error or len(found.pairs) < 4:
            why = found.error or f"only {len(found.pairs)} of its inputs give a value"
            notes.append(f"{found.key} cannot be used: {why}")
            continue
        calls[found.key] = tuple(_call(*pair) for pair in found.pairs if _is_same(pair[1]))
    return calls


def _call(arguments: tuple[Any, ...], value: Any) -> Call:
    if _has_float(value):
        return Call(arguments, value, compare="close", tolerance=FLOAT_TOLERANCE)
    return Call(arguments, value)


def _has_float(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_float(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_has_float(item) for item in value)
    return isinstance(value, float)


def _is_same(value: Any) -> bool:
    """Tell whether a value equals itself, as a NaN does not, and can be told in tests."""
    try:
        encode(value)
        return bool(value == value)  # noqa: PLR0124 - that is the question
    except NotDataError:
        return False


def _watched(
    programs: dict[str, tuple[str, tuple[Call, ...]]], sandbox: Sandbox
) -> dict[str, tuple[tuple[Observed, ...], frozenset[int] | None]]:
    """Run the programs twice: for what each call gives, and for the lines that it reaches.

    The lines are None where it did not give what it gave before.
    """

    def runs() -> Iterable[Program]:
        for key, (code, calls) in programs.items():
            tests = Tests("data", key.rpartition(".")[2], calls=calls)
            yield Program(f"seen {key}", code, tests, observe=True)
            yield Program(f"lines {key}", code, tests, trace=True)

    seen: dict[str, tuple[Observed, ...]] = {}
    lines: dict[str, frozenset[int]] = {}
    for verdict in sandbox.run_many(runs()):
        kind, _, key = verdict.key.partition(" ")
        if kind == "seen":
            seen[key] = verdict.observed
        elif verdict.passed:
            reached = [one.lines for one in verdict.trace if one.call is not None]
            lines[key] = frozenset().union(*reached)
    return {key: (seen[key], lines.get(key)) for key in programs}
