"""The prompt templates, versioned, and how a program is cut out of what a model answered.

Changing a template's text means raising its version: each sample is stored with it.
"""

import ast
import re
from collections.abc import Sequence

from memory.records import ProblemRow
from trainers.generators.base import Message

PROMPT_VERSION = "v1"
INPUTS_PROMPT_VERSION = "inputs/v1"
REPAIR_PROMPT_VERSION = "repair/v1"
_SYSTEM = "You are a careful Python programmer."
_FENCE = re.compile(r"^[ \t]*```[ \t]*([A-Za-z0-9_+-]*)[^\n`]*$", re.MULTILINE)
# A fence at the end of a line of prose or code, as small models write them.
_LATE_FENCE = re.compile(r"(?<=[^\s`])[ \t]*```[ \t]*([A-Za-z0-9_+-]*)[ \t]*$", re.MULTILINE)
_PYTHON = {"", "python", "python3", "py"}


def protocol_id(prompt_kind: str) -> str:
    """The identity of a template, e.g. ``visible1/v1``: what samples are stored with."""
    return f"{prompt_kind}/{PROMPT_VERSION}"


def solve_prompt(problem: ProblemRow, prompt_kind: str) -> tuple[Message, ...]:
    """The chat that asks for a solution.

    Args:
        problem: what is to be solved; its hidden tests are not looked at.
        prompt_kind: ``visible1`` shows one of ``visible_tests``, ``seed`` shows them all.
    """
    shown = shown_tests(problem, prompt_kind)
    parts = [problem.statement.strip()]
    if problem.stub:
        parts.append(f"Begin with:\n```python\n{problem.stub.strip()}\n```")
    else:
        parts.append(f"Name the function `{problem.entry_point}`.")
    if shown:
        noun = "this test" if len(shown) == 1 else "these tests"
        parts.append(f"Your code must pass {noun}:\n" + "\n".join(shown))
    parts.append("Answer with one Python code block that holds the whole program, without tests.")
    return Message("system", _SYSTEM), Message("user", "\n\n".join(parts))


def shown_tests(problem: ProblemRow, prompt_kind: str) -> tuple[str, ...]:
    """The asserts that a prompt of this kind shows beside the statement."""
    return problem.visible_tests if prompt_kind == "seed" else problem.visible_tests[:1]


def inputs_prompt(problem: ProblemRow, prompt_kind: str, count: int = 12) -> tuple[Message, ...]:
    """The chat that asks for ``count`` further calls of the function, without their results.

    It shows of the problem what :func:`solve_prompt` does, and nothing else.
    """
    name, shown = problem.entry_point, shown_tests(problem, prompt_kind)
    parts = [problem.statement.strip(), f"The function is `{name}`."]
    if problem.stub:
        parts.append(f"It begins with:\n```python\n{problem.stub.strip()}\n```")
    if shown:
        parts.append("Examples of how it is called:\n" + "\n".join(shown))
    parts.append(
        f"Do not write the function. Write {count} calls of `{name}` with other arguments to try "
        "it on, one a line: ordinary ones, and edge cases such as empty, single, repeated, "
        "negative, zero, and large values. Write every argument out as a literal of the same "
        "type as above, and no expected results."
    )
    return Message("system", _SYSTEM), Message("user", "\n\n".join(parts))


def repair_prompt(
    problem: ProblemRow, prompt_kind: str, code: str, failure: str
) -> tuple[Message, ...]:
    """The chat that asks for a whole program in the place of one that fails.

    It shows of the problem what :func:`solve_prompt` does, the program, and how it fails.
    """
    asked = solve_prompt(problem, prompt_kind)
    answer = Message("assistant", f"```python\n{code.strip()}\n```")
    told = (
        f"That is wrong: {failure}\n\nSay in one line of a comment what the mistake is, then give "
        "the whole corrected program in one Python code block, without tests."
    )
    return *asked, answer, Message("user", told)


def recall_prompt(
    problem: ProblemRow, prompt_kind: str, solved: Sequence[tuple[ProblemRow, str]]
) -> tuple[Message, ...]:
    """The chat that asks for a solution after others were asked for and given.

    Args:
        problem: what is to be solved.
        prompt_kind: see :func:`solve_prompt`, for all of them.
        solved: train problems and programs that pass their tests, the nearest last.
    """
    system, asked = solve_prompt(problem, prompt_kind)
    turns: list[Message] = []
    for other, code in solved:
        turns += [
            solve_prompt(other, prompt_kind)[1],
            Message("assistant", f"```python\n{code.strip()}\n```"),
        ]
    return system, *turns, asked


def infill_preamble(problem: ProblemRow, prompt_kind: str) -> str:
    """What stands before a program whose middle is to be written: the task as comments.

    It shows of the problem what :func:`solve_prompt` does.
    """
    text = "\n".join([problem.statement.strip(), *shown_tests(problem, prompt_kind)])
    return "".join(f"# {line}\n" for line in text.splitlines()) + "\n"


def extract_code(completion: str, problem: ProblemRow) -> str:
    """The program in an answer: its code blocks, or all of it where there are none.

    Of several Python blocks the first that defines the entry point is taken, else the first. A
    block that was cut by the token limit counts up to its end. Where the answer goes on from the
    problem's stub, or leaves out the imports and helpers that the stub gives, these are put before.
    """
    text = _LATE_FENCE.sub(r"\n```\1", completion.replace("\r\n", "\n"))
    blocks = _blocks(text)
    defining = re.compile(rf"^\s*(?:async\s+)?def\s+{re.escape(problem.entry_point)}\b", re.M)
    code = next((block for block in blocks if defining.search(block)), None)
    if code is None:
        code = blocks[0] if blocks else text
    return _with_stub(code.strip("\n"), problem, bool(defining.search(code)))


def _blocks(text: str) -> list[str]:
    """The texts between Python fences, in order; a last one may be open."""
    blocks: list[str] = []
    opened: tuple[int, str] | None = None
    for fence in _FENCE.finditer(text):
        language = fence.group(1).lower()
        if opened is None:
            opened = (fence.end() + 1, language)
        else:
            if opened[1] in _PYTHON:
                blocks.append(text[opened[0] : fence.start()])
            opened = None
    if opened is not None and opened[1] in _PYTHON:
        blocks.append(text[opened[0] :])
    return blocks


def _with_stub(code: str, problem: ProblemRow, defines: bool) -> str:
    """The code with what the problem gives before it (HumanEval's imports and helpers)."""
    given = str(problem.metadata.get("prompt", "")) or problem.stub
    if not given.strip():
        return code
    if not defines:
        return f"{given.rstrip()}\n{code}" if _is_body(code) else code
    preamble = _preamble(given, problem.entry_point)
    return f"{preamble}\n\n{code}" if preamble and preamble not in code else code


def _is_body(code: str) -> bool:
    """True when the text is the indented inside of a function."""
    first = next((line for line in code.splitlines() if line.strip()), "")
    return first[:1] in (" ", "\t")


def _preamble(given: str, entry_point: str) -> str:
    """What stands in the problem's own prompt before the function that is asked for."""
    last = given.rstrip().rpartition("\n")[2]
    # A method's body is deeper than its own line, which ends the stub.
    inside = last[: len(last) - len(last.lstrip())] * last.endswith(":") + "    "
    source = given if last.endswith(('"""', "'''")) else f"{given.rstrip()}\n{inside}pass"
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return ""
    for node in tree.body:
        inside_of = node.body if isinstance(node, ast.ClassDef) else []
        if any(_is_function(one, entry_point) for one in (node, *inside_of)):
            return "\n".join(source.splitlines()[: node.lineno - 1]).strip()
    return ""


def _is_function(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
