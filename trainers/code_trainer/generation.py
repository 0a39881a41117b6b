"""The generator in a round: fitted on train tasks, loaded with a version, asked for patches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

from torch import Tensor

from memory.files import sha256_file
from memory.hologram.codebook import Codebook
from memory.hologram.consolidation import ConsolidationManager
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.code_tokens import words
from trainers.code_trainer.diffs import apply_patches, patches_of
from trainers.code_trainer.edit_script import script_of, window_of
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.expectation import TokenExpectation
from trainers.code_trainer.generator import (
    CodeGenerator,
    GeneratorSettings,
    Recall,
    RecalledPattern,
    TaskContext,
)
from trainers.code_trainer.generator_checkpoint import (
    GeneratorState,
    load_generator,
    save_generator,
)
from trainers.code_trainer.locations import Locations
from trainers.code_trainer.network import NetworkSpec
from trainers.code_trainer.patches import CodePatch, PatchResult
from trainers.code_trainer.prompt import Example, example_of
from trainers.code_trainer.sources import by_hash
from trainers.code_trainer.training_generator import TrainingPlan, train_generator
from trainers.code_trainer.vocabulary import TaskVocabulary, issue_words
from trainers.errors import PatchError
from trainers.tasks.swe.types import SWETask

RESONATOR, NETWORK = "resonator.safetensors", "generator.safetensors"
LEAST_SCRIPTS = 60
"""Edit scripts below which nothing is trained: what it wrote would be noise."""

MOST_SCRIPTS = 1500
_DEV_SHARE = 8  # one in so many train tasks chooses the epoch

Sample = tuple[TaskVocabulary, Mapping[str, float], Sequence[str]]


@dataclass(frozen=True)
class FittedGenerator:
    """The learned parts; ``told`` says how well true scripts of unseen train tasks are foretold."""

    resonator: CodeResonator
    state: GeneratorState
    told: str

    def save(self, folder: Path) -> None:
        """Write both parts into a folder."""
        self.resonator.save(folder / RESONATOR)
        save_generator(self.state, folder / NETWORK)


def fit_generator(
    tasks: Sequence[SWETask], codebook: Codebook, *, epochs: int, seed: int
) -> FittedGenerator | None:
    """Fit the map from issues to patches and the decoder; None where there is too little."""
    encoder = CodeEncoder(codebook)
    examples: list[tuple[str, Example, Sample]] = []
    issues: list[Tensor] = []
    truths: list[list[CodePatch]] = []
    for task in sorted(tasks, key=lambda task: by_hash(task.task_id)):
        issue = encoder.encode_issue(task.issue_text)
        patches = [p for p in _truth(task) if p.file in task.code_before]
        if not patches:
            continue
        issues.append(issue)
        truths.append(patches)
        if len(examples) < MOST_SCRIPTS:
            examples += _examples(task, issue, patches)
    held = [one for one in examples if _is_held(one[0])]
    train = [one for one in examples if not _is_held(one[0])]
    if len(train) < LEAST_SCRIPTS or not held:
        return None
    spec = NetworkSpec(codebook.dimensions, patterns=1)  # a head of no rows cannot be
    plan = TrainingPlan(epochs=epochs, seed=seed)
    trained = train_generator(
        [example for _, example, _ in train], [example for _, example, _ in held], spec, plan
    )
    best = trained.history[trained.best]
    state = GeneratorState(
        trained.network,
        TokenExpectation.fit(sample for _, _, sample in train),
        GeneratorSettings(),
        (codebook.dimensions, codebook.seed),
        tasks=tuple(sorted({name for name, _, _ in examples})),
    )
    told = (
        f"{len(train)} edit scripts; of {best.n} others {100 * best.tokens:.0f} % of tokens and "
        f"{100 * best.exact:.0f} % whole are foretold"
    )
    return FittedGenerator(CodeResonator(codebook).fit(issues, truths), state, told)


def load_generation(
    folder: Path, codebook: Codebook, memory: ConsolidationManager | None
) -> CodeGenerator | None:
    """The generator of a version; None where that version has none.

    Raises:
        CheckpointError: a file is damaged.
    """
    path = folder / NETWORK
    if not path.is_file():
        return None
    state = load_generator(path, sha256_file(path))
    return CodeGenerator(
        state.network,
        CodeResonator.load(folder / RESONATOR, codebook),
        state.expectation,
        state.settings,
        recall=None if memory is None else _recaller(memory),
    )


def changed_texts(texts: Mapping[str, str], result: PatchResult) -> dict[str, str] | None:
    """The texts that a result changes; None where it does not apply."""
    touched = {patch.file for patch in result.patches}
    try:
        after = apply_patches({path: texts[path] for path in touched}, result.patches)
    except (PatchError, KeyError):
        return None
    return {path: after[path] for path in sorted(touched) if path in after}


def context_of(
    issue: str,
    texts: Mapping[str, str],
    functions: Mapping[str, Sequence[tuple[str, float]]],
    files: Sequence[tuple[str, float]],
    before: float | None = None,
) -> TaskContext:
    """What a patch may be made of: the likeliest files, and in each the likeliest functions.

    ``before``: the date of the task; the memory tells of earlier ones only.
    """
    locations = {
        path: [
            location
            for location in Locations(texts[path]).all()
            if any(location.startswith(name) for name, _ in functions.get(path, ()))
        ]
        for path in texts
    }
    return TaskContext(
        issue,
        texts,
        files=[path for path, _ in files],
        priors={"FILE": {path: log(max(p, 1e-9)) for path, p in files}},
        locations={path: names for path, names in locations.items() if names},
        before=before,
    )


def _recaller(memory: ConsolidationManager) -> Recall:
    def recall(issue: Tensor, before: float | None) -> list[RecalledPattern]:
        if not len(memory):
            return []
        return [
            RecalledPattern(
                near.fact.label, max(near.cosine, 0.0), sources=(near.fact.task_id or "",)
            )
            for near in memory.nearest(issue, 5, before=before)
        ]

    return recall


def _truth(task: SWETask) -> list[CodePatch]:
    try:
        return patches_of(task.code_before, task.code_after)
    except (SyntaxError, ValueError, RecursionError):
        return []


def _examples(
    task: SWETask, issue: Tensor, patches: Sequence[CodePatch]
) -> list[tuple[str, Example, Sample]]:
    found: list[tuple[str, Example, Sample]] = []
    for patch in patches[:3]:
        text = task.code_before[patch.file]
        try:
            window = window_of(text, patch.location)
            script = None if window is None else script_of(window, patch)
        except (SyntaxError, ValueError, RecursionError):
            continue
        if window is None or script is None:
            continue
        vocabulary = TaskVocabulary(
            window.words, words(text), issue_words(task.issue_text), (), 1000
        )
        made = example_of(task.task_id, issue, window, vocabulary, script)
        if made is not None:
            found.append((task.task_id, made, (vocabulary, {}, script.tokens)))
    return found


def _is_held(task_id: str) -> bool:
    return int(by_hash(task_id)[:8], 16) % _DEV_SHARE == 0
