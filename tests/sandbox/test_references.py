"""The data sets' own solutions pass."""

import pytest

from sandbox import Program, from_asserts, from_check


def references(data):
    for row in data("mbpp.jsonl"):
        asserts = row["test_list"] + row["challenge_test_list"]
        tests = from_asserts(asserts, setup_code=row["test_setup_code"])
        yield Program(f"mbpp/{row['task_id']}", row["code"], tests)
    for row in data("humaneval.jsonl"):
        tests = from_check(row["test"], row["entry_point"], prompt=row["prompt"])
        yield Program(row["task_id"], row["prompt"] + row["canonical_solution"], tests)


def test_a_sample_of_references_passes(sandbox, data):
    programs = list(references(data))
    chosen = [p for i, p in enumerate(programs) if i % 9 == 0 or p.tests.mode == "split"]
    assert len(chosen) > 120
    assert [v for v in sandbox.run_many(chosen) if not v.passed] == []


@pytest.mark.slow
def test_all_references_pass(sandbox, data):
    programs = list(references(data))
    assert len(programs) == 974 + 164
    assert sum(p.tests.mode == "data" for p in programs) == 969 + 157
    assert [v for v in sandbox.run_many(programs) if not v.passed] == []
