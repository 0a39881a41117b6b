"""What the code trainer knows: the memory, the patterns, their order, and where to look."""

from dataclasses import dataclass, field, replace

from memory.hologram.container import HologramContainer
from memory.store import Store
from trainers.code_trainer.edits.library import PatternLibrary
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.second_look import SecondLook
from trainers.code_trainer.generator import CodeGenerator
from trainers.code_trainer.localisation import Localisation, Yardstick, of_result
from trainers.code_trainer.localise import Localiser
from trainers.code_trainer.pattern_store import recall_library
from trainers.tasks.swe.types import SWETask

MEMORY = "code"
"""The neural memory that recalls a pattern for an issue."""

LEAST_SEEN, MOST_PATTERNS = 2, 1500
"""A pattern that one fix alone shows is that fix; of the others the commonest are enough."""


@dataclass(frozen=True)
class Knowledge:
    """Everything that a solver asks. ``trained`` False: nothing learned orders the search.

    ``localiser`` None: files are ranked by BM25 over contents and paths, which learns nothing.
    """

    container: HologramContainer
    library: PatternLibrary
    priors: Priors
    localiser: Localiser | None = None
    generator: CodeGenerator | None = None
    yardstick: Yardstick = field(default_factory=Yardstick)
    trained: bool = True
    second_look: SecondLook | None = None

    def localise(self, task: SWETask) -> Localisation:
        """Rank the files and functions of a task's tree.

        Raises:
            TaskError: the tree cannot be read.
        """
        if self.localiser is None or task.tree is None:
            return self.yardstick.rank(task)
        return of_result(self.localiser.rank(task))

    def past(self, date: float | None) -> PatternLibrary:
        """The patterns and words of fixes before a date, and of those without one.

        A repository's later fixes may hold the very lines that an earlier task asks for.
        """
        if date is None:
            return self.library
        dates = self.library.dates
        return self.library.only(name for name, on in dates.items() if on is None or on < date)

    def snapshot(self) -> "Knowledge":
        """The same, with a memory whose writes are thrown away."""
        return replace(self, container=self.container.snapshot())

    def cold(self, seed: int) -> "Knowledge":
        """The same patterns and no more: no order, no memory, no learned localisation."""
        container = HologramContainer(None, self.container.codebook.dimensions, seed)
        return Knowledge(container, self.library, Priors(), yardstick=self.yardstick, trained=False)


def usable(library: PatternLibrary) -> PatternLibrary:
    """The patterns that candidates are made of; where few fixes are known, all of them."""
    pruned = library.pruned(least=LEAST_SEEN, most=MOST_PATTERNS)
    return pruned if len(pruned.patterns) >= 50 else library.pruned(least=1, most=MOST_PATTERNS)


def recall(
    store: Store,
    container: HologramContainer,
    priors: Priors,
    localiser: Localiser | None = None,
    generator: CodeGenerator | None = None,
    yardstick: Yardstick | None = None,
    second_look: SecondLook | None = None,
) -> Knowledge:
    """What the store remembers, with a version's weights."""
    library = usable(recall_library(store))
    ranks = yardstick or Yardstick()
    return Knowledge(
        container, library, priors, localiser, generator, ranks, second_look=second_look
    )
