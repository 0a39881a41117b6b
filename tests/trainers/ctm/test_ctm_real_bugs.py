"""Real bugs as samples for evaluation: which repairs can be reached; none is trained on."""

import json
import os
from pathlib import Path

import pytest

from trainers.ctm.data.bugs_real import FILES, benchmark_likenesses, read_real_bugs
from trainers.ctm.data.corpus import likeness
from trainers.ctm.data.program import Program, repair_script, repaired
from trainers.errors import CTMDataError, TaskError
from trainers.tasks.swe.notes import Notes

DATA = Path(os.environ.get("KENT_DATA", "nowhere"))
needs_data = pytest.mark.skipif(
    not all((DATA / file).is_file() for file in FILES.values()),
    reason="needs the folder swe of the data that KENT_DATA names",
)


@needs_data
@pytest.mark.parametrize(("name", "share"), [("quixbugs", 0.9), ("humanevalfix", 0.7)])
def test_most_real_bugs_can_be_repaired_by_a_few_edits(encoder, name, share):
    found = read_real_bugs(DATA, name, encoder)
    assert len(found.samples) >= share * len(found.bugs) > 0
    assert len(found.samples) + found.reasons.total() == len(found.bugs)
    for bug in found.bugs:
        if bug.sample is not None:
            script = repair_script(Program.of(bug.broken), Program.of(bug.fixed))
            text = repaired(Program.of(bug.broken), script).render()
            assert Program.of(text).values == Program.of(bug.fixed).values


@needs_data
def test_benchmark_programs_have_likenesses_to_be_left_out():
    known = benchmark_likenesses(DATA)
    line = (DATA / FILES["quixbugs"]).read_text().splitlines()[0]
    (code,) = json.loads(line)["code_after"].values()
    assert likeness(code) in known
    assert len(known) > 100


def test_a_broken_line_is_a_note_and_an_absent_file_an_error(encoder, tmp_path):
    (tmp_path / "swe").mkdir()
    good = {"task_id": "quixbugs/a", "code_before": {"a.py": "x = 1\n"}}
    lines = [json.dumps(good), "{", json.dumps({**good, "code_after": {"a.py": "x = 2\n"}})]
    (tmp_path / FILES["quixbugs"]).write_text("\n".join(lines) + "\n")
    notes = Notes()
    found = read_real_bugs(tmp_path, "quixbugs", encoder, notes)
    assert [bug.task_id for bug in found.bugs] == ["quixbugs/a"]
    assert notes.left_out == 2
    with pytest.raises(TaskError):
        read_real_bugs(tmp_path, "humanevalfix", encoder)
    with pytest.raises(CTMDataError, match="no set of real bugs"):
        read_real_bugs(tmp_path, "other", encoder)
    assert benchmark_likenesses(tmp_path / "none") == frozenset()
