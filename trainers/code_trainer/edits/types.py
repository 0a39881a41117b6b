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
"""Of names; ``name[]`` is what the items of a name are, ``name()`` what it gives when called."""


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
            same = isinstance(index, ast.Slice) or kind == "str"
            return kind if same else _item(value, known)
        case ast.Call(func=ast.Name(id=name)):
            return CALLS.get(name, known.get(f"{name}()", ""))
        case ast.Call(func=ast.Attribute(attr=name)):
            return METHODS.get(name, "")
    return ""


def _item(over: ast.expr, known: Types) -> str:
    """Return the type of the items of what is looped over or indexed."""
    match over:
        case ast.Name(id=name):
            return "str" if known.get(name) == "str" else known.get(f"{name}[]", "")
        case ast.Call(func=ast.Name(id="range")):
            return "int"
        case ast.Call(func=ast.Name(id="sorted" | "list" | "set" | "reversed"), args=[inner, *_]):
            return _item(inner, known)
        case ast.Call(func=ast.Attribute(attr="split" | "splitlines")):
            return "str"
        case ast.Subscript(value=value, slice=ast.Slice()):
            return _item(value, known)
        case ast.List(elts=[first, *_]) | ast.Tuple(elts=[first, *_]):
            return type_of(first, known)
        case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item):
            return type_of(item, known)
    return "str" if type_of(over, known) == "str" else ""


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


def types_in(function: ast.AST, given: Types) -> Types:
    """Return the types of a function's variables, as far as they can be told beside the given."""
    known: Types = dict(given)
    for _, node in walk(function):
        if isinstance(node, FUNCTIONS):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for argument in every:
                _note_annotation(known, argument)
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
            _note(known, f"{name}[]", _item(value, known))
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for target, value in zip(names, values, strict=False):
                if isinstance(target, ast.Name):
                    _note(known, target.id, type_of(value, known))
        case ast.For(target=target, iter=over) | ast.comprehension(target=target, iter=over):
            _loop(target, over, known)


def _loop(target: ast.expr, over: ast.expr, known: Types) -> None:
    if isinstance(target, ast.Name):
        _note(known, target.id, _item(over, known))
        return
    match target, over:
        case (
            ast.Tuple(elts=[ast.Name(id=number), second]),
            ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]),
        ):
            _note(known, number, "int")
            if isinstance(second, ast.Name):
                _note(known, second.id, _item(inner, known))


def _note(known: Types, name: str, kind: str) -> None:
    if kind:
        known.setdefault(name, kind)


def _note_annotation(known: Types, argument: ast.arg) -> None:
    _note(known, argument.arg, _annotated(argument.annotation))
    if isinstance(argument.annotation, ast.Subscript):
        _note(known, f"{argument.arg}[]", _annotated(argument.annotation.slice))


def _annotated(node: ast.expr | None) -> str:
    if isinstance(node, ast.Subscript):
        node = node.value
    name = node.id if isinstance(node, ast.Name) else ""
    return _ANNOTATIONS.get(name, name if name in CALLS else "")


def alike(new: str, old: str) -> str:
    """Say how two types stand to each other: ``same``, ``near`` (numbers), ``other``, ``unknown``."""
    if not new or not old:
        return "unknown"
    if new == old:
        return "same"
    return "near" if {new, old} <= _NUMBERS else "other"
