"""What the trainers do for each other inside of one process: here, since they do not know another.

The fractal loop gets learned edits from the code trainer's memory and from the CTM in use, and the
critic chooses among the programs that pass.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from kent.ctm_editor import CTMEditor, open_ctm
from memory.records import ProblemRow, SampleRow
from memory.store import Store
from sandbox import Sandbox, Verdict, Word, tests_to_json
from trainers.code_trainer import versions
from trainers.code_trainer.edits.instantiate import Candidate
from trainers.code_trainer.edits.priors import Priors
from trainers.code_trainer.edits.program import Program
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.second_look import SecondLook
from trainers.code_trainer.edits.spectrum import Spectrum
from trainers.code_trainer.edits.splice import NoText
from trainers.code_trainer.knowledge import usable
from trainers.code_trainer.pattern_store import recall_library, remember_pairs
from trainers.critic.candidates import champion
from trainers.critic.features import FeatureSource
from trainers.critic.model import Critic
from trainers.critic.solve import pick
from trainers.critic.sources import Engines, version_source
from trainers.fractal.python.localise import Evidence
from trainers.fractal.python.partners import Chooser, Editor, EditorOf, Partners
from trainers.fractal.python.patches import CTM, EDIT
from trainers.fractal.python.program import PythonProgram
from trainers.fractal.stage import FractalStage
from trainers.generators.prompts import protocol_id
from trainers.samples import program_hash
from trainers.stage import StageContext
from trainers.visible import visible_tests


def fractal_stage() -> FractalStage:
    """The fractal stage with its partners."""
    return FractalStage(Partners(open_editor, open_chooser))


@dataclass
class PatternEditor:
    """Candidates by learned patterns, in their order; see ``partners.Editor``."""

    ranking: Ranking
    second_look: SecondLook | None = None
    _open: dict[str, Iterator[Candidate]] = field(default_factory=dict)

    def edits(self, code: str, statement: str, evidence: Evidence, count: int) -> list[str]:
        """See :class:`trainers.fractal.python.partners.Editor`."""
        if code not in self._open:
            try:
                program = Program(code, issue=statement)
            except (SyntaxError, ValueError, RecursionError):
                return []
            failed = Verdict("", Word.FAILED, evidence.failure, trace=tuple(evidence.trace))
            found = self.ranking.ordered(program, Spectrum.of(failed))
            if self.second_look is not None:
                found = self.second_look.ordered(program, found)
            self._open[code] = found
        return [text for made in islice(self._open[code], count) if (text := _text(made))]


def open_editor(context: StageContext) -> EditorOf:
    """Editors over what the code trainer and the CTM have learned; none before they have.

    The repair pairs of the critic's samples are mined first, so that this round's serve already.
    """
    if context.settings.code.repair_pairs:
        context.store.derive_repair_pairs()
        remember_pairs(context.store, context.stage_run_id)
    return editors(context.store, context.state_dir)


def editors(store: Store, state_dir: Path) -> EditorOf:
    """Editors over the patterns that are in a store, and the CTM in use; nothing is written."""
    makers: dict[str, Callable[[], Editor]] = {}
    library = usable(recall_library(store))
    if library.patterns:
        priors, look = _order(store, state_dir)
        ranking = Ranking(library, priors)
        makers[EDIT] = lambda: PatternEditor(ranking, look)
    ctm = open_ctm(store, state_dir)
    if ctm is not None:
        makers[CTM] = lambda: CTMEditor(*ctm)
    return lambda: {arm: make() for arm, make in makers.items()}


@dataclass(frozen=True)
class CriticChooser:
    """The best picker there is; see ``partners.Chooser``."""

    critic: Critic | None
    features: FeatureSource | None
    wanted: int

    def choose(
        self,
        problem: ProblemRow,
        prompt_kind: str,
        programs: Sequence[PythonProgram],
        sandbox: Sandbox,
    ) -> int:
        """See :class:`trainers.fractal.python.partners.Chooser`."""
        samples = [_sample(problem, number, one) for number, one in enumerate(programs)]
        shown = visible_tests(problem, prompt_kind)
        # A picker runs the problem's tests: here only those that may be seen.
        seen = (
            replace(problem, visible_tests=())
            if shown is None
            else replace(problem, tests=tests_to_json(shown))
        )
        found = pick(
            seen, prompt_kind, samples, [], sandbox,
            critic=self.critic, features=self.features, wanted=self.wanted,
        )  # fmt: skip
        return next(n for n, one in enumerate(programs) if one.code == found.code)


@contextmanager
def open_chooser(context: StageContext, generator_id: str) -> Iterator[Chooser]:
    """The champion of the generator where there is one, else agreement alone."""
    protocol = protocol_id(context.settings.critic.protocol)
    version = champion(context, generator_id, protocol)
    wanted = context.settings.critic.agreement_inputs
    if version is None:
        yield CriticChooser(None, None, wanted)
        return
    source = version_source(context, Engines(), version.row)
    if source is None:
        yield CriticChooser(version.critic, None, wanted)
        return
    with source as features:
        yield CriticChooser(version.critic, features, wanted)


def _order(store: Store, state_dir: Path) -> tuple[Priors, SecondLook | None]:
    """The order that the code trainer's version in use has learned; untrained without one."""
    row = versions.in_use(store)
    if row is None or row.checkpoint is None:
        return Priors(), None
    return versions.load_order((state_dir / row.checkpoint).parent)


def _text(made: Candidate) -> str | None:
    try:
        return made.text
    except NoText:
        return None


def _sample(problem: ProblemRow, number: int, program: PythonProgram) -> SampleRow:
    return SampleRow(
        problem_id=problem.id, generator_id="", protocol="", params={}, params_hash="",
        idx=number, seed=0, completion=program.code, code=program.code,
        program_hash=program_hash(program.code), tokens=program.tokens, logprob=program.logprob,
        finish_reason="stop", stage_run_id=0,
    )  # fmt: skip
