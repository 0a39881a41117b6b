"""Functions on texts: wrapping, quoting, comparing, printing."""

from trainers.tasks.swe.injected.catalogue.target import INT, SMALL, WORD, Target, front
from trainers.tasks.swe.injected.values import (
    either,
    floats,
    formed,
    integers,
    joined,
    lines,
    lists,
    mappings,
    nested,
    one_of,
    ordered,
    sentences,
    texts,
)

_PLAIN = texts("ab c,.'\"\\$%&;|<>~é\n", 0, 14)
_GLOB = texts("ab*?[]!-.", 0, 7)
_ITEM = one_of("ape", "apple", "peach", "puppy", "appel", "pear", "happy", "grape", "ap", "")
_LINES = lists(one_of("one", "two", "three", "tree", "four", "emu", " two", ""), 0, 6)
_JSON = nested(either(INT, floats(-2, 2), texts('a"\\é\n', 0, 4), one_of(None, True, False)))

TARGETS: tuple[Target, ...] = (
    Target("textwrap", "wrap", (sentences(), integers(4, 40))),
    Target("textwrap", "fill", (sentences(), integers(4, 40))),
    Target("textwrap", "shorten", (sentences(), integers(6, 40))),
    Target("textwrap", "dedent", (lines(),)),
    Target("textwrap", "indent", (lines(), one_of("> ", "  ", "#"))),
    front(
        "textwrap",
        "TextWrapper",
        "wrapped(text, width, tabs, first, hyphens, most)",
        "wrapper = TextWrapper(width, initial_indent=first, subsequent_indent='  ',\n"
        "                      expand_tabs=tabs, break_on_hyphens=hyphens, max_lines=most)\n"
        "return wrapper.wrap(text)",
        sentences(),
        integers(9, 40),
        one_of(True, False),
        one_of("", "* "),
        one_of(True, False),
        one_of(None, 1, 2, 3),
    ),
    Target("string", "capwords", (sentences(), one_of(None, "-", " "))),
    front(
        "string",
        "Template",
        "filled(text, values)",
        "return Template(text).safe_substitute(values)",
        joined(" ", one_of("$a", "${b}", "$$", "$", "x", "$1", "${a}b", "$c"), 0, 6),
        mappings(one_of("a", "b"), WORD),
    ),
    Target(
        "shlex",
        "split",
        (joined(" ", one_of("a", "'b c'", '"d e"', "f\\ g", "#h", "", '"i\\"j"', "k=l"), 0, 6),),
    ),
    Target(
        "shlex",
        "split",
        (
            joined(" ", one_of("a", "'b c'", '"d"', "#h", "e'f'g"), 0, 6),
            one_of(True),
            one_of(True, False),
        ),
    ),
    Target("shlex", "quote", (_PLAIN,)),
    Target("shlex", "join", (lists(_PLAIN, 0, 4),)),
    Target("fnmatch", "translate", (_GLOB,)),
    Target("fnmatch", "fnmatchcase", (texts("ab.-", 0, 5), _GLOB)),
    Target("fnmatch", "filter", (lists(texts("ab.-", 0, 4)), _GLOB)),
    Target("difflib", "get_close_matches", (_ITEM, lists(_ITEM), integers(1, 4))),
    front("difflib", "ndiff", "compared(a, b)", "return list(ndiff(a, b))", _LINES, _LINES),
    front(
        "difflib",
        "unified_diff",
        "unified(a, b, context)",
        "return list(unified_diff(a, b, 'old', 'new', n=context, lineterm=''))",
        _LINES,
        _LINES,
        integers(0, 3),
    ),
    front(
        "difflib",
        "context_diff",
        "in_context(a, b, context)",
        "return list(context_diff(a, b, 'old', 'new', n=context, lineterm=''))",
        _LINES,
        _LINES,
        integers(0, 3),
    ),
    front(
        "difflib",
        "SequenceMatcher",
        "alike(a, b)",
        "match = SequenceMatcher(None, a, b)\n"
        "return [match.ratio(), match.quick_ratio(), match.get_opcodes()]",
        texts("abcd ", 0, 10),
        texts("abcd ", 0, 10),
    ),
    Target("html", "escape", (texts("a<>&\"' ", 0, 9), one_of(True, False))),
    Target(
        "html",
        "unescape",
        (joined("", one_of("&lt;", "&amp", "&#65;", "&#x41", "&notit;", "a", "&", "&#0;"), 0, 5),),
    ),
    Target("json.encoder", "py_encode_basestring", (texts('a"\\\n\té\u0001', 0, 9),)),
    Target("json.encoder", "py_encode_basestring_ascii", (texts('a"\\é\U0001f600', 0, 6),)),
    front(
        "json.encoder",
        "JSONEncoder",
        "indented(value, indent, by_key)",
        "return JSONEncoder(indent=indent, sort_keys=by_key).encode(value)",
        _JSON,
        integers(0, 3),
        one_of(True, False),
    ),
    Target(
        "json.decoder", "py_scanstring", (formed('{}" x', texts("ab\\n\\u0041", 0, 9)), one_of(0))
    ),
    front(
        "pprint",
        "PrettyPrinter",
        "pretty(value, indent, width)",
        "return PrettyPrinter(indent, width).pformat(value)",
        nested(either(INT, WORD, sentences(0, 6)), 3),
        integers(1, 4),
        integers(8, 40),
    ),
    front(
        "reprlib",
        "Repr",
        "short(value, items, letters)",
        "maker = Repr()\nmaker.maxlist = maker.maxtuple = maker.maxdict = items\n"
        "maker.maxstring = maker.maxlong = letters\nreturn maker.repr(value)",
        nested(either(WORD, sentences(2, 5), integers(-(10**30), 10**30)), 3),
        integers(1, 4),
        integers(4, 20),
    ),
    Target(
        "gettext",
        "_expand_lang",
        (one_of("de_DE.UTF-8@euro", "C", "fr_FR", "en", "pt_BR.utf8", "sr@latin"),),
    ),
    front(
        "gettext",
        "c2py",
        "plural(rule, n)",
        "return c2py(rule)(n)",
        one_of(
            "n != 1",
            "n > 1",
            "n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2",
            "(n==1 ? 0 : n==2 ? 1 : 2)",
            "n%2 + 1",
            "!(n > 3) || n == 7",
        ),
        integers(0, 25),
    ),
    front(
        "csv",
        "Sniffer",
        "delimiter(sample)",
        "return Sniffer().sniff(sample).delimiter",
        joined("\n", one_of("a,b,c", "1,2,3", '"x","y","z"', "d,e,f", "'p','q','r'"), 2, 5),
    ),
    Target("encodings.punycode", "punycode_encode", (texts("abéüπ-", 0, 8),)),
    front(
        "encodings.punycode",
        "punycode_encode punycode_decode",
        "through(text)",
        "return punycode_decode(punycode_encode(text), 'strict')",
        texts("abéüπ-", 0, 8),
    ),
    Target(
        "xml.sax.saxutils",
        "escape",
        (texts('a<>&"', 0, 8), mappings(one_of('"', "a"), one_of("&quot;", "b"), 0, 2)),
    ),
    Target(
        "xml.sax.saxutils",
        "unescape",
        (joined("", one_of("&lt;", "&gt;", "&amp;", "a", "&"), 0, 6),),
    ),
    Target("xml.sax.saxutils", "quoteattr", (texts("a<&\"'\n", 0, 8),)),
    Target("inspect", "cleandoc", (lines(),)),
    Target(
        "doctest", "_ellipsis_match", (joined("", one_of("...", "a", "b"), 0, 5), texts("ab", 0, 6))
    ),
    Target("doctest", "_indent", (lines(), integers(0, 4))),
    Target("unittest.util", "sorted_list_difference", (ordered(SMALL), ordered(SMALL))),
    Target("unittest.util", "unorderable_list_difference", (lists(SMALL), lists(SMALL))),
    Target("unittest.util", "_shorten", (sentences(4, 20), integers(2, 9), integers(2, 9))),
    Target("pydoc", "cram", (sentences(2, 14), integers(6, 40))),
    Target(
        "pydoc",
        "replace",
        (texts("abc", 0, 8), one_of("a", "b"), one_of("x", ""), one_of("c"), one_of("aa")),
    ),
    Target("pydoc", "splitdoc", (lines(),)),
    Target("glob", "escape", (texts("a*?[]/", 0, 8),)),
    Target("glob", "has_magic", (texts("a*?[]/", 0, 4),)),
    front(
        "string",
        "Formatter",
        "formatted(pattern, values)",
        "return Formatter().vformat(pattern, values, {'name': 'x', 'n': 3})",
        joined(" ", one_of("{}", "{0}", "{name}", "{n:03d}", "{1!r}", "{0[0]}", "{{", "a"), 0, 4),
        lists(WORD, 2, 5),
    ),
)
