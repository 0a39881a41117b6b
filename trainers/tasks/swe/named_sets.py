"""SWE-bench's own sets by name: from the data folder where it has them, else from the Hub."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.swe.clones import Clones
from trainers.tasks.swe.hub_tasks import fetch_records
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.reading import read_tasks
from trainers.tasks.swe.shared import read_records, read_swe
from trainers.tasks.swe.types import SWETask

SETS = {
    "swebench-lite": ("lite", "SWE-bench/SWE-bench_Lite"),
    "swebench-verified": ("verified", "SWE-bench/SWE-bench_Verified"),
}


def read_set(
    name: str,
    env: Mapping[str, str],
    *,
    folder: Path | None,
    clones: Path | None,
    cache: Path | None,
    notes: Notes,
) -> Iterator[SWETask]:
    """Read a set that is named, or a file, all of it as test tasks.

    Args:
        name: ``swebench-lite``, ``swebench-verified``, or the path of a task file.
        env: for the Hub.
        folder: the data folder's ``swe``; its shared file holds a part of both sets.
        clones: a folder of git clones: the Hub's records, and files of its form, bring a patch but
            no code.
        cache: where the texts of repositories are unpacked.
        notes: gathers what was left out and why.

    Raises:
        TaskError: there is no such file, and the Hub cannot be asked or there are no clones.
    """
    if name not in SETS:
        sources = Clones(clones) if clones else None
        yield from read_tasks(Path(name), cache=cache, notes=notes, sources=sources)
        return
    kind, hub_name = SETS[name]
    if folder is not None and folder.is_dir():
        tasks = read_swe(folder, split="test", cache=cache, notes=notes)
        here = [task for task in tasks if kind in task.metadata.get("sets", ())]
        notes.say(f"{name}: {len(here)} instances that {folder} has")
        yield from here
        return
    if clones is None:
        raise TaskError(
            f"{name} comes from the Hub without code: name a folder of git clones (--clones), or "
            "a data folder with swe/swe_tasks.jsonl.gz in KENT_DATA"
        )
    records = fetch_records(hub_name, env)
    yield from read_records(records, split="test", notes=notes, sources=Clones(clones))
