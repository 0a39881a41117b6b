"""Which pairs become samples: parse and bytecode checks, size, edits; and counts of the others."""

import warnings
from collections import Counter
from types import CodeType
from typing import Any

from trainers.ctm.data.difficulty import raw_difficulty
from trainers.ctm.data.edits import Edit
from trainers.ctm.data.grid import CTMGridEncoder, GridError
from trainers.ctm.data.lexemes import is_quote
from trainers.ctm.data.program import Program, repair_script, repaired
from trainers.ctm.data.sample import Facts, RepairSample, UnreachableError, make_sample
from trainers.ctm.data.taxonomy import BugClass, kind_of

Folded = tuple[Any, ...]
"""Bytecode and constants of a program, without names of files and line numbers."""


class RejectedError(Exception):
    """A pair that becomes no sample; the text is the reason, one of a few words."""


Drops = Counter[tuple[str, str, str]]
"""How many pairs were dropped, by source, class and reason."""


def folded(code: str) -> Folded | None:
    """Compile a program; None where it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _key(compile(code, "<program>", "exec", dont_inherit=True))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return None


def check_codes(bug_class: BugClass, buggy: Folded | None, fixed: Folded | None) -> None:
    """Check that a pair is what its class says.

    Raises:
        RejectedError: ``fixed does not compile``; a syntax bug ``compiles``; another bug ``does not
            compile`` or is ``the same program``.
    """
    if fixed is None:
        raise RejectedError("fixed does not compile")
    if bug_class == "syntax":
        if buggy is not None:
            raise RejectedError("compiles")
    elif buggy is None:
        raise RejectedError("does not compile")
    elif buggy == fixed:
        raise RejectedError("the same program")


def pair_sample(
    buggy: Program, fixed: Program, encoder: CTMGridEncoder, facts: Facts
) -> RepairSample:
    """Make the sample of a pair.

    Raises:
        RejectedError: ``the same lexemes``; ``too many edits``; ``not reproduced``: the edits made
            one by one do not give the sound program back; ``unreachable``: a lexeme can neither
            be named nor copied; ``fixed does not fit: ...`` or ``does not fit: ...``.
    """
    if buggy.values == fixed.values:
        raise RejectedError("the same lexemes")
    edits = repair_script(buggy, fixed)
    if edits is None:
        raise RejectedError("too many edits")
    if not _reproduces(buggy, fixed, edits):
        raise RejectedError("not reproduced")
    kind = kind_of(facts.operator, facts.bug_class)
    facts = Facts(**{**facts.__dict__, "raw": raw_difficulty(buggy, edits, kind)})
    try:
        encoder.pack(fixed)
    except GridError as error:
        raise RejectedError(f"fixed does not fit: {error.reason}") from error
    try:
        return make_sample(buggy, edits, encoder, facts)
    except GridError as error:
        raise RejectedError(f"does not fit: {error.reason}") from error
    except UnreachableError as error:
        raise RejectedError("unreachable") from error


def clean_sample(program: Program, encoder: CTMGridEncoder, facts: Facts) -> RepairSample:
    """Make the sample of a sound program: no edits.

    Raises:
        RejectedError: it does not fit.
    """
    try:
        return make_sample(program, [], encoder, facts)
    except GridError as error:
        raise RejectedError(f"does not fit: {error.reason}") from error


def _reproduces(buggy: Program, fixed: Program, edits: list[Edit[str]]) -> bool:
    after = repaired(buggy, edits)
    if not any(map(is_quote, after.values)) and after.values != fixed.values:
        return False
    return Program.of(after.render()).values == fixed.values


def _key(code: CodeType) -> Folded:
    constants = tuple(
        _key(one) if isinstance(one, CodeType) else (type(one).__name__, repr(one))
        for one in code.co_consts
    )
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
    return (code.co_name, code.co_code, constants, names, counts, code.co_exceptiontable)
