"""Lexemes to vocabulary ids: a fixed table of code's own words, and BPE pieces for the rest.

Keywords, operators, indents, ends of lines, quotes, the builtins and other names that repairs often
put in are one id each. Every other lexeme is cut into byte-pair pieces of which the last carries
the end-of-word mark (a character of its own: the ids of the library's word suffixes differ from
run to run). A string literal above four pieces is the placeholder ``<str>``; the source
keeps it. The version is a hash of the whole vocabulary and is stored with every data set.
"""

import builtins
import json
from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from keyword import kwlist, softkwlist
from pathlib import Path
from string import ascii_letters

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import CharDelimiterSplit
from tokenizers.trainers import BpeTrainer

from trainers.ctm.data.lexemes import (
    END,
    EOL,
    MAX_LEVEL,
    OPERATORS,
    indent,
    is_string,
    level_of,
)
from trainers.errors import CTMDataError

PAD, UNKNOWN, CONTINUED, STRING = range(4)
SPECIAL = ("<pad>", "<unk>", "<cont>", "<str>", EOL, END)
DEFAULT_SIZE, CPU_SIZE = 32_768, 4_096
MAX_STRING_PIECES = 4
_LONGEST_STRING, _LONGEST_WORD = 40, 200
_WORD_END = "\u2581"
_SEPARATOR = "\n"
_FORMAT = 1
_UNIT, _ODD = "    ", "  "  # an odd dedent lies between two levels

_TWINS = (
    "append extend startswith endswith lstrip rstrip strip find rfind index rindex upper lower "
    "keys values items partition rpartition split rsplit ljust rjust floor ceil isalpha isalnum "
    "isdigit group groups add discard remove insert pop popleft appendleft get setdefault update "
    "read write readline join replace copy self cls"
)
_SAFE = (
    "yaml safe_load load loads dumps json pickle hashlib sha256 md5 sha1 secrets random choice "
    "token_hex SystemRandom randint subprocess run shell check timeout verify requests post "
    "tempfile mkstemp mktemp NamedTemporaryFile TemporaryDirectory ast literal_eval os system "
    "chmod tarfile extractall filter members defusedxml xml etree ElementTree fromstring parse "
    "Environment autoescape debug host shlex quote bind execute environ getenv SafeLoader Loader "
    "usedforsecurity create_default_context ssl getpass password"
)
_LITERALS = (
    *("0", "1", "2", "3", "10", "100", "0.0", "1.0", "0o600", "0o644", "0o700", "0o755", "0o777"),
    *("''", '""', "' '", '" "', "','", "'\\n'", "'data'", '"data"', "'127.0.0.1'", '"127.0.0.1"'),
)


def _fixed() -> tuple[str, ...]:
    levels = [indent(level, odd=odd) for odd in (False, True) for level in range(MAX_LEVEL + 1)]
    prefixes = ("", "f", "r", "b", "rb", "u")
    quotes = [prefix + quote for quote in ("'", '"', "'''", '"""') for prefix in prefixes]
    names = [n for n in dir(builtins) if not n.startswith("_") and n not in kwlist]
    words = [*SPECIAL, *levels, *kwlist, *softkwlist, *OPERATORS, *quotes, *ascii_letters, *names]
    return tuple(dict.fromkeys([*words, *_TWINS.split(), *_SAFE.split(), *_LITERALS]))


class CodeTokenizer:
    """A vocabulary; ``version`` names it, ``size`` is the number of ids."""

    def __init__(self, fixed: Iterable[str], bpe: Tokenizer) -> None:
        self._fixed = tuple(fixed)
        self._bpe = bpe
        self._ids = {word: number for number, word in enumerate(self._fixed)}
        self._cache: dict[str, tuple[int, ...]] = {}
        self.size = len(self._fixed) + bpe.get_vocab_size()
        self.version = sha256(self._text().encode()).hexdigest()[:16]

    @classmethod
    def train(cls, programs: Iterable[Iterable[str]], size: int = DEFAULT_SIZE) -> "CodeTokenizer":
        """Learn the pieces from the lexemes of programs; at most ``size`` ids in all.

        Raises:
            CTMDataError: ``size`` leaves too few ids for pieces, or more than 16 bits can name.
        """
        fixed = _fixed()
        least = len(fixed) + 512
        if not least <= size <= 65_536:
            raise CTMDataError(f"a vocabulary has {least} to 65536 ids, not {size}; choose another")
        bpe = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True))
        bpe.pre_tokenizer = CharDelimiterSplit(_SEPARATOR)
        trainer = BpeTrainer(
            vocab_size=size - len(fixed),
            min_frequency=2,
            special_tokens=["<unk>"],
            show_progress=False,
        )
        known = set(fixed)
        bpe.train_from_iterator((_words(program, known) for program in programs), trainer)
        return cls(fixed, bpe)

    def pieces(self, value: str) -> tuple[int, ...]:
        """The ids of a lexeme, at least one."""
        found = self._cache.get(value)
        if found is None:
            found = self._cache[value] = self._pieces(value)
        return found

    def whole(self, value: str) -> int:
        """The id that is all of a lexeme; -1 where there is none."""
        pieces = self.pieces(value)
        return pieces[0] if len(pieces) == 1 and pieces[0] not in self._vague else -1

    def lexeme(self, token: int) -> str | None:
        """The lexeme that an id is all of; None for pieces, placeholders and padding."""
        if token < len(self._fixed):
            return None if token <= STRING else self._fixed[token]
        text: str = self._bpe.id_to_token(token - len(self._fixed)) or ""
        return text.removesuffix(_WORD_END) if text.endswith(_WORD_END) else None

    def text(self, token: int) -> str:
        """An id for a person: ``<ind2>``, ``range``, ``nam`` for a piece that goes on."""
        if token < len(self._fixed):
            return self._fixed[token]
        text: str = self._bpe.id_to_token(token - len(self._fixed)) or "<none>"
        return text.removesuffix(_WORD_END)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """How each id is written in source text: indents as spaces, placeholders as a like one."""
        return tuple(self._source(token) for token in range(self.size))

    def save(self, path: Path) -> None:
        """Write it as one JSON file."""
        path.write_text(self._text(), "utf-8")

    @classmethod
    def load(cls, path: Path, version: str | None = None) -> "CodeTokenizer":
        """Read a file of ``save``; with ``version`` it must be that vocabulary.

        Raises:
            CTMDataError: it is missing, broken, of another format or another version.
        """
        try:
            document = json.loads(path.read_text("utf-8"))
            if document["format"] != _FORMAT:
                raise CTMDataError(f"{path}: format {document['format']} is unknown; update KENT")
            found = cls(document["fixed"], Tokenizer.from_str(json.dumps(document["bpe"])))
        except CTMDataError:
            raise
        except Exception as error:
            raise CTMDataError(
                f"{path} is no vocabulary ({error}); build the data again"
            ) from error
        if version is not None and found.version != version:
            raise CTMDataError(
                f"{path}: vocabulary {found.version} is not {version}, with which the data was "
                "made; use the vocabulary beside the data, or build the data again"
            )
        return found

    @property
    def _vague(self) -> tuple[int, int]:
        return UNKNOWN, STRING

    def _source(self, token: int) -> str:
        text = self.text(token)
        level = level_of(text)
        if level is not None:
            return _UNIT * level + (_ODD if text != indent(level) else "")
        stands_for = {PAD: "", UNKNOWN: "x", CONTINUED: "", STRING: "''"}
        return stands_for.get(token, {EOL: "\n", END: ""}.get(text, text))

    def _pieces(self, value: str) -> tuple[int, ...]:
        if value in self._ids:
            return (self._ids[value],)
        string = is_string(value)
        if string and (len(value) > _LONGEST_STRING or "\n" in value):
            return (STRING,)
        base, unknown = len(self._fixed), self._bpe.token_to_id("<unk>")
        word = value[:_LONGEST_WORD].replace(_SEPARATOR, " ") + _WORD_END
        ids = self._bpe.encode(word).ids
        pieces = tuple(UNKNOWN if i == unknown else i + base for i in ids) or (UNKNOWN,)
        return (STRING,) if string and len(pieces) > MAX_STRING_PIECES else pieces

    def _text(self) -> str:
        bpe = json.loads(self._bpe.to_str())
        return json.dumps({"format": _FORMAT, "fixed": self._fixed, "bpe": bpe}, sort_keys=True)


def _words(program: Iterable[str], known: set[str]) -> str:
    """The lexemes of a program that pieces are learned from, as one text."""
    plain = (v for v in program if v not in known and v.isascii() and len(v) <= _LONGEST_STRING)
    return _SEPARATOR.join(v + _WORD_END for v in plain if _SEPARATOR not in v)
