"""The issue that a person who met the bug would write: what was called, what came, what should."""

from random import Random

from sandbox import Call, Failure
from trainers.tasks.swe.injected.originals import Original

_LONG = 300
_OPENINGS = (
    "{name} gives a wrong result",
    "Wrong result of {name}",
    "{name}: unexpected result for some inputs",
    "{module}.{name} does not return what it should",
)
_CRASHES = (
    "{name} raises {error}",
    "{error} in {module}.{name}",
    "{name} fails with {error} for some inputs",
)


def issue_text(
    original: Original,
    failing: Call,
    failure: Failure,
    where: tuple[str, str],
    working: Call | None,
) -> str:
    """Write the issue for a call that fails, and name one that works.

    Args:
        original: the program as it was.
        failing: the call that shows the bug, with what it should give.
        failure: what the sandbox says of it.
        where: the function and the text of the line that raised; "" where nothing did.
        working: a call that still gives what it should, if there is one.
    """
    target = original.target
    called = f"{target.module}.{target.name}({_arguments(failing)})"
    rng = Random(called)  # the same bug is always told the same way
    names = {"name": f"{target.name}()", "module": target.module, "error": failure.type}
    if failure.type:
        text = [rng.choice(_CRASHES).format(**names).replace("()()", "()"), ""]
        text += ["Traceback (most recent call last):"]
        if where[0]:
            text += [f'  File "{original.path}", line {failure.line}, in {where[0]}']
            text += [f"    {where[1]}"]
        text += [f"{failure.type}: {failure.text}".removesuffix(": "), ""]
        text += [f"`{called}` should return {_short(failing.expected)}."]
    else:
        text = [rng.choice(_OPENINGS).format(**names), ""]
        gave = failure.text.removeprefix("gave ")
        text += [f"`{called}` returns {gave} but should return {_short(failing.expected)}."]
    if working is not None:
        fine = f"{target.name}({_arguments(working)})"
        text += [f"`{fine}` still returns {_short(working.expected)}, as it should."]
    return "\n".join(text) + "\n"


def _arguments(call: Call) -> str:
    return ", ".join(_short(argument) for argument in call.args)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
