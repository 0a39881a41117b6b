"""A guess of what type an expression gives, from literals, calls, annotations and assignments.

Types are names (``int``, ``str``, ``list`` …), "" where nothing is known. ``bool`` is apart from
``int``: a repair rarely puts one for the other.
"""

import ast

from trainers.code_trainer.edits.tree import FUNCTIONS, walk

CALLS = {
    "len": "int", "sum": "int", "ord": "int", "int": "int", "round": "int", "hash": "int",
    "str": "str", "chr": "str", "repr": "str", "bin": "str", "hex": "str", "input": "str",
    "list": "list", "sorted": "list", "range": "list", "reversed": "list", "map": "list",
    "filter": "list", "zip": "list", "enumerate": "list", "tuple": "tuple", "dict": "dict",
    "set": "set", "frozenset": "set", "float": "float", "bool": "bool", "isinstance": "bool",
    "any": "bool", "all": "bool", "callable": "bool", "hasattr": "bool",
}  # fmt: skip
"""What built-ins give; what can be looped over as a list counts as one."""

METHODS = {
    "split": "list", "splitlines": "list", "keys": "list", "values": "list", "items": "list",
    "lower": "str", "upper": "str", "strip": "str", "replace": "str", "join": "str",
    "format": "str", "title": "str", "capitalize": "str", "swapcase": "str", "lstrip": "str",
    "rstrip": "str", "zfill": "str", "count": "int", "index": "int", "find": "int",
    "rfind": "int", "startswith": "bool", "endswith": "bool", "isdigit": "bool", "isalpha": "bool",
    "isupper": "bool", "islower": "bool", "append": "None", "sort": "None", "extend": "None",
    "reverse": "None", "add": "None", "update": "None", "remove": "None", "insert": "None",
}  # fmt: skip

_NODES = {
    ast.List: "list", ast.ListComp: "list", ast.GeneratorExp: "list", ast.Tuple: "tuple",
    ast.Dict: "dict", ast.DictComp: "dict", ast.Set: "set", ast.SetComp: "set",
    ast.Compare: "bool", ast.JoinedStr: "str", ast.Lambda: "function",
}  # fmt: skip
_ANNOTATIONS = {"List": "list", "Dict": "dict", "Set": "set", "Tuple": "tuple", "Text": "str"}
_NUMBERS = frozenset({"int", "float"})
_PASSES = 2  # over a function's assignments: later ones can need earlier ones

Types = dict[str, str]


def type_of(node: ast.AST | None, known: Types) -> str:
    """Return the type that an expression gives, "" where that is not known."""
    if node is None or not isinstance(node, ast.expr):
        return ""
    simple = _NODES.get(type(node))
    if simple is not None:
        return simple
    match node:
        case ast.Constant(value=value):
            return type(value).__name__ if value is not None else "None"
        case ast.Name(id=name):
            return known.get(name, "")
        case ast.UnaryOp(op=ast.Not()):
            return "bool"
        case ast.UnaryOp(operand=operand):
            return type_of(operand, known)
        case ast.BoolOp(values=values):
            kinds = {type_of(value, known) for value in values}
            return kinds.pop() if len(kinds) == 1 else ""
        case ast.IfExp(body=body, orelse=orelse):
            return type_of(body, known) or type_of(orelse, known)
        case ast.BinOp():
            return _arithmetic(node, known)
        case ast.Subscript(value=value, slice=index):
            kind = type_of(value, known)
            return kind if isinstance(index, ast.Slice) or kind == "str" else ""
        case ast.Call(func=ast.Name(id=name)):
            return CALLS.get(name, known.get(f"{name}()", ""))
        case ast.Call(func=ast.Attribute(attr=name)):
            return METHODS.get(name, "")
    return ""


def _arithmetic(node: ast.BinOp, known: Types) -> str:
    left, right = type_of(node.left, known), type_of(node.right, known)
    if isinstance(node.op, ast.Mod) and left == "str":
        return "str"
    if isinstance(node.op, ast.Div):
        return "float"
    if left == right or not right:
        return left
    if {left, right} <= _NUMBERS:
        return "float"
    if isinstance(node.op, ast.Mult):
        return next((kind for kind in (left, right) if kind in ("list", "str")), left or right)
    return right if not left else ""


def types_in(function: ast.AST) -> Types:
    """Return the types of a function's variables, as far as they can be told."""
    known: Types = {}
    for _, node in walk(function):
        if isinstance(node, FUNCTIONS):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            known.update({a.arg: kind for a in every if (kind := _annotated(a.annotation))})
            if kind := _annotated(node.returns):
                known[f"{node.name}()"] = kind
    for _ in range(_PASSES):
        for _, node in walk(function):
            _learn(node, known)
    return known


def _learn(node: ast.AST, known: Types) -> None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            _note(known, name, type_of(value, known))
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for target, value in zip(names, values, strict=False):
                if isinstance(target, ast.Name):
                    _note(known, target.id, type_of(value, known))
        case ast.For(target=target, iter=over) | ast.comprehension(target=target, iter=over):
            _loop(target, over, known)


def _loop(target: ast.expr, over: ast.expr, known: Types) -> None:
    called = over.func.id if isinstance(over, ast.Call) and isinstance(over.func, ast.Name) else ""
    if isinstance(target, ast.Name):
        if called == "range":
            _note(known, target.id, "int")
        elif type_of(over, known) == "str":
            _note(known, target.id, "str")
    elif isinstance(target, ast.Tuple) and called == "enumerate":
        first = target.elts[0]
        if isinstance(first, ast.Name):
            _note(known, first.id, "int")


def _note(known: Types, name: str, kind: str) -> None:
    if kind:
        known.setdefault(name, kind)


def _annotated(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    name = node.id if isinstance(node, ast.Name) else ""
    return _ANNOTATIONS.get(name, name if name in CALLS else "")


def alike(new: str, old: str) -> str:
    """Say how two types stand: ``same``, ``near`` (numbers), ``other``, ``unknown``."""
    if not new or not old:
        return "unknown"
    if new == old:
        return "same"
    return "near" if {new, old} <= _NUMBERS else "other"
