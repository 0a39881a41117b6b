"""Plots of the CTM's ticks: every one is drawn, as files and in the page, without an image."""

import pytest

from kent.ctm_plots import as_svg, drawings, write_plots
from kent.report import build
from kent.report.page import render_html
from memory.store import Store
from tests.kent.report.test_page import Page

NAMES = {
    "iteration_progression", "certainty_curves", "attention_on_place", "synchronisation_patterns",
    "attention_maps", "reliability",
}  # fmt: skip
RISING = [0.1, 0.3, 0.4, 0.45]
ANALYSIS = {
    "ticks": 4,
    "n": {"syntax": 12, "all_logic": 7, "clean": 5},
    "certainty": {"syntax": RISING, "all_logic": RISING, "clean": [0.5, 0.6, 0.7, 0.8]},
    "certainty_by_outcome": {"place right": RISING, "place wrong": [0.1, 0.1, 0.1, 0.2]},
    "located": {"syntax": RISING, "all_logic": [0.0, 0.1, 0.1, 0.2], "clean": RISING},
    "attention_on_place": {"syntax": RISING, "all_logic": RISING},
    "attention_even": {"syntax": 0.02, "all_logic": 0.01},
    "synchronisation": {
        "pairs": [3, 5, 9],
        "classes": {"syntax": [1.0, -0.5, 0.2], "all_logic": [-1, 0.5, 0], "clean": [0, 0, 0.1]},
    },
    "maps": [
        {
            "bug_class": "syntax",
            "row": [0, 0, 1, 1],
            "col": [0, 1, 0, 1],
            "right": [2],
            "ticks": {"1": [0.25] * 4, "2": [0.1, 0.1, 0.7, 0.1], "4": [0.0, 0.0, 1.0, 0.0]},
        }
    ],
    "fixed_by_tick": RISING,
    "reliability": [
        {"said": 0.1, "seen": {"value": 0.2, "low": 0.1, "high": 0.3, "n": 10}},
        {"said": 0.9, "seen": {"value": 0.8, "low": 0.7, "high": 0.9, "n": 10}},
    ],
}
EMPTY = {
    **ANALYSIS,
    "n": {"clean": 1},
    "certainty": {"clean": RISING},
    "certainty_by_outcome": {},
    "located": {"clean": RISING},
    "attention_on_place": {},
    "attention_even": {},
    "synchronisation": {"pairs": [], "classes": {}},
    "maps": [],
    "fixed_by_tick": [],
    "reliability": [],
}


def test_every_plot_is_written_twice_and_the_same_numbers_give_the_same_bytes(tmp_path):
    files = write_plots(ANALYSIS, tmp_path / "one")
    assert {path.name for path in files} == {f"{n}.{end}" for n in NAMES for end in ("png", "svg")}
    for path in write_plots(ANALYSIS, tmp_path / "two"):
        assert path.read_bytes() == (tmp_path / "one" / path.name).read_bytes()


def test_what_has_nothing_to_show_is_left_out():
    assert set(drawings(EMPTY)) == {"certainty_curves"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_drawing_has_no_image_and_ids_of_its_own(name):
    text = as_svg(drawings(ANALYSIS)[name], "here")
    page = Page(text)
    assert not page.named("image")
    assert not page.named("script")
    assert all(found["id"].startswith("here-") for _, found in page.elements if found.get("id"))


def test_the_page_shows_what_the_last_round_saw(tmp_path):
    with Store.open(tmp_path / "kent.db") as store:
        round_id = store.open_round(seed=1, config={}, code_version="0").id
        run = store.begin_stage_run(round_id, "ctm", pid=None, pid_start=None)
        metrics = {"analysis": ANALYSIS, "reliability": ANALYSIS["reliability"]}
        store.end_stage_run(run.id, "done", metrics=metrics)
        store.close_round(round_id, "done")
        page = Page(render_html(build(store)))
    for told in (
        "Iteration progression in round 1",
        "Attention maps in round 1",
        "syntax (n = 12)",
    ):
        assert told in page.text
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
