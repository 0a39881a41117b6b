"""What a run of the CTM needs of settings and state: data, model shape, recipe, repair pairs."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from memory.repair_records import RepairPair
from memory.store import Store
from trainers.config import TrainerSettings
from trainers.ctm.config import CTMConfig, preset
from trainers.ctm.curriculum import curriculum
from trainers.ctm.data.bugs_real import benchmark_likenesses
from trainers.ctm.data.build import build
from trainers.ctm.data.collectors.pairs import store_pairs
from trainers.ctm.data.corpus import Package, likeness, packages
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.gather import FUNCTIONS, read_functions
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.make import BuildOptions
from trainers.ctm.data.program import Program
from trainers.ctm.data.sample import Facts, RepairSample
from trainers.ctm.data.validate import RejectedError, pair_sample
from trainers.ctm.recipe import Recipe
from trainers.ctm.versions import KIND, version_of_round
from trainers.hardware import fast_bf16
from trainers.stage import StageContext

_SHARD = 4096  # samples; small sets have smaller ones, since a cut loses the shard it is in
DATA, WORK = Path("ctm") / "data", Path("ctm") / "work"
"""Below the state directory: the data set that is built, and the run that goes on."""


def data_of(context: StageContext, sources: Sequence[Package] | None = None) -> Dataset:
    """The data set that the settings name; where they name none, one that grows with the rounds.

    Raises:
        CTMDataError: it is broken or of other options.
    """
    settings = context.settings.ctm
    if settings.data:
        return Dataset(Path(settings.data).expanduser())
    options = BuildOptions(
        samples=_wanted(context),
        functions=settings.data_functions or settings.data_samples,
        vocabulary=settings.vocabulary,
        shard=min(_SHARD, max(1, settings.data_samples // 8)),
        seed=context.settings.seed,
    )
    exclude = frozenset[str]()
    folder = data_folder(context.settings)
    if folder is not None:
        exclude = benchmark_likenesses(folder)

    def progress(phase: str, done: int, total: int) -> None:
        context.check_stop()
        context.progress.start(phase, total, "units", done=done)

    out = context.state_dir / DATA
    installed = packages() if sources is None else sources
    build(out, options, installed, exclude=exclude, progress=progress)
    return Dataset(out)


def _wanted(context: StageContext) -> int:
    """Programs of train in this round, the same however often the round is begun again."""
    settings, store = context.settings.ctm, context.store
    before = len(store.models(KIND)) - (version_of_round(context) is not None)
    grown = settings.data_samples + before * settings.data_growth
    return max(settings.data_samples, min(grown, settings.data_most))


def data_folder(settings: TrainerSettings) -> Path | None:
    """The folder with data files that ``KENT_DATA`` or the settings name."""
    named = os.environ.get("KENT_DATA") or settings.tasks.data_dir
    return Path(named).expanduser() if named else None


def model_config(settings: TrainerSettings, data: Dataset) -> CTMConfig:
    """The preset's shape with the data's vocabulary and grid."""
    return preset(
        settings.ctm.preset,
        vocab_size=data.tokenizer.size,
        grid_height=data.height,
        grid_width=data.width,
    )


def device() -> str:
    """The card where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def in_bf16(settings: TrainerSettings) -> bool:
    """Whether matrix products are in bf16: as the settings say, or where the machine is fast at it.

    For a step of the preset ``cpu`` a core with AMX took 0.27 of the time of float32, one with
    AVX-512's bf16 alone 0.52.
    """
    if settings.ctm.precision != "auto":
        return settings.ctm.precision == "bf16"
    return fast_bf16()


_JUDGED = """
SELECT x.id AS sample, max(v.id) AS verdict FROM samples x JOIN problems p ON p.id = x.problem_id
JOIN verdicts v ON v.program_hash = x.program_hash AND v.tests_hash = p.tests_hash
WHERE x.id IN (SELECT value FROM json_each(?)) GROUP BY x.id ORDER BY x.id
"""


def recipe_of(context: StageContext) -> Recipe:
    """How the settings train; half the cells at once on the retry after running out of memory.

    The batches stay as they are, so that the run goes on as if there had been memory enough.
    """
    settings = context.settings.ctm
    stages = tuple(
        stage.model_copy(update={"lr": stage.lr * settings.learning_rate_scale})
        for stage in curriculum(settings.curriculum, settings.curriculum_share)
    )
    return Recipe(
        stages,
        batch_size=settings.batch_size,
        accumulate=settings.gradient_accumulation,
        most_cells=max(1, round(settings.most_cells * context.batch_scale)),
        weight_decay=settings.weight_decay,
        bf16=in_bf16(context.settings),
        one_cosine=settings.curriculum == "cpu",
    )


def pair_samples(
    rows: Sequence[RepairPair], data: Dataset, exclude: frozenset[str] = frozenset()
) -> tuple[list[RepairSample], list[RepairPair]]:
    """Training samples of the store's pairs, and the rows that they are of.

    What is like a function of a held-out split, or like one of ``exclude``, is left out.
    """
    held = {one.likeness for one in read_functions(data.folder / FUNCTIONS) if one.split != "train"}
    encoder = CTMGridEncoder(data.tokenizer, data.height, data.width)
    samples, kept = [], []
    for row in rows:
        for pair in store_pairs([row]):
            alike = {likeness(pair.broken), likeness(pair.fixed)}
            if alike & (held | exclude):
                continue
            try:
                broken, fixed = Program.of(pair.broken), Program.of(pair.fixed)
                facts = Facts(pair.bug_class, pair.operator, pair.source)
                samples.append(pair_sample(broken, fixed, encoder, facts))
                kept.append(row)
            except RejectedError:  # too long, too many edits: most pairs of a language model
                continue
    return samples, kept


def example_keys(store: Store, rows: Sequence[RepairPair]) -> list[tuple[int, int]]:
    """The (sample id, verdict id) of pairs, as a model's row records what it learned from."""
    samples = {id for row in rows for id in (row.row.broken_sample, row.row.fixed_sample)}
    found = store.query(_JUDGED, (json.dumps(sorted(samples)),))
    return [(row["sample"], row["verdict"]) for row in found]
