"""An issue's text taken apart: title, prose, code, tracebacks, and the names it gives."""

import re
from dataclasses import dataclass

from trainers.code_trainer.tokens import identifiers

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.M | re.S)
_INDENTED = re.compile(r"(?:^(?: {4}|\t)[^\n]*\n?)+", re.M)
_PROMPT = re.compile(r"^[ \t]*(?:>>>|\.\.\.|In \[\d+\]:|\$)[ \t]?.*$", re.M)
_INLINE = re.compile(r"``?([^`\n]+)``?")
_QUOTED = re.compile(r"[\"'‘“]([^\"'’”\n]{2,80})[\"'’”]")
_FRAME = re.compile(r"File [\"']([^\"'\n]+?\.pyx?)[\"'], line (\d+)(?:, in (\S+))?")
# pytest's and IPython's form: ``path.py:12: in name`` and ``path.py in name(args)``.
_SHORT_FRAME = re.compile(
    r"^[ \t>]*([~\w./\\<>-]+\.py)(?::(\d+))?(?::? in[ \t]+([\w.<>]+)|: \w*(?:Error|Exception))",
    re.M,
)
_ERROR = re.compile(
    r"^[^\n]{0,40}?\b([\w.]*(?:Error|Exception|Warning|Interrupt|DoesNotExist))\b:?[ \t]*([^\n]*)$",
    re.M,
)
_PATH = re.compile(r"(?:[\w.-]+[/\\])*[\w-]+\.py\b")
_DOTTED = re.compile(r"\b[^\W\d]\w*(?:\.[^\W\d]\w*)+")
_NAME_LIKE = re.compile(r"^(?:[A-Z]\w*[A-Z]\w*|\w+_\w+|_\w+|[A-Z][a-z]+\w*[a-z])$")
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_LONGEST = 60_000  # characters read of an issue: what follows is a log


@dataclass(frozen=True)
class Frame:
    """One traceback entry: path as printed, 1-based line or 0, function or the empty string."""

    path: str
    line: int
    function: str


@dataclass(frozen=True)
class Issue:
    """What an issue says, by the place where it says it; all texts as written.

    ``frames`` and ``errors`` in order of appearance; ``errors`` are exception names with messages;
    ``spans`` are texts in inline code or quotes; ``names`` are words that look like identifiers.
    """

    title: str
    prose: str
    code: str
    spans: tuple[str, ...]
    frames: tuple[Frame, ...]
    errors: tuple[str, ...]
    paths: tuple[str, ...]
    dotted: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """Title, prose and code."""
        return "\n".join((self.title, self.prose, self.code))


def parse_issue(text: str) -> Issue:
    """Take an issue apart. The first line that is not empty is the title; an empty text is fine."""
    text = _COMMENT.sub(" ", text[:_LONGEST]).replace("\r\n", "\n").strip()
    title, _, body = text.partition("\n")
    prose, code = _split_code(body)
    spans = [*_INLINE.findall(title + "\n" + prose), *_QUOTED.findall(title + "\n" + prose)]
    return Issue(
        title=title,
        prose=prose,
        code=code,
        spans=tuple(dict.fromkeys(span.strip() for span in spans)),
        frames=_frames(text),
        errors=tuple(dict.fromkeys(" ".join(found) for found in _ERROR.findall(body))),
        paths=tuple(dict.fromkeys(path.replace("\\", "/") for path in _PATH.findall(text))),
        dotted=tuple(dict.fromkeys(_DOTTED.findall(text))),
        names=_names(title, prose, spans),
    )


def _split_code(body: str) -> tuple[str, str]:
    """The body without its code, and its code: fenced, indented, or after a prompt."""
    code: list[str] = []

    def take(match: re.Match[str]) -> str:
        code.append(match[match.lastindex or 0])
        return "\n"

    prose = _FENCE.sub(take, body)
    prose = _INDENTED.sub(take, prose)
    prose = _PROMPT.sub(take, prose)
    return prose, "\n".join(code)


def _frames(text: str) -> tuple[Frame, ...]:
    found = [(m.start(), m) for form in (_FRAME, _SHORT_FRAME) for m in form.finditer(text)]
    return tuple(
        Frame(match[1].replace("\\", "/"), int(match[2] or 0), match[3] or "")
        for _, match in sorted(found, key=lambda item: item[0])
    )


def _names(title: str, prose: str, spans: list[str]) -> tuple[str, ...]:
    """Words of title, prose and spans that look like names of code."""
    plain = [word for word in identifiers(title + "\n" + prose) if _NAME_LIKE.match(word)]
    quoted = [word for span in spans if len(span) <= 60 for word in identifiers(span)]
    return tuple(dict.fromkeys(quoted + plain))
