"""``kent tasks import swe ...`` and ``kent tasks mine``: SWE tasks from files, the Hub and git."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kent.cli_app import App, pass_app, say
from kent.errors import KentError

if TYPE_CHECKING:  # imported when first used: `kent daemon status` must be quick
    from memory.store import Store
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.types import SWETask, TaskSplit

_split = click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="The split of all of them, instead of the rule's.",
)
_limit = click.option("--limit", type=click.IntRange(min=1), help="At most so many.")


@click.command()
@click.argument("source", metavar="[FILE|FOLDER|HUB-NAME]", required=False)
@_split
@_limit
@click.option(
    "--clones",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of git clones, for tasks that bring a patch but no code.",
)
@pass_app
def swe(
    app: App,
    source: str | None,
    split: "TaskSplit | None",
    limit: int | None,
    clones: Path | None,
) -> int:
    """Read SWE tasks: a file or folder of the shared format, or a set of SWE-bench's on the Hub.

    Without a name the folder swe below the data folder is read. A broken line is told, the others
    go on, and the exit code is 1.
    """
    from trainers.tasks.swe.clones import Clones
    from trainers.tasks.swe.hub_tasks import fetch_records
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.shared import read_records, read_swe
    from trainers.tasks.swe.splits import SHARED_RULE, named_rule

    notes = Notes()
    given: dict[str, Any] = {"split": split, "limit": limit, "notes": notes}
    given["sources"] = Clones(clones) if clones else None
    path = Path(source) if source else _data_folder(app) / "swe"
    if source and not path.exists() and _is_hub_name(source):
        tasks = read_records(fetch_records(source, os.environ), **given)
    else:
        tasks = read_swe(path, **given)
    return _store(app, tasks, named_rule(split) if split else SHARED_RULE, notes)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@_split
@_limit
@pass_app
def quixbugs(app: App, file: Path | None, split: "TaskSplit | None", limit: int | None) -> int:
    """Read QuixBugs's programs with their tests; without a FILE the data folder's.

    All are test, unless --split says otherwise.
    """
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.quixbugs import read_quixbugs
    from trainers.tasks.swe.splits import TEST_RULE, named_rule

    notes, path = Notes(), file or _data_folder(app) / "swe" / "quixbugs.jsonl"
    tasks = read_quixbugs(path, split=split or "test", limit=limit, notes=notes)
    return _store(app, tasks, named_rule(split) if split else TEST_RULE, notes)


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@_split
@_limit
@pass_app
def humanevalfix(app: App, file: Path | None, split: "TaskSplit | None", limit: int | None) -> int:
    """Read HumanEvalFix's programs with their tests; without a FILE the data folder's.

    All are test, as HumanEval is, unless --split says otherwise.
    """
    from trainers.tasks.swe.humanevalfix import read_humanevalfix
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.splits import TEST_RULE, named_rule

    notes, path = Notes(), file or _data_folder(app) / "swe" / "humanevalfix.jsonl"
    if split == "train":
        say("note: these programs are HumanEval's solutions, which is a test set")
    tasks = read_humanevalfix(path, split=split or "test", limit=limit, notes=notes)
    return _store(app, tasks, named_rule(split) if split else TEST_RULE, notes)


@click.command()
@click.option("--count", type=click.IntRange(min=1), help="How many; 400 if not given.")
@click.option("--seed", type=click.IntRange(min=0), help="Draws them; the configuration's if none.")
@_split
@pass_app
def injected(app: App, count: int | None, seed: int | None, split: "TaskSplit | None") -> int:
    """Make tasks from bugs that are put into functions of Python's own library.

    It needs no data and no network. The same seed and Python give the same tasks.
    """
    from trainers.tasks.swe.injected import COUNT, inject
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.splits import INJECTED_RULE, named_rule

    notes = Notes()
    seed = app.config.seed if seed is None else seed
    tasks = inject(count=count or COUNT, seed=seed, split=split, notes=notes)
    return _store(app, tasks, named_rule(split) if split else INJECTED_RULE, notes)


@click.command()
@click.argument("repository", metavar="REPO", type=click.Path(path_type=Path))
@_limit
@click.option("--since", metavar="DATE", help="Only commits after it: 2024-01-31, '2 years ago'.")
@_split
@pass_app
def mine(
    app: App, repository: Path, limit: int | None, since: str | None, split: "TaskSplit | None"
) -> int:
    """Mine fixes that bring a test from the history of a local git repository.

    The newest 15 in 100 are test, the next validation, the rest train; what was mined before keeps
    its split. The repository may be bare or shallow, and is not written to.
    """
    from trainers.tasks.swe.mining import mine as mined
    from trainers.tasks.swe.notes import Notes
    from trainers.tasks.swe.splits import DATE_RULE, named_rule

    notes = Notes()
    tasks = mined(repository, limit=limit, since=since, split=split, notes=notes)
    rule = named_rule(split) if split else DATE_RULE
    return _store(app, tasks, rule, notes, keep_splits=split is None)


def _data_folder(app: App) -> Path:
    named = os.environ.get("KENT_DATA") or app.config.tasks.data_dir
    if not named:
        raise KentError("name what to read, or a data folder in KENT_DATA or tasks.data_dir")
    return Path(named).expanduser()


def _is_hub_name(source: str) -> bool:
    """Tell whether a name has the form OWNER/SET, and is no path by its ending or beginning."""
    owner, _, name = source.partition("/")
    return (
        bool(owner and name) and "/" not in name and owner[0] not in "./~" and ".json" not in name
    )


def _store(
    app: App, tasks: "Iterable[SWETask]", rule: str, notes: "Notes", *, keep_splits: bool = False
) -> int:
    """Store tasks and tell how many; 1 where some of the input was left out."""
    from memory.store import Store
    from trainers.tasks.swe.loading import to_rows

    counts: Counter[str] = Counter()
    with Store.open(app.config.state_dir / "kent.db") as store:
        if keep_splits:
            tasks = _as_stored(store, list(tasks))
        new = store.add_swe_tasks(to_rows(_counted(tasks, counts), rule))
    for line in notes.lines():
        say(line)
    shares = ", ".join(f"{split} {n}" for split, n in sorted(counts.items()))
    total = counts.total()
    click.echo(f"{total} SWE tasks, {new} of them new" + (f"; {shares}" if shares else ""))
    return 1 if notes.left_out or not total else 0


def _as_stored(store: "Store", tasks: "list[SWETask]") -> "list[SWETask]":
    splits = store.swe_splits(task.task_id for task in tasks)
    return [replace(task, split=splits.get(task.task_id, task.split)) for task in tasks]


def _counted(tasks: "Iterable[SWETask]", counts: Counter[str]) -> "Iterator[SWETask]":
    for task in tasks:
        counts[task.split] += 1
        yield task
