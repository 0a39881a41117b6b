"""The synthetic domain as the fractal loop sees it."""

from collections.abc import Sequence
from dataclasses import replace
from math import exp, inf, log

import torch
from numpy.random import Generator

from trainers.fractal.domain import Judgement, Rendered, Suspect
from trainers.fractal.synthetic.config import SyntheticConfig
from trainers.fractal.synthetic.flood import flood
from trainers.fractal.synthetic.localise import PlacedStage, RootEvidence, evidence
from trainers.fractal.synthetic.model import SyntheticModel
from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, Stage, SyntheticTask
from trainers.fractal.synthetic.verifier import nearness, verify

# A stage may be drafted longer than any in training, by this factor.
_LONGER = 2
_REMEMBERED = 4_096  # stages whose evidence is kept
_ONE_CHUNK = ("local", "reroot", "restage", "redraft")
_SEVERAL_CHUNKS = ("restage", "reroot", "local", "redraft")
# What a wrong stage's score is at most: less than half of a right one's.
_WRONG, _NEAR = 0.4, 0.1


class SyntheticDomain:
    """Drafts with the Manager, renders by flood, verifies by arithmetic, blames by the renderer.

    Arms: ``local`` renders the guilty chunk anew; ``reroot`` gives it another operation first;
    ``restage`` drafts the guilty root's stage anew; ``redraft`` the whole program.
    Tokens: each root that is drafted, a stage's end root too, is one; a chunk is one for its symbol
    and one for each digit.
    """

    name = "synthetic"

    def __init__(self, model: SyntheticModel, config: SyntheticConfig) -> None:
        self._model, self._config = model, config
        self._most = _LONGER * model.difficulty.stage_roots
        self._known: dict[PlacedStage, list[RootEvidence]] = {}

    def draft(self, task: SyntheticTask, count: int, rng: Generator) -> list[ChainProgram]:
        """See :class:`trainers.fractal.domain.Domain`."""
        stages = self._skeletons(task, range(task.stages), count, rng)
        return [
            ChainProgram(one, sum(len(stage) + 1 for stage in one))
            for one in zip(*stages, strict=True)
        ]

    def render(
        self, task: SyntheticTask, programs: Sequence[ChainProgram], rng: Generator
    ) -> list[Rendered[ChainProgram]]:
        """See :class:`trainers.fractal.domain.Domain`."""
        return flood(self._model.renderer, task, programs, self._config.temperature, rng)

    def verify(self, task: SyntheticTask, programs: Sequence[ChainProgram]) -> list[Judgement]:
        """Judge by arithmetic; the order of programs that fail is the renderer's too.

        A stage that is wrong counts the more the surer the renderer is that one chunk is all that
        is wrong with it: such a program is one patch away, however far off its value is.
        """
        judged = [verify(task, program.text) for program in programs]
        wrong = [
            (program.stages[number], task.values[number], task.values[number + 1])
            for program, judgement in zip(programs, judged, strict=True)
            for number in self.failing(judgement)
        ]
        self._learn([(start, end, stage) for stage, start, end in wrong])
        return [
            self._ordered(task, program, judgement)
            for program, judgement in zip(programs, judged, strict=True)
        ]

    def localise(
        self, task: SyntheticTask, program: ChainProgram, judgement: Judgement
    ) -> list[Suspect]:
        """The roots of the stages whose test failed, by what the renderer holds against them."""
        config = self._config
        blamed = [
            Suspect(index, one.blame(config.gain_weight, config.attention_weight))
            for index, one in self.blames(task, program, self.failing(judgement)).items()
        ]
        return sorted(blamed, key=lambda suspect: -suspect.weight)

    def arms(
        self, task: SyntheticTask, program: ChainProgram, judgement: Judgement
    ) -> tuple[str, ...]:
        """``local`` first where the renderer thinks that one wrong chunk is all that is wrong.

        While several stages are wrong no single patch can pass, so that no arm could show its
        worth: then the first is the only one.
        """
        failing = self.failing(judgement)
        found = self.blames(task, program, failing)
        likeliest = max((one.sound for one in found.values()), default=-inf)
        arms = _ONE_CHUNK if likeliest >= log(self._config.single_fault) else _SEVERAL_CHUNKS
        return arms[:1] if len(failing) > 1 else arms

    def reopen(
        self,
        task: SyntheticTask,
        program: ChainProgram,
        judgement: Judgement,
        suspect: Suspect,
        arm: str,
        count: int,
        rng: Generator,
    ) -> list[ChainProgram]:
        """See :class:`trainers.fractal.domain.Domain`."""
        if arm == "redraft":
            return self.draft(task, count, rng)
        number = program.stage_of(suspect.root)
        if arm == "restage":
            (stages,) = self._skeletons(task, (number,), count, rng)
            return [program.with_stages({number: one}, len(one) + 1) for one in stages]
        if arm == "reroot":
            ops = self._other_ops(task, program, suspect.root, count, rng)
            return [program.with_roots({suspect.root: Root(op)}, drafted=1) for op in ops]
        guilty = Root(program.roots[suspect.root].op)
        return [program.with_roots({suspect.root: guilty})] * count

    def text(self, program: ChainProgram) -> str:
        """See :class:`trainers.fractal.domain.Domain`."""
        return program.text

    def blames(
        self, task: SyntheticTask, program: ChainProgram, stages: Sequence[int]
    ) -> dict[int, RootEvidence]:
        """The evidence against each root of some stages, by its index."""
        placed = {n: (task.values[n], task.values[n + 1], program.stages[n]) for n in stages}
        self._learn(list(placed.values()))
        found: dict[int, RootEvidence] = {}
        for number, one in placed.items():
            first = sum(len(stage) for stage in program.stages[:number])
            found |= {first + place: root for place, root in enumerate(self._known[one])}
        return found

    def failing(self, judgement: Judgement) -> tuple[int, ...]:
        """The stages whose test failed."""
        results = judgement.evidence or []
        return tuple(number for number, result in enumerate(results) if not result.passed)

    def _ordered(
        self, task: SyntheticTask, program: ChainProgram, judgement: Judgement
    ) -> Judgement:
        """The judgement with the renderer's view in its score."""
        failing = self.failing(judgement)
        if not failing:
            return judgement
        score = float(len(judgement.evidence) - len(failing))
        for number in failing:
            found = self.blames(task, program, (number,))
            likeliest = exp(max(one.sound for one in found.values()))
            score += _WRONG * likeliest + _NEAR * nearness(judgement.evidence[number])
        return replace(judgement, score=score / len(judgement.evidence))

    def _learn(self, stages: Sequence[PlacedStage]) -> None:
        """Ask the renderer, in one call, about the stages that it was not asked about yet."""
        new = list(dict.fromkeys(stage for stage in stages if stage not in self._known))
        if not new:
            return
        if len(self._known) > _REMEMBERED:
            known = [stage for stage in dict.fromkeys(stages) if stage in self._known]
            self._known = {stage: self._known[stage] for stage in known}
        found = evidence(self._model.renderer, new)
        self._known |= dict(zip(new, found, strict=True))

    def _skeletons(
        self, task: SyntheticTask, numbers: Sequence[int], count: int, rng: Generator
    ) -> list[list[Stage]]:
        """``count`` open stages for each of some stages of a task, all drafted together."""
        ends = [(task.values[n], task.values[n + 1]) for n in numbers for _ in range(count)]
        seed = torch.Generator().manual_seed(int(rng.integers(2**31)))
        drafted = self._model.manager.draft(ends, self._most, self._config.temperature, seed)
        stages = [tuple(Root(op) for op in ops) for ops in drafted]
        return [stages[i : i + count] for i in range(0, len(stages), count)]

    def _other_ops(
        self, task: SyntheticTask, program: ChainProgram, index: int, count: int, rng: Generator
    ) -> list[Op]:
        """Operations for a root other than its own, by the likelihood of the stage with them."""
        number = program.stage_of(index)
        ops = [root.op for root in program.stages[number]]
        place = index - sum(len(stage) for stage in program.stages[:number])
        others = [op for op in Op if op is not ops[place]]
        changed = [[*ops[:place], op, *ops[place + 1 :]] for op in others]
        ends = (task.values[number], task.values[number + 1])
        chances = self._model.manager.likelihood(ends, changed).double().softmax(0).numpy()
        return [others[i] for i in rng.choice(len(others), count, p=chances / chances.sum())]
