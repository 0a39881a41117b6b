"""Problems of one split with everything that is known of their samples, ready to learn from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory.records import ProblemRow
from trainers.critic.examples import Examples, assemble
from trainers.critic.feature_cache import FeatureCache, Work, fill
from trainers.critic.features import FeatureSource
from trainers.critic.model import CriticSpec
from trainers.critic.scalars import NAMES
from trainers.critic.signals import Executed, signals
from trainers.critic.survey import LabelledSet, Surveyed, survey
from trainers.generators.base import Message
from trainers.stage import StageContext

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Part:
    """The samples of some problems: what was read of them, and what execution told."""

    surveys: list[Surveyed]
    executed: Mapping[str, Executed]

    def signals(self) -> dict[str, Array]:
        """(samples,) by name, all but the critic's logit."""
        return signals(self.surveys, self.executed)


@dataclass(frozen=True)
class Features:
    """Vectors of programs from one source, and which of their columns a head sees.

    ``cache`` of None: none are used, only scalars. ``adapters``: the folders, relative to the
    state directory, of the epochs of a tuned model, whose logits the columns are.
    """

    source_id: str
    cache: FeatureCache | None
    columns: list[int]
    adapters: tuple[str, ...] = ()


def read_surveys(
    context: StageContext,
    problems: Sequence[ProblemRow],
    prompts: Mapping[str, Sequence[Message]],
    which: LabelledSet,
    counts: Mapping[str, int],
) -> list[Surveyed]:
    """Read the labelled samples of problems, with progress; a stop is seen between two."""
    context.progress.start("read the samples", len(problems), "problems")
    found = []
    for one in survey(context.store, problems, prompts, which, counts):
        context.check_stop()
        found.append(one)
        context.progress.advance()
    return found


def compute_features(
    context: StageContext,
    source: FeatureSource,
    pooling: str,
    surveys: Sequence[Surveyed],
    prompts: Mapping[str, Sequence[Message]],
) -> Features:
    """Make the vectors of all programs exist, each distinct one once; longest prompts together.

    Programs of one prompt are run in packs without padding, so that they need no sorting.
    """
    cache = FeatureCache(context.state_dir / "features", source.id, source.dim)
    work = [
        Work(prompts[one.problem_id], dict(zip(one.feature_keys, one.features_of, strict=True)))
        for one in surveys
    ]
    fill(context, cache, source, work, context.store.programs)
    return Features(source.id, cache, source.columns(pooling))


NO_FEATURES = Features("none", None, [])


def examples_of(surveys: Sequence[Surveyed], features: Features, spec: CriticSpec) -> Examples:
    """The samples as a critic of that spec sees them."""
    scalars = [NAMES.index(name) for name in spec.scalars]
    return assemble(surveys, features.cache, columns=features.columns, scalars=scalars)
