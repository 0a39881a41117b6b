"""The ways to patch a Python program: what is opened, and how the middle is cut to size."""

from collections.abc import Sequence
from dataclasses import dataclass

from memory.records import ProblemRow
from sandbox import Failure, Word
from trainers.fractal.python.program import Opening, PythonProgram
from trainers.fractal.python.roots import Root, function_end
from trainers.generators.base import Infill, Request
from trainers.generators.prompts import (
    infill_preamble,
    recall_prompt,
    repair_prompt,
    solve_prompt,
)

INFILL, REST, REWRITE, RESAMPLE, RECALL, EDIT, CTM = (
    "infill",
    "rest",
    "rewrite",
    "resample",
    "recall",
    "edit",
    "ctm",
)
"""Only the guilty span; all from it to the function's end; the whole program with what is wrong
said; a fresh sample; a fresh one after like problems and what solved them; a learned edit, which
no model writes; the edits of a Continuous Thought Machine."""

EDITS = (EDIT, CTM)
"""The arms of editors, which render no token."""


@dataclass(frozen=True)
class Asker:
    """Makes the openings of one problem's programs. ``solved``: problems like it, nearest last."""

    problem: ProblemRow
    prompt_kind: str
    solved: Sequence[tuple[ProblemRow, str]] = ()

    def fresh(self, arm: str) -> PythonProgram:
        """A program of which nothing is written; after solved ones where there are any."""
        prompt = (
            recall_prompt(self.problem, self.prompt_kind, self.solved)
            if self.solved
            else solve_prompt(self.problem, self.prompt_kind)
        )
        return PythonProgram("", opening=Opening(Request(arm, prompt)), change=arm)

    def open(
        self, program: PythonProgram, root: Root, arm: str, failed: str
    ) -> PythonProgram | None:
        """The program with what the arm renders again open; None where the arm does not fit."""
        if arm == REWRITE:
            prompt = repair_prompt(self.problem, self.prompt_kind, program.code, failed)
            return program.opened(Opening(Request(REWRITE, prompt)), REWRITE)
        code, start = program.code, root.start
        end = function_end(code, root) if arm == REST else root.end
        if root.kind == "tail":
            end = len(code)
        preamble = infill_preamble(self.problem, self.prompt_kind)
        infill = Infill(arm, preamble + code[:start], code[end:])
        whole = arm == REST or root.kind == "tail"
        return program.opened(Opening(infill, start, end, root.indent, whole), arm)


def infill_stops(program: PythonProgram) -> tuple[str, ...]:
    """Where an engine may stop: what belongs in the span never goes on over these.

    A small model writes on beyond the span, mostly with the suffix itself.
    """
    opening = program.opening
    assert opening is not None, "nothing is open"
    stops = ["\n```", "\n\n\n", "\nclass ", "\nif __name__", "\n#", "\nprint("]
    if not opening.whole:
        stops += ["\n\n", "\ndef "]
        if following := _following(opening):
            stops.append(f"\n{following}")
        if is_header(program):
            stops.append("\n")
    return tuple(stops)


def is_header(program: PythonProgram) -> bool:
    """True where the span ends with a colon on its first line: the body below stays."""
    at = program.opening
    assert at is not None, "nothing is open"
    return not at.whole and program.code[at.start : at.end].rstrip().endswith(":")


def _following(opening: Opening) -> str | None:
    """The first line of what comes after the span."""
    suffix = opening.request.suffix if isinstance(opening.request, Infill) else ""
    # What is left of the span's own last line is no line.
    return next((line for line in suffix.split("\n")[1:] if line.strip()), None)


def cut_middle(middle: str, opening: Opening, header: bool) -> str:
    """The part of an infilled text that belongs in the span: a small model writes on beyond it.

    A statement ends where a line is less indented than it, or where text at its own depth follows
    what ``whole`` does not ask for: lines that the suffix has already, a fence, a comment of
    explanation, another definition.
    """
    lines = middle.split("\n")
    kept = [lines[0]]
    following = _following(opening)
    for line in lines[1:]:
        text = line.strip()
        depth = len(line) - len(line.lstrip(" "))
        if text.startswith("```") or (text and depth < opening.indent):
            break
        if following is not None and line.rstrip() == following.rstrip():
            break
        if header:
            break
        kept.append(line)
    return "\n".join(kept).rstrip()


def what_failed(word: Word, failure: Failure | None, shown: tuple[str, ...], index: int) -> str:
    """How a program fails, in the words of a test run; ``index`` of the test in ``shown``."""
    test = shown[index] if index < len(shown) else ""
    on = f"`{test}`" if test else "a test"
    if word is Word.SYNTAX_ERROR:
        text = failure.text if failure else "invalid syntax"
        return f"it does not parse ({text})."
    if word is Word.TIMEOUT:
        return f"on {on} it runs forever."
    if failure is None:
        return f"it fails {on}."
    if failure.type:
        where = f" at line {failure.line}" if failure.line else ""
        return f"on {on} it raises {failure.type}: {failure.text}{where}."
    return f"{on} fails: it {failure.text}."
