"""The kinds of bugs: each looks at one node and gives the pieces of text that make it there."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random

Piece = tuple[int, int, str]
"""From where to where, in bytes, a program gets which other text."""

Edit = Callable[[ast.AST, "Text", Random], Iterator[Piece]]

_COMPARE = {
    ast.Lt: ("<", "<=", ">"),
    ast.LtE: ("<=", "<", ">="),
    ast.Gt: (">", ">=", "<"),
    ast.GtE: (">=", ">", "<="),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.In: ("in", "not in"),
}
_BINARY: dict[type[ast.operator], tuple[str, ...]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+", "//"),
    ast.Div: ("/", "//", "*"),
    ast.FloorDiv: ("//", "/", "%"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_AUGMENTED = {ast.Add: ("+=", "-=", "="), ast.Sub: ("-=", "+="), ast.Mult: ("*=", "+=")}
_TWINS = (
    ("append", "extend"), ("startswith", "endswith"), ("lstrip", "rstrip"), ("find", "rfind"),
    ("index", "rindex"), ("upper", "lower"), ("keys", "values"), ("partition", "rpartition"),
    ("split", "rsplit"), ("ljust", "rjust"), ("min", "max"), ("any", "all"), ("floor", "ceil"),
    ("isalpha", "isalnum"), ("isdigit", "isalnum"), ("strip", "rstrip"), ("group", "groups"),
    ("add", "discard"), ("sorted", "list"), ("insert", "append"), ("int", "float"),
)  # fmt: skip
_OTHER_NAME = {a: b for pair in _TWINS for a, b in (pair, pair[::-1])}
_ERRORS = ("ValueError", "KeyError", "IndexError", "TypeError", "AttributeError", "StopIteration")
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Text:
    """A program's text, and how pieces of it are replaced."""

    def __init__(self, code: str) -> None:
        self.code = code.encode()
        self._starts = [0]
        for line in self.code.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        """Where a node begins, in bytes."""
        start: int = self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start

    def end(self, node: ast.AST) -> int:
        """Where a node ends, in bytes."""
        line: int = self._starts[node.end_lineno - 1]  # type: ignore[attr-defined]
        column: int = node.end_col_offset  # type: ignore[attr-defined]
        return line + column

    def of(self, node: ast.AST) -> str:
        """Give the text of a node."""
        return self.code[self.start(node) : self.end(node)].decode()

    def with_piece(self, piece: Piece) -> str:
        """Give the program with another piece."""
        start, end, text = piece
        return (self.code[:start] + text.encode() + self.code[end:]).decode()

    def put(self, node: ast.AST, text: str) -> Piece:
        """Put another text for a node."""
        return (self.start(node), self.end(node), text)

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[Piece]:
        """Put ``new`` for the only ``old`` between two nodes, if it is there."""
        start, end = self.end(left), self.start(right)
        pattern = rf"\b{old}\b" if old.isalpha() else re.escape(old)
        text, count = re.subn(pattern, new, self.code[start:end].decode())
        if count == 1:
            yield (start, end, text)

    def without_lines(self, statement: ast.AST) -> Iterator[Piece]:
        """Drop a statement that has its lines to itself."""
        first = self._starts[statement.lineno - 1]  # type: ignore[attr-defined]
        last = self._starts[statement.end_lineno]  # type: ignore[attr-defined]
        around = self.code[first : self.start(statement)] + self.code[self.end(statement) : last]
        if not re.sub(rb"#.*", b"", around).strip():
            yield (first, last, "")


def _comparison(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and not _ends_while(node):
        old, *others = _COMPARE.get(type(node.ops[0]), ("",))
        for new in others:
            yield from text.between(node.left, node.comparators[0], old, new)


def _arithmetic(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.BinOp) and not _ends_while(node):
        old, *others = _BINARY.get(type(node.op), ("",))
        for new in others:
            yield from text.between(node.left, node.right, old, new)
    if isinstance(node, ast.AugAssign) and not _feeds_while(node):
        old, *others = _AUGMENTED.get(type(node.op), ("",))
        for new in others:
            yield from text.between(node.target, node.value, old, new)


def _logic(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.BoolOp) and not _ends_while(node):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from text.between(left, right, old, new)
        if len(node.values) == 2:  # one condition is forgotten
            yield text.put(node, text.of(node.values[0]))
            yield text.put(node, text.of(node.values[1]))


def _negation(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not) and not _ends_while(node):
        yield text.put(node, text.of(node.operand))
        return
    test = node.test if isinstance(node, ast.If | ast.IfExp) else None
    if isinstance(test, ast.Name | ast.Call | ast.Attribute | ast.Subscript) and not _ends_while(
        test
    ):
        yield text.put(test, f"not {text.of(test)}")


def _off_by_one(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if _is(node, int) and not _ends_while(node) and not _feeds_while(node):
        value = node.value  # type: ignore[attr-defined]
        yield text.put(node, str(value + 1))
        if value > 0:
            yield text.put(node, str(value - 1))
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
        yield text.put(node.slice, f"{text.of(node.slice)} {rng.choice('+-')} 1")
    elif isinstance(node, ast.Call) and _called(node) in ("range", "len") and node.args:
        last = node.args[-1] if _called(node) == "range" else node
        yield text.put(last, f"{text.of(last)} {rng.choice('+-')} 1")


def _constant(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if _is(node, bool):
        yield text.put(node, "False" if text.of(node) == "True" else "True")
    elif _is(node, float) or _is(node, str):
        function = _function(node)
        others = {text.of(n) for n in ast.walk(function) if _is(n, type(node.value))}  # type: ignore[attr-defined]
        choices = sorted(o for o in others - {text.of(node)} if len(o) < 20 and "\n" not in o)
        if choices and len(text.of(node)) < 20:
            yield text.put(node, rng.choice(choices))


def _variable(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load) or _ends_while(node):
        return
    if isinstance(_parent(node), ast.Call) and _parent(node).func is node:  # type: ignore[attr-defined]
        return
    names = _locals(_function(node))
    if node.id in names and (others := sorted(names - {node.id, "self"})):
        yield text.put(node, rng.choice(others))


def _twin(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.Call) and (new := _OTHER_NAME.get(_called(node))):
        end = text.end(node.func)
        yield (end - len(_called(node)), end, new)


def _arguments(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
        return
    if len(node.args) >= 2:
        one, two = node.args[0], node.args[1]
        swapped = f"{text.of(two)}{_between(text, one, two)}{text.of(one)}"
        yield (text.start(one), text.end(two), swapped)
        yield (text.end(node.args[-2]), text.end(node.args[-1]), "")
    if node.keywords and node.args and node.keywords[-1].arg:
        previous = [*node.args, *(k.value for k in node.keywords)][-2]
        yield (text.end(previous), text.end(node.keywords[-1]), "")


def _missing_call(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if not isinstance(node, ast.Call) or node.keywords or isinstance(_parent(node), ast.Expr):
        return
    if len(node.args) == 1 and isinstance(node.func, ast.Name) and _called(node) != "len":
        yield text.put(node, text.of(node.args[0]))
    elif not node.args and isinstance(node.func, ast.Attribute):
        yield text.put(node, text.of(node.func.value))


def _slice(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.Slice):
        for bound in (node.lower, node.upper):
            if bound is not None:
                yield text.put(bound, "")
                if not isinstance(bound, ast.Constant):
                    yield text.put(bound, f"{text.of(bound)} {rng.choice('+-')} 1")


def _dropped_guard(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    is_guard = isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], _LEAVES)
    if is_guard and _has_sisters(node) and not _in_endless(node):
        yield from text.without_lines(node)


def _dropped_statement(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    is_assignment = isinstance(node, ast.Assign | ast.AugAssign) and not _feeds_while(node)
    if (is_call or is_assignment) and _has_sisters(node) and not _in_endless(node):
        yield from text.without_lines(node)


def _branches(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.IfExp):
        body, test, other = map(text.of, (node.body, node.test, node.orelse))
        yield text.put(node, f"{other} if {test} else {body}")


def _exception(node: ast.AST, text: Text, rng: Random) -> Iterator[Piece]:
    if isinstance(node, ast.ExceptHandler) and isinstance(node.type, ast.Name):
        others = [name for name in _ERRORS if name != node.type.id]
        yield text.put(node.type, rng.choice(others))


EDITS: Sequence[tuple[str, Edit]] = (
    ("wrong comparison", _comparison),
    ("wrong operator", _arithmetic),
    ("wrong logic", _logic),
    ("negated condition", _negation),
    ("off by one", _off_by_one),
    ("wrong constant", _constant),
    ("wrong variable", _variable),
    ("wrong function", _twin),
    ("wrong arguments", _arguments),
    ("missing call", _missing_call),
    ("wrong slice", _slice),
    ("dropped guard", _dropped_guard),
    ("dropped statement", _dropped_statement),
    ("swapped branches", _branches),
    ("wrong exception", _exception),
)


def _is(node: ast.AST, kind: type) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) is kind


def _called(node: ast.Call) -> str:
    """Give the last name of what is called; "" where it has none."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _between(text: Text, left: ast.AST, right: ast.AST) -> str:
    return text.code[text.end(left) : text.start(right)].decode()


def _parent(node: ast.AST) -> ast.AST:
    return node.parent  # type: ignore[attr-defined,no-any-return]


def _above(node: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes that a node is in, up to its function."""
    while not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
        node = _parent(node)
        yield node


def _function(node: ast.AST) -> ast.AST:
    return list(_above(node))[-1]


def _locals(function: ast.AST) -> set[str]:
    names = {n.arg for n in ast.walk(function) if isinstance(n, ast.arg)}
    stored = (n for n in ast.walk(function) if isinstance(n, ast.Name))
    return names | {n.id for n in stored if isinstance(n.ctx, ast.Store)}


def _ends_while(node: ast.AST) -> bool:
    """Tell whether a node belongs to the test of a ``while``: another one might never end."""
    child = node
    for parent in _above(node):
        if isinstance(parent, ast.While) and child is parent.test:
            return True
        child = parent
    return _in_endless(node) and any(_leaves(p) for p in _above(node) if isinstance(p, ast.If))


def _feeds_while(node: ast.AST) -> bool:
    """Tell whether a node is in a statement that binds what the test of a ``while`` reads."""
    above = [node, *_above(node)]
    bound = {
        part.id
        for statement in above
        if isinstance(statement, ast.Assign | ast.AugAssign)
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    tests = (loop.test for loop in above if isinstance(loop, ast.While))
    read = {part.id for t in tests for part in ast.walk(t) if isinstance(part, ast.Name)}
    return bool(bound & read)


def _in_endless(node: ast.AST) -> bool:
    return any(isinstance(p, ast.While) and isinstance(p.test, ast.Constant) for p in _above(node))


def _leaves(node: ast.If) -> bool:
    return any(isinstance(part, _LEAVES) for part in ast.walk(node))


def _has_sisters(node: ast.AST) -> bool:
    """Tell whether a block stays when a statement goes from it."""
    parent = _parent(node)
    blocks = (getattr(parent, name, None) for name in ("body", "orelse", "finalbody"))
    return any(isinstance(block, list) and node in block and len(block) > 1 for block in blocks)
