"""The learning curve: the version in use beside a cold start, in every form of the report."""

import io
import json

from rich.console import Console

from kent.report import build, render_html, render_terminal
from memory.records import Figure
from memory.store import Store

NAMES = ("file_acc1", "file_acc5", "repaired")


def add_code_round(store: Store, number: int, tasks: str = "same") -> None:
    """A round whose version finds more files and needs fewer candidates than the one before."""
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "code", pid=1, pid_start=1.0).id
    metrics: dict[str, object] = {"learning.set": tasks, "learning.tasks": 40}
    metrics["learning.train_tasks"] = 300 * number
    for side, gain in (("learning.", 0.05 * number), ("learning.cold.", 0.0)):
        for name in NAMES:
            value = 0.4 + gain
            metrics[side + name] = Figure(value, value - 0.1, value + 0.1, 20).to_json()
        tried = 1234.5 / (1 + 40 * gain)
        metrics[side + "candidates"] = Figure(tried, 0.5 * tried, 2 * tried, 20).to_json()
    store.end_stage_run(run, "done", metrics=metrics)
    store.close_round(round_id, "done")


def shown(store: Store) -> str:
    stream = io.StringIO()
    render_terminal(build(store), Console(file=stream, width=80))
    return stream.getvalue()


def test_the_document_has_both_lines_with_their_intervals_in_every_round(store: Store):
    for number in range(1, 6):
        add_code_round(store, number)
    rounds = json.loads(json.dumps(build(store)))["rounds"]
    stages = [row["stages"]["code"] for row in rounds]
    learned = [stage["learning.file_acc1"]["value"] for stage in stages]
    assert learned == sorted(learned)
    for stage in stages:
        assert stage["learning.cold.file_acc1"]["value"] == 0.4
        assert stage["learning.cold.file_acc1"].keys() == {"value", "low", "high", "n"}
        assert stage["learning.candidates"]["value"] < stage["learning.cold.candidates"]["value"]
        assert stage["provenance"]["learning.candidates"]["stage_run"]


def test_the_terminal_shows_the_curve_beside_the_cold_line_in_eighty_columns(store: Store):
    for number in range(1, 6):
        add_code_round(store, number)
    text = shown(store)
    assert "What learning gave, on the same validation tasks" in text
    assert "BM25" in text
    assert "65.0" in text  # the fifth round's
    assert "1,500" in text  # learned from
    assert "617–2,469" in text  # the cold order's interval, which has no place for decimals
    assert "n: file @1 20" in " ".join(text.split())
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_page_draws_both_lines_with_bands_and_has_them_in_a_table(store: Store):
    for number in range(1, 6):
        add_code_round(store, number)
    html = render_html(build(store))
    start = html.index("Programs run for each one repaired")
    plot = html[start : html.index("</svg>", start)]
    for word in ("Untrained order", "Learned order", "band"):
        assert word in plot
    assert "What learning gave, on the same validation tasks in every round (40 of them)" in html


def test_rounds_on_other_tasks_are_not_joined_to_the_curve(store: Store):
    add_code_round(store, 1, tasks="fewer")
    for number in (2, 3):
        add_code_round(store, number)
    text = shown(store)
    curve = text[text.index("What learning gave") : text.index("The version in use")]
    assert curve.count(" 600 ") == curve.count(" 900 ") == 2  # in both tables
    assert " 300 " not in curve  # what the first round had learned from


def test_before_the_first_round_there_is_no_curve(store: Store):
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    store.begin_stage_run(round_id, "code", pid=1, pid_start=1.0)
    assert "What learning gave" not in shown(store)
    assert "What learning gave" not in render_html(build(store))
