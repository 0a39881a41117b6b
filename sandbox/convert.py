"""Data sets' tests to :class:`Tests`: data mode where exact, else split mode, and why.

An assert is exact as data when it compares one call of the candidate, on constant arguments, with a
constant: ``f(1) == 2``, ``not f([])``, ``sorted(f(x)) == y``, ``abs(f(x) - y) < 1e-6``,
``math.isclose(f(x), y)``. If one assert of a problem is not, the whole problem is split, since
asserts of one problem may depend on each other.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Mapping, Sequence

from sandbox.codec import NotDataError, encode
from sandbox.errors import ConversionError
from sandbox.fold import NotConstant, fold
from sandbox.types import VIA, Call, Compare, Tests

_Names = Mapping[str, ast.expr]


def from_asserts(
    asserts: Sequence[str], *, entry_point: str | None = None, setup_code: str = ""
) -> Tests:
    """Make tests from assert statements, as MBPP has them.

    ``entry_point`` of None is the function that the asserts call most. ``setup_code`` runs before
    the asserts; if there is any, the problem is split.

    Raises:
        ConversionError: an assert is no Python, or there is none.
    """
    trees = [_parsed(text) for text in asserts]
    entry = entry_point or _called_most(trees)
    if setup_code.strip() and not _only_imports(setup_code):
        reason = "set-up code makes what the tests use"
    else:
        try:
            statements = [statement for tree in trees for statement in tree.body]
            calls = _calls(statements, {}, entry, {entry})
            return Tests("data", entry, calls=calls, reason="calls on constants")
        except NotConstant as why:
            reason = str(why)
    return Tests("split", entry, setup_code=setup_code, test_code="\n".join(asserts), reason=reason)


def from_check(test_source: str, entry_point: str, *, prompt: str = "") -> Tests:
    """Make tests from a ``check(candidate)`` function, as HumanEval has them.

    ``prompt`` may define helpers that the check calls; the tests get them.

    Raises:
        ConversionError: the source is no Python or defines no ``check``.
    """
    tree = _parsed(test_source)
    check = next(
        (s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "check"), None
    )
    if check is None or len(check.args.args) != 1:
        raise ConversionError("the test source defines no check(candidate)")
    try:
        names = {check.args.args[0].arg, entry_point}
        return Tests(
            "data",
            entry_point,
            calls=_calls(check.body, {}, entry_point, names),
            reason="calls on constants",
        )
    except NotConstant as why:
        reason = str(why)
    return Tests(
        "split",
        entry_point,
        setup_code=_helpers(prompt, entry_point),
        test_code=f"{test_source}\n\ncheck({entry_point})\n",
        reason=reason,
    )


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise ConversionError(f"a test is no Python: {error}: {text[:80]!r}") from error


def _only_imports(source: str) -> bool:
    return all(isinstance(s, (ast.Import, ast.ImportFrom)) for s in _parsed(source).body)


def _called_most(trees: list[ast.Module]) -> str:
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    own = [name for name in names if not hasattr(builtins, name)] or names
    if not own:
        raise ConversionError("the asserts call no function: name the entry point")
    return Counter(own).most_common(1)[0][0]


def _helpers(prompt: str, entry_point: str) -> str:
    """Return the prompt without the function that is asked for: the check may call the rest."""
    if not prompt.strip():
        return ""
    body = [s for s in _parsed(prompt).body if getattr(s, "name", None) != entry_point]
    return ast.unparse(ast.Module(body=body, type_ignores=[]))


def _calls(
    statements: list[ast.stmt], known: dict[str, ast.expr], entry: str, candidates: set[str]
) -> tuple[Call, ...]:
    """Every assert as a call; raises NotConstant at the first that is not exact."""
    calls = []
    for statement in statements:
        match statement:
            case ast.Assert(test=test) if not _calls_anything(test) and fold(test, known):
                continue
            case ast.Assert(test=test):
                calls.append(_call(test, known, entry, candidates))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in known:
                fold(value, known)
                known = {**known, name: value}
            case ast.Expr(value=ast.Constant() | ast.Name()) | ast.Pass():
                continue
            case ast.Import() | ast.ImportFrom():
                continue
            case _:
                raise NotConstant(f"{ast.unparse(statement).splitlines()[0][:60]} is no assert")
    if not calls:
        raise NotConstant("no assert calls the candidate")
    return tuple(calls)


def _calls_anything(node: ast.expr) -> bool:
    return any(isinstance(part, ast.Call) for part in ast.walk(node))


def _call(test: ast.expr, known: _Names, entry: str, candidates: set[str]) -> Call:
    compare, subject, expected, tolerance = _shape(test, known, candidates)
    via = ""
    wrapped = _wrapped(subject)
    if wrapped is not None and not _is_candidate(subject, candidates):
        via, subject = wrapped
    if not (isinstance(subject, ast.Call) and isinstance(subject.func, ast.Name)):
        raise NotConstant(f"{ast.unparse(test)[:60]} does not compare one call")
    name = subject.func.id
    if name not in candidates and (hasattr(builtins, name) or name in known):
        raise NotConstant(f"{ast.unparse(test)[:60]} does not compare one call")
    if any(isinstance(a, ast.Starred) for a in subject.args):
        raise NotConstant("starred arguments")
    args = tuple(fold(argument, known) for argument in subject.args)
    kwargs = {_keyword(k): fold(k.value, known) for k in subject.keywords}
    try:
        encode((args, kwargs, expected))
    except NotDataError as error:
        raise NotConstant(str(error)) from error
    function = None if name in candidates else name
    return Call(args, expected, kwargs, function, compare, tolerance, via)


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise NotConstant("double-starred arguments")
    return keyword.arg


def _is_candidate(node: ast.expr, candidates: set[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in candidates
    )


def _wrapped(node: ast.expr) -> tuple[str, ast.expr] | None:
    """``sorted(x)`` as ("sorted", x), for the built-ins that may stand around a result."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in VIA:
            return name, inner
    return None


def _shape(
    test: ast.expr, known: _Names, candidates: set[str]
) -> tuple[Compare, ast.expr, object, float]:
    """Return the rule, the expression that calls the candidate, what is expected, the tolerance."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=subject):
            return "falsy", subject, None, 0.0
        case ast.Compare(left=subject, ops=[ast.Is()], comparators=[ast.Constant(value=value)]) if (
            value is None or isinstance(value, bool)
        ):
            return "is", subject, value, 0.0
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp() as gap]),
            ops=[ast.Lt()],
            comparators=[bound],
        ) if isinstance(gap.op, ast.Sub):
            subject, other = _sides(gap.left, gap.right, known, candidates)
            return "abs_lt", subject, fold(other, known), _number(fold(bound, known))
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as op], comparators=[right]):
            subject, other = _sides(left, right, known, candidates)
            rule: Compare = "eq" if isinstance(op, ast.Eq) else "ne"
            return rule, subject, fold(other, known), 0.0
        case ast.Call(func=ast.Attribute(value=ast.Name(id="math"), attr="isclose")):
            return _isclose(test, known)
        case ast.Call():
            return "truthy", test, None, 0.0
    raise NotConstant(f"{ast.unparse(test)[:60]} does not compare one call")


def _number(value: object) -> float:
    if type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]
    raise NotConstant("a tolerance that is no number")


def _isclose(test: ast.Call, known: _Names) -> tuple[Compare, ast.expr, object, float]:
    """``math.isclose(f(x), y)`` with at most a relative tolerance."""
    if len(test.args) != 2 or any(keyword.arg != "rel_tol" for keyword in test.keywords):
        raise NotConstant(f"{ast.unparse(test)[:60]}: only rel_tol is understood")
    tolerance = _number(fold(test.keywords[0].value, known)) if test.keywords else 1e-9
    return "isclose", test.args[0], fold(test.args[1], known), tolerance


def _sides(
    left: ast.expr, right: ast.expr, known: _Names, candidates: set[str]
) -> tuple[ast.expr, ast.expr]:
    """Return the side that calls the candidate first, then the other."""
    inside = any(_is_candidate(node, candidates) for node in ast.walk(right))  # type: ignore[arg-type]
    return (right, left) if inside and not _calls_anything(left) else (left, right)
