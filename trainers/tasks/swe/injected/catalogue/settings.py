"""Functions that read options and settings."""

from trainers.tasks.swe.injected.catalogue.target import Target, front
from trainers.tasks.swe.injected.values import joined, lists, one_of

_OPTIONS = lists(one_of("-a", "-b", "1", "-ab", "--all", "--name=x", "--na", "y", "--", "-"), 0, 5)
_TOML = joined(
    "\n",
    one_of(
        "a = 1",
        'b = "x\\ty"',
        "[t]",
        "c = [1, 2,\n 3]",
        "d.e = true",
        "[[u]]",
        "f = {g = 1.5}",
        "h = 0x1F",
        "i = 'raw'",
        "# note",
        "j = -inf",
        'k = """\nq\n"""',
        "[t.v]",
        "l = 1_000",
    ),
    0,
    5,
)
_INI = joined(
    "\n",
    one_of("[a]", "[b]", "x = 1", "y: two", "z", "# note", "; note", "  more", "w = %(x)s", ""),
    0,
    6,
)

TARGETS: tuple[Target, ...] = (
    front(
        "getopt",
        "getopt",
        "options(args, short, long)",
        "return getopt(args, short, long)",
        _OPTIONS,
        one_of("ab", "a:b", "ab:"),
        one_of(["all", "name="], ["name="]),
    ),
    front(
        "getopt",
        "gnu_getopt",
        "mixed(args, short, long)",
        "return gnu_getopt(args, short, long)",
        _OPTIONS,
        one_of("ab", "a:b", "+ab"),
        one_of(["all", "name="], []),
    ),
    front(
        "configparser",
        "ConfigParser",
        "settings(text)",
        "parser = ConfigParser(allow_no_value=True, strict=False)\nparser.read_string(text)\n"
        "return {name: dict(parser.items(name)) for name in parser.sections()}",
        _INI,
    ),
    Target("tomllib._parser", "loads", (_TOML,)),
    Target(
        "locale",
        "_append_modifier",
        (one_of("de_DE.ISO8859-15", "fr_FR", "sr_RS.UTF-8"), one_of("euro", "latin")),
    ),
    front(
        "locale",
        "normalize",
        "normal(name)",
        "return normalize(name)",
        one_of(
            "de",
            "en_US.utf8",
            "fr@euro",
            "C",
            "pt_BR.ISO8859-1",
            "ja.eucjp",
            "sr_RS@latin",
            "xx_YY.z",
        ),
    ),
)
