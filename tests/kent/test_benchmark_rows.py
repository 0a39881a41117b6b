"""What a part's metrics become: rows of the table, values by item, and what is untrained."""

import numpy as np
import pytest

from kent import benchmark_table
from kent.benchmark_document import comparisons
from kent.benchmark_parts import beside_copying
from kent.benchmark_rows import UNTRAINED, items_of
from trainers.ctm.evaluate import Outcomes


def critic(protocol: str, picked: dict[str, float], random: dict[str, float]):
    return {"protocol": protocol, "items": {"picked": picked, "random": random}}


def test_the_critic_is_compared_with_random_picking_protocol_by_protocol():
    problems = [f"p{number}" for number in range(8)]
    always, half = dict.fromkeys(problems, 1.0), dict.fromkeys(problems, 0.5)
    results = [critic("seed", half, half), critic("visible1", always, half)]
    found = comparisons(items_of("critic", {"results": results}), None)
    assert set(found) == {"picked, seed", "picked, visible1"}
    assert found["picked, seed"]["untrained"]["difference"]["value"] == 0
    visible = found["picked, visible1"]["untrained"]
    assert visible["difference"]["value"] == 0.5
    assert visible["p_value"] < 0.05
    assert visible["wins"] == 8


@pytest.fixture
def outcomes() -> Outcomes:
    fixed = np.array([True, False, True, True])
    ones = np.ones(4)
    return Outcomes(
        fixed=fixed, bug_class=["syntax", "value", "clean", "clean"],
        edits=np.array([1, 1, 0, 0]), missing=np.zeros(4, int), lexemes=np.full(4, 9),
        located=fixed, probability=ones, certainty=ones, changed=fixed, sound=ones,
        fails=~fixed, asked=np.ones(4, int), ticks=np.ones(4, int), seconds=1.0,
        by_tick=fixed[None],
    )  # fmt: skip


def test_the_ctm_is_compared_with_copying_the_input(outcomes):
    found = beside_copying(outcomes)
    assert found["copy"]["fix_accuracy"]["value"] == 0
    assert found["copy"]["clean_kept"]["value"] == 1
    compared = comparisons(items_of("ctm", found), None)
    fixed, kept = compared["fix_accuracy"]["untrained"], compared["clean_kept"]["untrained"]
    assert (fixed["difference"]["value"], fixed["test"]) == (
        0.5,
        "mcnemar exact, one-sided",
    )
    assert kept["difference"]["value"] == 0


def test_table_and_page_say_what_is_untrained(outcomes):
    compared = comparisons(items_of("ctm", beside_copying(outcomes)), None)
    part = {"status": "done", "rows": [], "comparisons": compared, "untrained": UNTRAINED["ctm"]}
    document = {
        "run": "run-0001", "seed": 1, "snapshot": "0" * 64, "contamination": {},
        "parts": {"ctm": part},
    }  # fmt: skip
    said = "ctm, fix_accuracy, against copying the input: +50.0 points"
    assert said in "\n".join(benchmark_table.in_lines(document))
    assert said in benchmark_table.as_page(document)
