"""Real Python as a domain of the loop: a code model renders, the sandbox verifies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from numpy.random import Generator as Rng

from memory.records import ProblemRow
from sandbox import Sandbox, Tests, Verdict
from trainers.fractal.domain import FLOOD, Judgement, Rendered, Suspect
from trainers.fractal.python.judge import SEARCH, Judge
from trainers.fractal.python.localise import Blame, Evidence, suspects
from trainers.fractal.python.partners import Editor
from trainers.fractal.python.patches import (
    EDIT,
    EDITS,
    INFILL,
    RECALL,
    RESAMPLE,
    REST,
    REWRITE,
    Asker,
    cut_middle,
    infill_stops,
    is_header,
    what_failed,
)
from trainers.fractal.python.program import PythonProgram, surprise_of
from trainers.fractal.python.roots import roots_of
from trainers.generators.base import Completion, Infill, Request, SamplingParams
from trainers.generators.prompts import extract_code, shown_tests

INFILL_TOKENS = 128


class Writer(Protocol):
    """A generator that several loops may ask at once."""

    def write(
        self, requests: Sequence[Request | Infill], params: SamplingParams
    ) -> list[Completion]:
        """All completions, in the order of the requests."""


@dataclass(frozen=True)
class PythonTask:
    """A problem and the tests that the loop may run: visible ones, or in training the hidden."""

    problem: ProblemRow
    tests: Tests


@dataclass
class PythonDomain:
    """See :class:`trainers.fractal.domain.Domain`. ``params``: of sampling whole programs."""

    writer: Writer
    sandbox: Sandbox
    prompt_kind: str
    params: SamplingParams
    editors: Mapping[str, Editor] = field(default_factory=dict)
    recall: Callable[[ProblemRow], Sequence[tuple[ProblemRow, str]]] | None = None
    blame: Blame = field(default_factory=Blame)
    arms_wanted: tuple[str, ...] = (INFILL, REST, REWRITE, RESAMPLE, RECALL, *EDITS)
    name: str = "python"

    @property
    def anew(self) -> Sequence[str]:
        """See the protocol: fresh samples, and those after problems that were solved."""
        able = (RESAMPLE,) if self.recall is None else (RESAMPLE, RECALL)
        return [arm for arm in able if arm in self.arms_wanted]

    @property
    def free(self) -> Sequence[str]:
        """See the protocol: the learned edits that there are."""
        return [arm for arm in EDITS if arm in self.editors and arm in self.arms_wanted]

    def draft(
        self, task: PythonTask, count: int, rng: Rng, arm: str = FLOOD
    ) -> Sequence[PythonProgram]:
        """See the protocol: the draft is the generator's, its roots are known once it is there."""
        solved = self.recall(task.problem) if self.recall is not None and arm == RECALL else ()
        return [Asker(task.problem, self.prompt_kind, solved).fresh(arm)] * count

    def render(
        self, task: PythonTask, programs: Sequence[PythonProgram], rng: Rng
    ) -> list[Rendered[PythonProgram]]:
        """See the protocol. Whole programs and middles are asked for together."""
        params = replace(self.params, seed=int(rng.integers(2**31)), pieces=True)
        closed = [Rendered(program, 0) for program in programs if program.opening is None]
        open_ = [program for program in programs if program.opening is not None]
        whole = [p for p in open_ if isinstance(_request(p), Request)]
        parts = [p for p in open_ if isinstance(_request(p), Infill)]
        short = replace(params, max_tokens=INFILL_TOKENS)
        found = self._write(
            task,
            [(p, params) for p in whole]
            + [(p, replace(short, stop=infill_stops(p))) for p in parts],
        )
        return closed + found

    def verify(self, task: PythonTask, programs: Sequence[PythonProgram]) -> list[Judgement]:
        """See the protocol."""
        return self._judge(task).judgements([program.code for program in programs])

    def localise(
        self, task: PythonTask, program: PythonProgram, judgement: Judgement
    ) -> list[Suspect]:
        """See the protocol."""
        evidence = self._evidence(task, program, judgement)
        return suspects(program, roots_of(program.code), evidence, self.blame)

    def arms(self, task: PythonTask, program: PythonProgram, judgement: Judgement) -> Sequence[str]:
        """See the protocol; a learned edit needs a program that parses."""
        unable = {RESAMPLE, RECALL, *(arm for arm in EDITS if arm not in self.editors)}
        if judgement.kind == "syntax_error":
            unable.add(EDIT)
        return [arm for arm in self.arms_wanted if arm not in unable]

    def reopen(
        self,
        task: PythonTask,
        program: PythonProgram,
        judgement: Judgement,
        suspect: Suspect,
        arm: str,
        count: int,
        rng: Rng,
    ) -> Sequence[PythonProgram]:
        """See the protocol."""
        if arm in EDITS:
            return self._edited(arm, task, program, judgement)
        root = roots_of(program.code)[suspect.root]
        opened = Asker(task.problem, self.prompt_kind).open(
            program, root, arm, self._failed(task, judgement)
        )
        return [] if opened is None else [opened] * count

    def text(self, program: PythonProgram) -> str:
        """See the protocol."""
        return program.code

    def _write(
        self, task: PythonTask, asked: Sequence[tuple[PythonProgram, SamplingParams]]
    ) -> list[Rendered[PythonProgram]]:
        if not asked:
            return []
        requests = [
            replace(_request(program), params=params, seed=(params.seed + place) % 2**31)
            for place, (program, params) in enumerate(asked)
        ]
        answers = self.writer.write(requests, asked[0][1])
        found = []
        lost = 0
        for (program, _), answer in zip(asked, answers, strict=True):
            part = isinstance(_request(program), Infill)
            made = (self._part if part else self._whole)(task, program, answer)
            if made is None:
                lost += answer.tokens
            else:
                found.append(Rendered(made, answer.tokens))
        if lost and found:  # what came to nothing has its cost too
            found[0] = Rendered(found[0].program, found[0].tokens + lost)
        return found

    def _whole(
        self, task: PythonTask, program: PythonProgram, answer: Completion
    ) -> PythonProgram | None:
        text = answer.text.encode("utf-8", "replace").decode()
        code = extract_code(text, task.problem)
        if not code.strip():
            return None
        return PythonProgram(
            code,
            surprise_of(code, text, answer.pieces),
            change=program.change,
            tokens=answer.tokens,
            logprob=answer.logprob,
        )

    def _part(
        self, task: PythonTask, program: PythonProgram, answer: Completion
    ) -> PythonProgram | None:
        assert program.opening is not None
        text = answer.text.encode("utf-8", "replace").decode()
        middle = cut_middle(text, program.opening, is_header(program))
        made = program.filled(middle, answer.pieces, answer.tokens, answer.logprob)
        return made if made.code.strip() and made.code != program.code else None

    def _edited(
        self, arm: str, task: PythonTask, program: PythonProgram, judgement: Judgement
    ) -> Sequence[PythonProgram]:
        evidence = self._evidence(task, program, judgement)
        editor = self.editors[arm]
        codes = editor.edits(program.code, task.problem.statement, evidence, EDITS_A_PATCH)
        return [
            PythonProgram(code, change=arm, tokens=program.tokens, logprob=program.logprob)
            for code in codes
        ]

    def _judge(self, task: PythonTask) -> Judge:
        return Judge(self.sandbox, task.tests, SEARCH)

    def _evidence(self, task: PythonTask, program: PythonProgram, judgement: Judgement) -> Evidence:
        verdict: Verdict = judgement.evidence
        return self._judge(task).evidence(program.code, verdict)

    def _failed(self, task: PythonTask, judgement: Judgement) -> str:
        verdict: Verdict = judgement.evidence
        shown = shown_tests(task.problem, self.prompt_kind)
        call = verdict.failure.call if verdict.failure and verdict.failure.call else 0
        return what_failed(verdict.word, verdict.failure, shown, call)


EDITS_A_PATCH = 64
"""Learned edits that are run at a time: no model writes them, the sandbox has hundreds a second."""


def _request(program: PythonProgram) -> Request | Infill:
    assert program.opening is not None
    return program.opening.request
