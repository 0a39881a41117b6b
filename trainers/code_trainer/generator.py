"""CodeGenerator: factorise, recall, generate within the task's words, verify (seed: §3.1).

Where the seed took the likeliest token when none was verified, a step that is rejected is given up
here, and a search that ends with nothing ends with no patch.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from memory.hologram.resonant_generator import Generation
from trainers.code_trainer.code_resonator import CodeResonator
from trainers.code_trainer.code_tokens import words
from trainers.code_trainer.decoding import Decoding
from trainers.code_trainer.diffs import patches_of
from trainers.code_trainer.edit_script import MAX_NEW, EditScript, Window, file_after, window_of
from trainers.code_trainer.expectation import BagResonantGenerator, TokenExpectation
from trainers.code_trainer.fusion import Priors
from trainers.code_trainer.locations import Locations
from trainers.code_trainer.network import CodeGeneratorNetwork
from trainers.code_trainer.patch_vectors import PatchVectors
from trainers.code_trainer.patches import CodePatchResult, Level, PatchResult
from trainers.code_trainer.prompt import prompt_of
from trainers.code_trainer.regions import OPERATIONS, Operation
from trainers.code_trainer.verification import verify
from trainers.code_trainer.vocabulary import TaskVocabulary, issue_words


@dataclass(frozen=True)
class RecalledPattern:
    """What memory says of an issue: a pattern of past patches.

    ``index``: its output of the network's pattern head, None where it has none. ``tokens``: what
    patches of it were written with. ``sources``: the tasks it comes from.
    """

    label: str
    probability: float
    index: int | None = None
    tokens: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


Recall = Callable[[Tensor, float | None], Sequence[RecalledPattern]]
"""What memory says of an issue's vector from before a time (Unix seconds; None: of all times)."""


@dataclass(frozen=True)
class TaskContext:
    """What a patch may be made of.

    Attributes:
        issue_text: the issue.
        texts: by path, the files that may be changed.
        files: all paths of the tree, the FILE vocabulary; empty means those of ``texts``.
        definitions: names that the repository defines, the likeliest first.
        priors: log probabilities by role and name, from localisation (``CodeResonator``).
        locations: by path, the locations to consider; a path that it lacks has all of its text's.
        before: the memory tells of earlier tasks only (Unix seconds); None: of all.
    """

    issue_text: str
    texts: Mapping[str, str]
    files: Sequence[str] = ()
    definitions: Sequence[str] = ()
    priors: Priors = field(default_factory=dict)
    locations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    before: float | None = None


@dataclass(frozen=True)
class GeneratorSettings:
    """How widely to search.

    ``factors``: (operation, file, location) tried; ``spans`` for each; ``sequences`` for each span;
    ``vocabulary``: the most tokens; ``threshold`` of the tokens' verification, calibrated.
    """

    factors: int = 4
    spans: int = 3
    sequences: int = 2
    beam: int = 4
    backtracks: int = 8
    vocabulary: int = 1_000
    threshold: float = 0.2
    weight: float = 1.0


@dataclass(frozen=True)
class _Candidate:
    after: str
    log_probability: float
    script: EditScript
    generation: Generation


class CodeGenerator:
    """Makes patches of an issue with evidence; an empty list is its answer where it has none."""

    def __init__(
        self,
        network: CodeGeneratorNetwork,
        resonator: CodeResonator,
        expectation: TokenExpectation,
        settings: GeneratorSettings | None = None,
        *,
        recall: Recall | None = None,
        calibrate: Callable[[float], float] | None = None,
    ) -> None:
        """Put the parts together; all use the resonator's codebook.

        Args:
            network: writes edit scripts.
            resonator: says which operation, file and location.
            expectation: says which tokens are to be expected.
            settings: how widely to search.
            recall: patterns of past patches for an issue's vector.
            calibrate: from a product of probabilities to the share of such patches that is right.
        """
        self._network = network.eval()
        self._resonator, self._expectation = resonator, expectation
        self._settings = settings or GeneratorSettings()
        self._recall, self._calibrate = recall, calibrate
        self._vectors = PatchVectors(resonator.codebook)
        self._tokens = BagResonantGenerator(
            resonator.codebook,
            threshold=self._settings.threshold,
            weight=self._settings.weight,
            beam=self._settings.beam,
            max_backtracks=self._settings.backtracks,
        )

    def generate(self, issue: Tensor, context: TaskContext, results: int = 10) -> list[PatchResult]:
        """Up to ``results`` different patches: verified ones first, then by confidence.

        Args:
            issue: (D,), the issue's vector.
            context: what a patch may be made of.
            results: how many.

        Raises:
            TrainerError: nothing was learned, or the context has no file with a location.
        """
        where = {path: Locations(text) for path, text in context.texts.items()}
        names = {path: context.locations.get(path) or where[path].all() for path in where}
        factors = self._resonator.resonate_topk(
            issue, {"FILE": list(names), "LOCATION": names}, self._settings.factors, context.priors
        )
        recalled = self._recall(issue, context.before) if self._recall else ()
        found: dict[tuple[str, str], PatchResult] = {}
        for wish in factors:
            window = window_of(context.texts[wish.file], wish.location, where[wish.file])
            if window is None:
                continue
            vocabularies = {
                "OPERATION": OPERATIONS,
                "FILE": list(context.files or names),
                "LOCATION": where[wish.file].all(),
            }
            for candidate in self._candidates(issue, context, wish, window, recalled):
                result = self._result(context, wish, candidate, recalled, vocabularies)
                key = (wish.file, candidate.after)
                if result and (key not in found or found[key].confidence < result.confidence):
                    found[key] = result
        ranked = sorted(found.values(), key=lambda r: (not r.verification_passed, -r.confidence))
        return ranked[:results]

    def _candidates(
        self,
        issue: Tensor,
        context: TaskContext,
        wish: CodePatchResult,
        window: Window,
        recalled: Sequence[RecalledPattern],
    ) -> Iterable[_Candidate]:
        """The scripts in one window whose every token was expected, with the texts they give."""
        text = context.texts[wish.file]
        vocabulary = TaskVocabulary(
            window.words,
            words(text),
            issue_words(context.issue_text),
            context.definitions,
            self._settings.vocabulary,
        )
        decoding = Decoding(
            self._network,
            prompt_of(issue, window, vocabulary),
            vocabulary,
            self._pattern_weights(recalled),
        )
        weights = recalled_tokens(recalled)
        expected = self._expectation.bundle(self._resonator.codebook, vocabulary, weights)
        operation = _operation(wish.operation)
        for start, end, log_span in decoding.spans(operation, self._settings.spans):

            def propose(
                tokens: tuple[str, ...], start: int = start, end: int = end
            ) -> list[tuple[str, float]]:
                return decoding.propose(operation, start, end, tokens)

            for one in self._tokens.generate(
                propose, expected, max_tokens=MAX_NEW, results=self._settings.sequences
            ):
                script = EditScript(operation, start, end, one.tokens)
                after = file_after(text, window, script)
                if after != text:
                    yield _Candidate(after, log_span + one.log_probability, script, one)

    def _result(
        self,
        context: TaskContext,
        wish: CodePatchResult,
        candidate: _Candidate,
        recalled: Sequence[RecalledPattern],
        vocabularies: Mapping[str, Sequence[str]],
    ) -> PatchResult | None:
        """The patch of a candidate with its evidence; None where the file would not parse."""
        before = {wish.file: context.texts[wish.file]}
        patches = patches_of(before, {wish.file: candidate.after})
        passed, level = verify(patches, before, wish, self._vectors, vocabularies)
        if not passed and level in {"none", "applies"}:
            return None
        probability = wish.probability * math.exp(candidate.log_probability)
        return PatchResult(
            patches=tuple(patches),
            confidence=self._calibrate(probability) if self._calibrate else probability,
            verification_passed=passed,
            verified_by=level,
            evidence=_evidence(wish, candidate, recalled, level, self._settings.threshold),
        )

    def _pattern_weights(self, recalled: Sequence[RecalledPattern]) -> Tensor | None:
        """What was recalled as weights of the pattern head; None where nothing there was."""
        size = self._network.spec.patterns
        weights = torch.zeros(size)
        for pattern in recalled:
            if pattern.index is not None and pattern.index < size:
                weights[pattern.index] += pattern.probability
        return weights / weights.sum() if bool(weights.any()) else None


def recalled_tokens(recalled: Sequence[RecalledPattern]) -> dict[str, float]:
    """The tokens of recalled patterns with the patterns' summed probabilities."""
    weights: dict[str, float] = {}
    for pattern in recalled:
        for token in set(pattern.tokens):
            weights[token] = weights.get(token, 0.0) + pattern.probability
    return weights


def _operation(name: str) -> Operation:
    return OPERATIONS[OPERATIONS.index(name)]


def _evidence(
    wish: CodePatchResult,
    candidate: _Candidate,
    recalled: Sequence[RecalledPattern],
    level: Level,
    threshold: float,
) -> dict[str, Any]:
    """What speaks for a patch, as JSON."""
    script, generation = candidate.script, candidate.generation
    return {
        "factors": wish.factors,
        "factor_probabilities": dict(wish.confidences),
        "span": [script.start, script.end],
        "tokens": [
            {"token": token, "support": round(support, 4)}
            for token, support in zip((*script.tokens, "<END>"), generation.supports, strict=True)
        ],
        "threshold": threshold,
        "log_probability": candidate.log_probability,
        "backtracks": generation.backtracks,
        "patterns": [
            {"label": one.label, "probability": one.probability, "sources": list(one.sources)}
            for one in recalled
        ],
        "verified_by": level,
    }
