"""Mutants of the data sets' reference solutions, and plain CPython's word on each: the reference.

Run as a script it is the reference runner: for each line with a program on its standard input it
forks, executes the program and its asserts as they are, and answers with a line. None of the
sandbox's code is in that process: what it says is Python's word, by the data set's own tests.
"""

import ast
import builtins
import copy
import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
import types
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

SEED = 20_260_801
"""Every choice of a mutant follows from it: the same mutants on every machine."""

CPU_S, WALL_S = 0.5, 20.0
"""What a mutant may take to be compared: one that takes more is near a limit of the sandbox."""

MEMORY_MB = 512


@dataclass(frozen=True)
class Mutant:
    """A changed solution, what was changed, and the problem it belongs to."""

    key: str
    code: str
    kinds: tuple[str, ...]


# Each with what takes its place: what looks nearly right is the hardest to judge.
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitXor, ast.BitXor: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.MatMult: ast.Mult,
}  # fmt: skip
COMPARISONS = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq, ast.GtE), ast.NotEq: (ast.Eq, ast.Is),
    ast.In: (ast.NotIn,), ast.NotIn: (ast.In,), ast.Is: (ast.IsNot, ast.Eq),
    ast.IsNot: (ast.Is, ast.NotEq),
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "list": "tuple",
    "tuple": "list", "set": "list", "int": "float", "float": "int", "sum": "max", "len": "sum",
    "str": "repr", "dict": "list", "range": "list",
    "append": "extend", "extend": "append", "upper": "lower", "lower": "upper",
    "startswith": "endswith", "endswith": "startswith", "add": "discard", "ceil": "floor",
    "floor": "ceil", "keys": "values", "values": "keys", "items": "keys", "heappop": "heapify",
    "isdigit": "isalpha", "isalpha": "isdigit", "search": "match", "match": "search",
    "strip": "lstrip", "popleft": "pop", "sin": "cos", "cos": "sin",
}  # fmt: skip
# What a returned value is put through: most tell apart by Python's own rules of equality alone.
WRAPPERS = ["bool", "float", "complex", "int", "str", "list", "tuple", "set", "frozenset"]
WRAPPERS += ["sorted", "iter", "len"]


def mutants(key, code, count, within=None):
    """Up to ``count`` different mutants of a solution; always the same ones for the same key.

    ``within`` names the function to change; None: anything.
    """
    rng = random.Random(f"{SEED}/{key}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the data sets' escapes look like
        tree = ast.parse(code)
    seen, found = {ast.unparse(tree)}, []
    for _ in range(20 * count):
        mutant, kinds = copy.deepcopy(tree), []
        for _ in range(2 if rng.random() < 0.15 else 1):
            kinds.append(_change(mutant, rng, within))
        text = _text(mutant)
        if text is not None and text not in seen:
            seen.add(text)
            found.append(Mutant(f"{key}#{len(found)}", text, tuple(kinds)))
        if len(found) == count:
            break
    return found


def _text(tree):
    try:
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    except (ValueError, RecursionError):
        return None  # such as an f-string that cannot be written


def _change(tree, rng, within):
    """Change one place of ``tree``; the kind is drawn first, so that rare ones are not drowned."""
    places = {}
    roots = [node for node in tree.body if within in (None, getattr(node, "name", None))]
    for node in (node for root in roots for node in ast.walk(root)):
        for kind, edit in _edits(node, rng):
            places.setdefault(kind, []).append(edit)
    if not places:
        return "none"
    kinds = sorted(places)
    # Most changed returns are wrong at the first look: fewer of them than of the subtle ones.
    kind = rng.choices(kinds, [1 if kind.startswith("return") else 4 for kind in kinds])[0]
    rng.choice(places[kind])()
    return kind


def _edits(node, rng):
    """Every change that can be made at a node, as (kind, function that makes it)."""
    yield from _operator_edits(node, rng)
    yield from _value_edits(node, rng)
    yield from _call_edits(node, rng)
    yield from _statement_edits(node, rng)


def _operator_edits(node, rng):
    match node:
        case ast.BinOp() | ast.AugAssign():
            yield "operator", lambda: setattr(node, "op", OPERATORS[type(node.op)]())
    match node:
        case ast.BinOp():
            yield "swapped operands", lambda: _swap(node, "left", "right")
        case ast.Compare():
            index = rng.randrange(len(node.ops))
            other = rng.choice(COMPARISONS[type(node.ops[index])])
            yield "comparison", lambda: node.ops.__setitem__(index, other())
        case ast.BoolOp():
            other = ast.Or if isinstance(node.op, ast.And) else ast.And
            yield "and, or", lambda: setattr(node, "op", other())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield "sign", lambda: setattr(node, "operand", ast.UnaryOp(node.op, node.operand))
    match node:
        case ast.If() | ast.While() | ast.IfExp():
            yield "condition", lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[first, *_]):
            yield "condition", lambda: node.ifs.__setitem__(0, ast.UnaryOp(ast.Not(), first))
            yield "no filter", node.ifs.clear


def _swap(node, one, other):
    first, second = getattr(node, one), getattr(node, other)
    setattr(node, one, second)
    setattr(node, other, first)


def _value_edits(node, rng):
    match node:
        case ast.Constant(value=bool() as value):
            yield "constant", lambda: setattr(node, "value", not value)
        case ast.Constant(value=int() | float() as value):
            step = rng.choice((-1, 1))
            yield "constant", lambda: setattr(node, "value", value + step)
        case ast.Constant(value=str() as value) if "\n" not in value:  # a docstring changes nothing
            other = rng.choice((value + "x", value[:-1], value.upper()))
            yield "text", lambda: setattr(node, "value", other)
        case ast.Subscript(slice=ast.Slice() as cut):
            place = rng.choice(("lower", "upper", "step"))
            value = ast.Constant(rng.choice((1, 2))) if getattr(cut, place) is None else None
            yield "slice", lambda: setattr(cut, place, value)
        case ast.Subscript():
            by = ast.Constant(rng.choice((-1, 1)))
            yield "index", lambda: setattr(node, "slice", ast.BinOp(node.slice, ast.Add(), by))
        case ast.For() | ast.comprehension():
            yield (
                "order",
                lambda: setattr(node, "iter", _called("reversed", _called("list", node.iter))),
            )
        case ast.Tuple(elts=[_, _, *_], ctx=ast.Load()) | ast.List(elts=[_, _, *_], ctx=ast.Load()):
            yield "element", node.elts.pop


def _called(name, *arguments):
    return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])


def _call_edits(node, rng):
    match node:
        case ast.Call(args=[_, _, *_]):
            yield "swapped arguments", lambda: node.args.insert(0, node.args.pop(1))
            yield "argument", node.args.pop
        case ast.Call(args=[only], func=ast.Name()):
            yield "argument", lambda: node.args.__setitem__(0, ast.List([only], ast.Load()))
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield "function", lambda: setattr(node, "id", NAMES[name])
        case ast.Attribute(attr=name) if name in NAMES:
            yield "method", lambda: setattr(node, "attr", NAMES[name])


def _statement_edits(node, rng):
    for field in ("body", "orelse", "finalbody"):
        statements = getattr(node, field, None)
        if not isinstance(statements, list) or not statements or isinstance(node, ast.Module):
            continue
        index = rng.randrange(len(statements))
        yield "removed statement", lambda s=statements, i=index: s.__setitem__(i, ast.Pass())
        if index:
            yield "swapped statements", lambda s=statements, i=index: s.insert(i - 1, s.pop(i))
        if isinstance(statements[index], ast.Break | ast.Continue):
            other = ast.Continue if isinstance(statements[index], ast.Break) else ast.Break
            yield "break, continue", lambda s=statements, i=index, o=other: s.__setitem__(i, o())
    match node:
        case ast.Return(value=ast.expr() as value):
            wrapped = _called(rng.choice(WRAPPERS), value)
            nothing = rng.choice((None, 0, True, False, ""))
            yield "return wrapped", lambda: setattr(node, "value", wrapped)
            yield "return in a list", lambda: setattr(node, "value", ast.List([value], ast.Load()))
            yield "return negated", lambda: setattr(node, "value", ast.UnaryOp(ast.Not(), value))
            yield "return constant", lambda: setattr(node, "value", ast.Constant(nothing))
            yield "return printed", lambda: setattr(node, "value", _called("print", value))
        case ast.FunctionDef(args=ast.arguments(args=[_, _, *_])):
            yield "swapped parameters", lambda: node.args.args.insert(0, node.args.args.pop(1))
        case ast.FunctionDef(body=[*_, ast.Return(value=ast.Name(id=name))]):
            others = sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {name})
            others = [other for other in others if not hasattr(builtins, other)] or [name]
            other = rng.choice(others)
            yield "variable", lambda: setattr(node.body[-1].value, "id", other)


@dataclass(frozen=True)
class Plain:
    """Plain CPython's word: ``passed``, or ``failed``, or ``limit`` where it was ended."""

    word: str
    cpu_s: float


def run_plainly(programs, processes=2):
    """Run (code, tests) pairs, by as many reference runners; a :class:`Plain` for each."""
    shares = [programs[start::processes] for start in range(processes)]
    with ThreadPoolExecutor(processes) as pool:
        answers = list(pool.map(_one_runner, shares))
    found = [None] * len(programs)
    for start, share in enumerate(answers):
        found[start::processes] = share
    return found


def _one_runner(programs):
    text = "".join(json.dumps(program) + "\n" for program in programs)
    # The sandbox's hash seed: the order of a set of texts is the same in both.
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-P", "-B", __file__],
        input=text,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONHASHSEED": "0"},
        cwd="/",
        check=True,
    )
    return [Plain(*json.loads(line)) for line in done.stdout.splitlines()]


def serve():
    """Answer each program on standard input: see the module's text."""
    warnings.simplefilter("ignore")
    for name in ("collections", "itertools", "math", "re", "heapq", "functools", "typing"):
        __import__(name)  # as every program would, once
    programs = [json.loads(line) for line in sys.stdin]
    for code, tests in programs:
        sys.stdout.write(json.dumps(_forked(code, tests)) + "\n")
        sys.stdout.flush()


PASSED, RAISED, NO_MEMORY = 40, 41, 42


def _forked(code, tests):
    pid = os.fork()
    if pid == 0:
        try:
            _execute(code, tests)
        finally:
            os._exit(RAISED)
    fd = os.pidfd_open(pid)
    ended, _, _ = select.select([fd], [], [], WALL_S)
    os.close(fd)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    cpu_s = used.ru_utime + used.ru_stime
    if not os.WIFEXITED(status) or os.WEXITSTATUS(status) == NO_MEMORY or cpu_s > CPU_S:
        return "limit", cpu_s
    return "passed" if os.WEXITSTATUS(status) == PASSED else "failed", cpu_s


def _execute(code, tests):
    """Run a program and its tests as one module, in the order in which a file would have them."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MB << 20, MEMORY_MB << 20))
    signal.setitimer(signal.ITIMER_PROF, CPU_S)  # ends the process, whatever it is at
    random.seed(0)  # as in the sandbox
    module = sys.modules["candidate"] = types.ModuleType("candidate")
    try:
        exec(compile(code, "<candidate>", "exec", dont_inherit=True), vars(module))
        exec(compile(tests, "<tests>", "exec", dont_inherit=True), vars(module))
    except MemoryError:
        os._exit(NO_MEMORY)
    except BaseException:  # noqa: BLE001 - whatever it is, it is the mutant's
        os._exit(RAISED)
    os._exit(PASSED)


def kinds_of(chosen):
    """How many mutants have each kind of change."""
    return Counter(kind for mutant in chosen for kind in mutant.kinds)


if __name__ == "__main__":
    serve()
