"""Reading the labelled samples out of the store, one problem at a time: numbers stay, texts go."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memory.records import LabelledSample, ProblemRow, SampleRow
from memory.store import Store
from sandbox.convert import from_asserts
from sandbox.errors import ConversionError
from trainers.critic.feature_cache import feature_key
from trainers.critic.normalise import normalise
from trainers.critic.scalars import among_facts, own_facts
from trainers.generators.base import Message
from trainers.samples import SampleSource

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LabelledSet:
    """Which labelled samples: whose, and by which sandbox. The first ``count`` of each problem."""

    source: SampleSource
    sandbox_version: str
    level: str


@dataclass(frozen=True)
class Surveyed:
    """The samples of one problem, in the order of ``idx``, without their texts.

    ``programs`` are the texts' hashes; ``feature_keys`` those of the program that stands for all
    with the same normal form, whose hash is in ``features_of``. ``scalars`` is (samples, facts).
    """

    problem_id: str
    split: str
    keys: list[tuple[int, int]]  # (sample id, verdict id)
    programs: list[str]
    normals: list[str]
    feature_keys: list[str]
    features_of: list[str]
    scalars: Array
    logprobs: Array
    tokens: Array
    verdicts: list[str]

    @property
    def passed(self) -> Array:
        """(samples,) of 0 and 1."""
        return np.array([verdict == "passed" for verdict in self.verdicts], dtype=float)


def survey(
    store: Store,
    problems: Sequence[ProblemRow],
    prompts: Mapping[str, Sequence[Message]],
    which: LabelledSet,
    counts: Mapping[str, int],
) -> Iterator[Surveyed]:
    """Read problem by problem; one without a labelled sample is passed over.

    Args:
        store: where they are.
        problems: whose samples.
        prompts: the chat behind which a program is scored, by problem id.
        which: the samples' source and their judge.
        counts: how many samples of a problem at most, by problem id.
    """
    for problem in sorted(problems, key=lambda row: row.id):
        rows = store.labelled(
            problem_ids=[problem.id],
            generator_id=which.source.generator_id,
            protocol=which.source.protocol,
            params_hash=which.source.params_hash,
            sandbox_version=which.sandbox_version,
            level=which.level,
        )
        rows = [row for row in rows if row.sample.idx < counts[problem.id]]
        if rows:
            yield surveyed(
                problem,
                prompts[problem.id],
                [row.sample for row in rows],
                keys=[(sample_id(row), row.verdict_id) for row in rows],
                verdicts=[row.verdict for row in rows],
            )


def shown_arguments(problem: ProblemRow) -> int | None:
    """Count the arguments of the first shown test's call; None where it is no call on constants."""
    if not problem.visible_tests:
        return None
    try:
        tests = from_asserts(problem.visible_tests[:1], entry_point=problem.entry_point)
    except ConversionError:
        return None
    return len(tests.calls[0].args) if tests.mode == "data" and tests.calls else None


def surveyed(
    problem: ProblemRow,
    prompt: Sequence[Message],
    samples: Sequence[SampleRow],
    *,
    keys: list[tuple[int, int]],
    verdicts: list[str],
) -> Surveyed:
    """Turn one problem's samples to numbers; ``verdicts`` may be empty where there are none."""
    normals = [normalise(sample.code, problem.entry_point) for sample in samples]
    arguments = shown_arguments(problem)
    own = [
        own_facts(
            sample.code,
            normal,
            entry_point=problem.entry_point,
            arguments=arguments,
            tokens=sample.tokens,
            logprob=sample.logprob,
        )
        for sample, normal in zip(samples, normals, strict=True)
    ]
    first: dict[str, int] = {}
    for number, normal in enumerate(normals):
        first.setdefault(normal.digest, number)
    stands = [samples[first[normal.digest]] for normal in normals]
    return Surveyed(
        problem_id=problem.id,
        split=problem.split,
        keys=keys,
        programs=[sample.program_hash for sample in samples],
        normals=[normal.digest for normal in normals],
        feature_keys=[feature_key(prompt, sample.code) for sample in stands],
        features_of=[sample.program_hash for sample in stands],
        scalars=np.concatenate([np.array(own), among_facts(normals)], axis=1),
        logprobs=np.array([np.nan if s.logprob is None else s.logprob for s in samples]),
        tokens=np.array([float(sample.tokens) for sample in samples]),
        verdicts=verdicts,
    )


def sample_id(labelled: LabelledSample) -> int:
    """Give the store's id of a sample.

    Raises:
        ValueError: it does not come from the store.
    """
    if labelled.sample.id is None:
        raise ValueError("a labelled sample comes from the store and has an id")
    return labelled.sample.id
