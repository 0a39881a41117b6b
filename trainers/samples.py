"""How samples are keyed and how many of a problem are wanted: shared by all stages that sample."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from memory.records import ProblemRow
from memory.store import Store
from trainers.config import GeneratorConfig
from trainers.generators.prompts import protocol_id


@dataclass(frozen=True)
class Want:
    """``count`` samples are to exist of a problem in all, indexes 0 to count - 1."""

    problem: ProblemRow
    count: int


@dataclass(frozen=True)
class SampleSource:
    """What samples are keyed by beside the problem: who wrote them, asked how."""

    generator_id: str
    protocol: str
    params: dict[str, Any]
    params_hash: str

    @classmethod
    def of(cls, generator_id: str, prompt_kind: str, config: GeneratorConfig) -> "SampleSource":
        """Describe a generator's samples; seeds are no part of it, so that later ones add up."""
        params = {
            "temperature": config.temperature,
            "top_p": config.top_p,
            "max_tokens": config.max_tokens,
        }
        digest = hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()[:16]
        return cls(generator_id, protocol_id(prompt_kind), params, digest)


def missing_indexes(
    store: Store, wants: Sequence[Want], source: SampleSource
) -> dict[str, list[int]]:
    """Find per problem id the sample indexes that are wanted and not stored, if any."""
    stored = store.sample_indexes(
        [want.problem.id for want in wants],
        source.generator_id,
        source.protocol,
        source.params_hash,
    )
    missing = {
        want.problem.id: [i for i in range(want.count) if i not in stored.get(want.problem.id, ())]
        for want in wants
    }
    return {problem_id: indexes for problem_id, indexes in missing.items() if indexes}


def program_hash(code: str) -> str:
    """Give the SHA-256 of a program's text."""
    return hashlib.sha256(code.encode()).hexdigest()
