"""Which compiled programs can touch nothing but their own names and the values that they are given.

Such a program may share a process with others of its kind: it cannot find them, nor change what
they use. The rule is an allow-list over the bytecode, nested code included. There are no classes,
no attribute is set, every attribute that is read is a method of a plain type or a name of a
harmless module, every built-in is one that computes. So there is no way to a frame, to a module's
names, to another program's objects, to the system. What the list does not know is refused: it then
gets a process of its own, which costs time and nothing else.
"""

import builtins
import dis
from types import CodeType

MODULES: dict[str, str] = {
    "math": """acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist
        e erf erfc exp exp2 expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose
        isfinite isinf isnan isqrt lcm ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi
        pow prod radians remainder sin sinh sqrt tan tanh tau trunc ulp""",
    "re": """compile match fullmatch search findall finditer sub subn split escape A ASCII I
        IGNORECASE M MULTILINE S DOTALL X VERBOSE""",
    "collections": "Counter OrderedDict defaultdict deque",
    "itertools": """accumulate chain combinations combinations_with_replacement compress count cycle
        dropwhile filterfalse groupby islice pairwise permutations product repeat starmap takewhile
        tee zip_longest from_iterable""",
    "functools": "reduce partial cmp_to_key lru_cache cache",
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
    "operator": """itemgetter add sub mul truediv floordiv mod neg pos pow and_ or_ xor lt le gt ge
        eq ne contains concat""",
    "string": """ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable
        punctuation whitespace""",
    "typing": """Any Callable Deque Dict FrozenSet Generator Iterable Iterator List Mapping Optional
        Sequence Set Tuple Union""",
    "sys": "maxsize",
}
"""The modules that may be imported, and what of each may be used."""

_METHODS = """
append extend insert pop remove clear copy count index sort reverse keys values items get setdefault
update popitem fromkeys add discard union intersection difference symmetric_difference
intersection_update difference_update symmetric_difference_update isdisjoint issubset issuperset
capitalize casefold center encode decode endswith expandtabs find isalnum isalpha isascii isdecimal
isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip
maketrans partition removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip
split splitlines startswith strip swapcase title translate upper zfill hex fromhex bit_count
bit_length as_integer_ratio conjugate denominator from_bytes imag is_integer numerator real to_bytes
start stop step elements most_common subtract total appendleft extendleft popleft rotate maxlen
move_to_end match fullmatch search findall finditer sub subn group groups groupdict span end
"""
"""No ``format``: its text could read attributes. The rest are methods that only compute."""

_BUILTINS = """
abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter float
frozenset hash hex int isinstance issubclass iter len list map max min next oct ord pow range repr
reversed round set slice sorted str sum tuple zip
ArithmeticError AssertionError AttributeError BaseException EOFError Exception FloatingPointError
IndexError KeyError LookupError NameError NotImplemented NotImplementedError OverflowError
RuntimeError StopIteration TypeError UnicodeError ValueError ZeroDivisionError True False None
"""

ATTRIBUTES = frozenset(f"{_METHODS} {' '.join(MODULES.values())}".split())
BUILTINS = frozenset(_BUILTINS.split())
_FORBIDDEN_GLOBALS = frozenset(dir(builtins)) - BUILTINS
_DUNDERS = frozenset(["__name__", "__doc__"])

_PLAIN = """
BINARY_OP BINARY_SLICE BINARY_SUBSCR BUILD_CONST_KEY_MAP BUILD_LIST BUILD_MAP BUILD_SET BUILD_SLICE
BUILD_STRING BUILD_TUPLE CACHE CALL CALL_FUNCTION_EX CHECK_EXC_MATCH COMPARE_OP CONTAINS_OP COPY
COPY_FREE_VARS DELETE_DEREF DELETE_FAST DELETE_SUBSCR DICT_MERGE DICT_UPDATE END_FOR END_SEND
FORMAT_VALUE FOR_ITER GEN_START GET_ITER GET_YIELD_FROM_ITER IS_OP JUMP_BACKWARD
JUMP_BACKWARD_NO_INTERRUPT JUMP_FORWARD JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP KW_NAMES
LIST_APPEND LIST_EXTEND LIST_TO_TUPLE LOAD_ASSERTION_ERROR LOAD_CLOSURE LOAD_CONST LOAD_DEREF
LOAD_FAST LOAD_FAST_AND_CLEAR LOAD_FAST_CHECK MAKE_CELL MAKE_FUNCTION MAP_ADD NOP POP_EXCEPT
POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_NONE POP_JUMP_BACKWARD_IF_NOT_NONE
POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_FORWARD_IF_FALSE POP_JUMP_FORWARD_IF_NONE
POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_FORWARD_IF_TRUE POP_JUMP_IF_FALSE POP_JUMP_IF_NONE
POP_JUMP_IF_NOT_NONE POP_JUMP_IF_TRUE POP_TOP PRECALL PUSH_EXC_INFO PUSH_NULL RAISE_VARARGS RERAISE
RESUME RETURN_CONST RETURN_GENERATOR RETURN_VALUE SEND SET_ADD SET_UPDATE STORE_DEREF STORE_FAST
STORE_SLICE STORE_SUBSCR SWAP UNARY_INVERT UNARY_NEGATIVE UNARY_NOT UNARY_POSITIVE UNPACK_EX
UNPACK_SEQUENCE YIELD_VALUE
"""
_ALLOWED, _GLOBAL_LOADS, _GLOBAL_STORES, _ATTRIBUTE_LOADS, _IMPORTS, _EXTENDED = 1, 2, 3, 4, 5, 6
_KINDS = {
    **dict.fromkeys(_PLAIN.split(), _ALLOWED),
    **dict.fromkeys(("LOAD_NAME", "LOAD_GLOBAL"), _GLOBAL_LOADS),
    **dict.fromkeys(("STORE_NAME", "STORE_GLOBAL", "DELETE_NAME"), _GLOBAL_STORES),
    **dict.fromkeys(("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"), _ATTRIBUTE_LOADS),
    "IMPORT_NAME": _IMPORTS,
    "EXTENDED_ARG": _EXTENDED,
}
_KIND_OF = [0] * 256
for _name, _kind in _KINDS.items():
    if _name in dis.opmap and dis.opmap[_name] < 256:
        _KIND_OF[dis.opmap[_name]] = _kind

# Where an argument holds a flag beside the name's index; 3.11 has it only here.
_SHIFTED = {dis.opmap["LOAD_GLOBAL"]}
KNOWN_VERSION = dis.opmap.get("LOAD_METHOD", 0) > 0 and "PRECALL" in dis.opmap
"""Whether this Python's bytecode is the one that the rule was written for and tested on: 3.11's."""

_FLAGS = 0x80 | 0x100 | 0x200  # coroutines and asynchronous generators


def pure(code: CodeType) -> bool:
    """Tell whether a compiled module keeps to itself: see the module's text."""
    return KNOWN_VERSION and _keeps_to_itself(code)


def _keeps_to_itself(code: CodeType) -> bool:
    if code.co_flags & _FLAGS:
        return False
    names, raw, high = code.co_names, code.co_code, 0
    for at in range(0, len(raw), 2):
        kind = _KIND_OF[raw[at]]
        if kind == _ALLOWED:
            high = 0
            continue
        if not kind:
            return False
        argument = high | raw[at + 1]
        if kind == _EXTENDED:
            high = argument << 8
            continue
        high = 0
        name = names[argument >> 1 if raw[at] in _SHIFTED else argument]
        if not _may(kind, name):
            return False
    return all(_keeps_to_itself(each) for each in code.co_consts if type(each) is CodeType)


def _may(kind: int, name: str) -> bool:
    if kind == _ATTRIBUTE_LOADS:
        return name in ATTRIBUTES
    if kind == _IMPORTS:
        return name in MODULES
    if name.startswith("__"):
        return name in _DUNDERS
    return kind == _GLOBAL_STORES or name not in _FORBIDDEN_GLOBALS
