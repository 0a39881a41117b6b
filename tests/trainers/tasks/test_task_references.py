"""Whole real sets: every reference solution passes the tests that were made of its problem."""

from collections import Counter

import pytest

from sandbox import Limits, Program, Sandbox, tests_from_json
from trainers.config import TasksConfig
from trainers.tasks import load_problems

LONG = Limits(cpu_s=40.0, wall_s=160.0)
"""Some references take four seconds of a slow machine."""


def failures(rows):
    by_id = {row.id: row for row in rows}
    with Sandbox(workers=2, limits=LONG) as sandbox:
        programs = (Program(r.id, r.reference, tests_from_json(r.tests)) for r in by_id.values())
        return {v.key: (v.word, v.failure) for v in sandbox.run_many(programs) if not v.passed}


def load(real_data, also):
    return load_problems(
        TasksConfig(train="mbpp", hub=False), {"KENT_DATA": str(real_data)}, also=also
    )


def test_mbpp_and_humaneval(real_data):
    loaded = load(real_data, ["humaneval"])
    counts = Counter((row.source, row.split) for row in loaded.rows)
    assert counts == {
        ("mbpp", "prompt"): 10,
        ("mbpp", "test"): 500,
        ("mbpp", "validation"): 90,
        ("mbpp", "train"): 374,
        ("humaneval", "test"): 164,
    }
    modes = Counter(row.tests["mode"] for row in loaded.rows)
    assert modes["data"] >= 0.98 * len(loaded.rows)
    assert failures(loaded.rows) == {}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_plus_sets(real_data):
    loaded = load(real_data, ["humanevalplus", "mbppplus"])
    rows = [row for row in loaded.rows if row.source.endswith("plus")]
    counts = Counter((row.source, row.split) for row in rows)
    # 558 and 581 have two right answers.
    assert counts == {
        ("humanevalplus", "test"): 164,
        ("mbppplus", "prompt"): 7,
        ("mbppplus", "test"): 224,
        ("mbppplus", "validation"): 37,
        ("mbppplus", "train"): 108,
    }
    assert failures(rows) == {}
    splits = {row.id: row.split for row in loaded.rows}
    assert all(row.split == splits[row.metadata["base"]] for row in rows if "mbpp" in row.id)
