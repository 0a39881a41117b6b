"""What a round fits anew: the order of candidates, and where to look, from train tasks alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from memory.hologram.codebook import Codebook
from memory.records import ProblemRow
from sandbox import Sandbox
from trainers.code_trainer.broken import Broken, broken_problems
from trainers.code_trainer.corpus import fixed_functions, library_functions
from trainers.code_trainer.edits.injection import from_fixes
from trainers.code_trainer.edits.judging import TestRunner
from trainers.code_trainer.edits.learning import Example, fit
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.look_learning import fit_second_look, look
from trainers.code_trainer.edits.naturalness import Naturalness
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.second_look import SecondLook
from trainers.code_trainer.generation import fit_generator
from trainers.code_trainer.knowledge import usable
from trainers.code_trainer.localise import Localiser
from trainers.code_trainer.sources import by_hash
from trainers.code_trainer.versions import INDEXES, TABLES, Fitted
from trainers.problem_sets import load_sets
from trainers.stage import StageContext
from trainers.tasks.swe.types import SWETask

LEAST_TREES = 20
"""Tasks with a tree below which a ranking of files is not learned."""

LOOK_SHARE = 3
"""Of the broken programs every so many-th is for the second look, the others for the order."""

MOST_EXAMPLES = 200
"""Fixes that the order is learned from: more change little and take longer."""


def fit_version(
    context: StageContext,
    tasks: Sequence[SWETask],
    library: PatternLibrary,
    codebook: Codebook,
    sandbox: Sandbox,
) -> Fitted:
    """Fit the order of candidates, the localiser and the generator.

    Args:
        context: progress, stop request, seed, where the indexes are.
        tasks: of the train split.
        library: everything that was mined of them.
        codebook: the container's.
        sandbox: where broken programs are tested.
    """
    priors, second_look, problems = _order(context, tasks, library, sandbox)
    localiser = _localiser(context, tasks)
    generator = None
    config = context.settings.code
    if config.generator:
        context.progress.start("train the generator", 0, "")
        generator = fit_generator(
            tasks, codebook, epochs=config.generator_epochs, seed=context.seed
        )
    return Fitted(priors, localiser, generator, problems, second_look)


def _order(
    context: StageContext, tasks: Sequence[SWETask], library: PatternLibrary, sandbox: Sandbox
) -> tuple[Priors, SecondLook | None, tuple[str, ...]]:
    """Learn the order and the second look; also the train problems that they have seen."""
    others = pattern_half(tasks)
    problems = sorted(load_sets(context).train, key=lambda problem: by_hash(problem.id))
    to_read, to_break = problems[::2], problems[1::2]
    naturalness = _naturalness(context, (t for t in tasks if t.task_id in others), to_read)
    context.progress.start("break programs", 0, "")
    broken = list(
        broken_problems(
            to_break,
            [task for task in tasks if task.task_id not in others],
            sandbox,
            naturalness,
            most=context.settings.code.broken,
            seed=context.seed,
            check_stop=context.check_stop,
        )
    )
    context.progress.start("learn the order", 0, "")
    for_look = broken[::LOOK_SHARE]
    examples = [one.example for number, one in enumerate(broken) if number % LOOK_SHARE]
    priors = fit_priors(tasks, library, examples, context.check_stop)
    second_look = None
    if for_look:
        ranking = Ranking(usable(library.only(others)), priors)
        second_look = _second_look(context, ranking, naturalness, for_look, sandbox)
    seen = dict.fromkeys([one.problem_id for one in broken] + [problem.id for problem in to_read])
    return priors, second_look, tuple(seen)


def _naturalness(
    context: StageContext, fixes: Iterable[SWETask], problems: Iterable[ProblemRow]
) -> Naturalness:
    """Count the words of the library, of fixed code and of solutions."""
    context.progress.start("count words", 0, "")
    return Naturalness.fit(
        [
            *library_functions(context.settings.code.library_functions, context.check_stop),
            *fixed_functions(fixes),
            *(problem.reference for problem in problems if problem.reference),
        ]
    )


def _localiser(context: StageContext, tasks: Sequence[SWETask]) -> Localiser | None:
    """Learn where to look from the tasks with a repository; None where there are too few."""
    with_tree = [task for task in tasks if task.tree is not None and task.source != "mined"]
    if len(with_tree) < LEAST_TREES:
        return None
    context.progress.start("learn where to look", len(with_tree), "tasks")
    localiser = Localiser(indexes=context.state_dir / INDEXES, cache=context.state_dir / TABLES)
    localiser.fit(_told(context, with_tree))
    return localiser


def _second_look(
    context: StageContext,
    ranking: Ranking,
    naturalness: Naturalness,
    broken: Sequence[Broken],
    sandbox: Sandbox,
) -> SecondLook:
    """Learn what a second look at the candidates is worth, on programs the order did not see."""
    context.progress.start("learn a second look", len(broken), "programs")
    looks = []
    for one in broken:
        context.check_stop()
        found = look(one.example, ranking, naturalness, TestRunner(sandbox, one.tests))
        if found is not None:
            looks.append(found)
        context.progress.advance()
    return fit_second_look(naturalness, looks)


def pattern_half(tasks: Iterable[SWETask]) -> set[str]:
    """The ids of the half of the tasks whose patterns the order is learned with."""
    return set(sorted((task.task_id for task in tasks), key=by_hash)[::2])


def fit_priors(
    tasks: Sequence[SWETask],
    library: PatternLibrary,
    broken: Sequence[Example],
    check_stop: Callable[[], None],
) -> Priors:
    """Learn the order from half of the fixes, with patterns that the other half shows.

    A pattern that was mined from an example's own fix would look better than it is.

    Args:
        tasks: of the train split.
        library: everything that was mined of them.
        broken: programs broken by fixes of the half that examples are of.
        check_stop: called between tasks; may raise.
    """
    others = pattern_half(tasks)
    patterns = usable(library.only(others))
    examples = list(broken)
    # Of all repositories, not of the first ones in their order.
    for task in sorted(tasks, key=lambda one: by_hash(one.task_id)):
        if task.task_id in others:
            continue
        check_stop()
        examples += islice(_examples(task), 2)
        if len(examples) - len(broken) >= MOST_EXAMPLES:
            break
    if not examples or not patterns.patterns:
        return Priors()
    return fit(examples, patterns)


def _examples(task: SWETask) -> list[Example]:
    found: list[Example] = []
    for path, before in task.code_before.items():
        after = task.code_after.get(path)
        if after is None:
            continue
        try:
            found += from_fixes(before, after)
        except (SyntaxError, ValueError, RecursionError):
            continue  # of another version of Python
    return found


def _told(context: StageContext, tasks: Sequence[SWETask]) -> Iterator[SWETask]:
    for task in tasks:
        context.check_stop()
        yield task
        context.progress.advance()
