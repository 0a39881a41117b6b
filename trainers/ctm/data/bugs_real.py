"""Real bugs for evaluation only: QuixBugs and HumanEvalFix programs as repair samples.

Nothing here is ever trained on; ``benchmark_likenesses`` is what the builder keeps out.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trainers.ctm.data.corpus import likeness
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.program import Program
from trainers.ctm.data.sample import Facts, RepairSample
from trainers.ctm.data.validate import RejectedError, pair_sample
from trainers.errors import CTMDataError, TaskError
from trainers.tasks.files import check_fields
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.quixbugs import program_of
from trainers.tasks.swe.shared import records_of

FILES = {"quixbugs": "swe/quixbugs.jsonl", "humanevalfix": "swe/humanevalfix.jsonl"}
_FIELDS = {"task_id": str, "code_before": dict, "code_after": dict}


@dataclass(frozen=True)
class RealBug:
    """A program with a real bug, the repaired one, and the sample if a repair can be reached."""

    task_id: str
    broken: str
    fixed: str
    sample: RepairSample | None
    reason: str = ""


@dataclass
class RealBugs:
    """The programs of a set; ``reasons`` counts those without a sample."""

    name: str
    bugs: list[RealBug] = field(default_factory=list)

    @property
    def reasons(self) -> Counter[str]:
        """Why programs have no sample."""
        return Counter(bug.reason for bug in self.bugs if bug.sample is None)

    @property
    def samples(self) -> list[RepairSample]:
        """Of those whose repair can be reached."""
        return [bug.sample for bug in self.bugs if bug.sample is not None]


def read_real_bugs(
    data: Path, name: str, encoder: CTMGridEncoder, notes: Notes | None = None
) -> RealBugs:
    """Read a set of the data folder; a broken line is a note.

    Args:
        data: the folder that ``KENT_DATA`` names.
        name: ``quixbugs`` or ``humanevalfix``.
        encoder: with the vocabulary of the model.
        notes: gathers what was left out.

    Raises:
        CTMDataError: there is no such set.
        TaskError: its file cannot be read.
    """
    found = RealBugs(name)
    for task_id, broken, fixed in _programs(data, name, Notes() if notes is None else notes):
        try:
            facts = Facts("other", "mined", name)
            sample = pair_sample(Program.of(broken), Program.of(fixed), encoder, facts)
            found.bugs.append(RealBug(task_id, broken, fixed, sample))
        except RejectedError as why:
            found.bugs.append(RealBug(task_id, broken, fixed, None, str(why)))
    return found


def benchmark_likenesses(data: Path) -> frozenset[str]:
    """The likenesses of all programs of the sets that the data folder has."""
    found: set[str] = set()
    for name, file in FILES.items():
        if (data / file).is_file():
            for _, broken, fixed in _programs(data, name, Notes()):
                found |= {likeness(broken), likeness(fixed)}
    return frozenset(found)


def _programs(data: Path, name: str, notes: Notes) -> Iterator[tuple[str, str, str]]:
    if name not in FILES:
        raise CTMDataError(f"{name!r} is no set of real bugs; choose of {', '.join(FILES)}")
    for where, one in records_of(data / FILES[name], notes):
        try:
            check_fields(one, _FIELDS, where)
            broken, fixed = (
                program_of(one, "code_before", where),
                program_of(one, "code_after", where),
            )
        except TaskError as error:
            notes.leave_out(str(error))
            continue
        yield one["task_id"], broken, fixed
