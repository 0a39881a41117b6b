"""The synthetic domain as the fractal loop sees it."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from numpy.random import Generator

from trainers.fractal.domain import FLOOD, Judgement, Rendered, Suspect
from trainers.fractal.synthetic.diagnosis import Diagnosis
from trainers.fractal.synthetic.flood import flood
from trainers.fractal.synthetic.localise import PlacedStage, RootEvidence
from trainers.fractal.synthetic.model import SyntheticModel
from trainers.fractal.synthetic.programs import ChainProgram, Op, Root, Stage, SyntheticTask
from trainers.fractal.synthetic.verifier import nearness, verify
from trainers.synthetic_settings import SyntheticConfig

# A stage may be drafted longer than any in training, by this factor.
_LONGER = 2
# A chunk is not rendered anew where the chance that this helps is less.
_HOPELESS = 0.02
_ONE_CHUNK = ("local", "reroot", "restage", "redraft")
_SEVERAL_CHUNKS = ("restage", "redraft")
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
        self._diagnosis = Diagnosis(model.renderer)

    @property
    def anew(self) -> tuple[str, ...]:
        """None: to draft anew is an arm of a failing stage."""
        return ()

    @property
    def free(self) -> tuple[str, ...]:
        """None: every patch renders."""
        return ()

    def draft(
        self, task: SyntheticTask, count: int, rng: Generator, arm: str = FLOOD
    ) -> list[ChainProgram]:
        """See :class:`trainers.fractal.domain.Domain`; what was tried before is forgotten."""
        self._diagnosis.forget()
        return self._draft(task, count, rng)

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
            self._placed(task, program, number)
            for program, judgement in zip(programs, judged, strict=True)
            for number in self.failing(judgement)
        ]
        self._diagnosis.refuse(wrong)
        self._diagnosis.learn(wrong)
        return [
            self._ordered(task, program, judgement)
            for program, judgement in zip(programs, judged, strict=True)
        ]

    def localise(
        self, task: SyntheticTask, program: ChainProgram, judgement: Judgement
    ) -> list[Suspect]:
        """The roots of the stages whose test failed, by what the renderer holds against them."""
        config = self._config
        blamed = []
        for number in self.failing(judgement):
            stage = self._placed(task, program, number)
            weights = self._diagnosis.blames(stage, config.gain_weight, config.attention_weight)
            first = _first(program, number)
            blamed += [Suspect(first + place, weight) for place, weight in enumerate(weights)]
        return sorted(blamed, key=lambda suspect: -suspect.weight)

    def arms(
        self, task: SyntheticTask, program: ChainProgram, judgement: Judgement
    ) -> tuple[str, ...]:
        """``local`` first where one wrong chunk may be all that is wrong with a stage.

        While several stages are wrong no single patch can pass, so that no arm could show its
        worth: then the first is the only one.
        """
        failing = self.failing(judgement)
        hope = max((self._hope(task, program, number) for number in failing), default=0.0)
        arms = _ONE_CHUNK if hope >= self._config.single_fault else _SEVERAL_CHUNKS
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
            return self._draft(task, count, rng)
        number = program.stage_of(suspect.root)
        if arm == "restage":
            (stages,) = self._skeletons(task, (number,), count, rng)
            return [program.with_stages({number: one}, len(one) + 1) for one in stages]
        if arm == "reroot":
            ops = self._other_ops(task, program, suspect.root, count, rng)
            return [program.with_roots({suspect.root: Root(op)}, drafted=1) for op in ops]
        place = suspect.root - _first(program, number)
        if self._diagnosis.hopes(self._placed(task, program, number))[place] < _HOPELESS:
            return []
        guilty = Root(program.roots[suspect.root].op)
        return [program.with_roots({suspect.root: guilty})] * count

    def text(self, program: ChainProgram) -> str:
        """See :class:`trainers.fractal.domain.Domain`."""
        return program.text

    def blames(
        self, task: SyntheticTask, program: ChainProgram, stages: Sequence[int]
    ) -> dict[int, RootEvidence]:
        """The renderer's evidence against each root of some stages, by its index."""
        self._diagnosis.learn([self._placed(task, program, number) for number in stages])
        return {
            _first(program, number) + place: one
            for number in stages
            for place, one in enumerate(
                self._diagnosis.evidence(self._placed(task, program, number))
            )
        }

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
            score += _WRONG * self._hope(task, program, number)
            score += _NEAR * nearness(judgement.evidence[number])
        return replace(judgement, score=score / len(judgement.evidence))

    def _hope(self, task: SyntheticTask, program: ChainProgram, number: int) -> float:
        """The chance that one chunk is all that is wrong with a stage, by its likeliest root."""
        return max(self._diagnosis.hopes(self._placed(task, program, number)))

    def _placed(self, task: SyntheticTask, program: ChainProgram, number: int) -> PlacedStage:
        return task.values[number], task.values[number + 1], program.stages[number]

    def _draft(self, task: SyntheticTask, count: int, rng: Generator) -> list[ChainProgram]:
        stages = self._skeletons(task, range(task.stages), count, rng)
        return [
            ChainProgram(one, sum(len(stage) + 1 for stage in one))
            for one in zip(*stages, strict=True)
        ]

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
        place = index - _first(program, number)
        others = [op for op in Op if op is not ops[place]]
        changed = [[*ops[:place], op, *ops[place + 1 :]] for op in others]
        ends = (task.values[number], task.values[number + 1])
        chances = self._model.manager.likelihood(ends, changed).double().softmax(0).numpy()
        return [others[i] for i in rng.choice(len(others), count, p=chances / chances.sum())]


def _first(program: ChainProgram, number: int) -> int:
    """The index of a stage's first root."""
    return sum(len(stage) for stage in program.stages[:number])
