"""The report in a terminal: its width, its characters, and that stored text stays text."""

import io

import pytest
from rich.console import Console

from kent.report import build, render_terminal
from memory.store import Store
from tests.kent.report.filling import add_round

HOSTILE = "[red]x[/red] [link=https://evil.example]y[/link] [/] \x1b[31mred\x1b[0m \u202eback"


def shown(store: Store, *, width: int = 80, encoding: str = "utf-8", **console) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    render_terminal(build(store), Console(file=stream, width=width, **console))
    return raw.getvalue().decode(encoding)


def test_an_empty_store_says_what_to_do(store: Store):
    assert "kent daemon start" in shown(store)


def test_it_shows_figures_with_intervals_changes_promotions_and_totals(store: Store):
    for decision in ("promoted", "kept", "kept"):
        add_round(store, samples=True, decision=decision, reason=f"because {decision}")
    text = shown(store)
    for piece in ("48.0", "42.6–54.0", "+2.0", "unpaired", "because promoted", "p = 0.012",
                  "144, 1,656 tokens", "gap", "Nothing is running"):  # fmt: skip
        assert piece in text, piece
    assert any(block in text for block in "▁▂▃▄▅▆▇█")


def test_it_shows_what_was_done_by_hand_and_what_is_stale(store: Store):
    for _ in range(2):
        add_round(store, decision="promoted")
    store.promote_by_hand(
        "critic-0001", replacing="critic-0002", decision="rolled_back", reason=HOSTILE
    )
    store.mark_stale("critic-0001", "its generator changed")
    text = shown(store)
    assert "rolled back by hand" in text
    assert "None" not in text
    assert "critic: critic-0001 (stale)" in text
    assert "critic-0001: its generator changed" in text
    assert "\u202e" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


@pytest.mark.parametrize("rounds", [1, 4, 40])
def test_it_fits_eighty_columns(store: Store, rounds: int):
    for number in range(rounds):
        end = "failed" if number % 7 == 3 else "done"
        add_round(store, end=end, error="e" * 300 if end == "failed" else None, decision="kept")
    text = shown(store)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count("…") == text.count("\n… ") == (rounds == 40)  # no figure is cut
    assert ("28 left out" in text) == (rounds == 40)


def test_stored_text_is_neither_markup_nor_terminal_control(store: Store):
    add_round(store, decision="kept", reason=HOSTILE, problem_set=HOSTILE)
    add_round(store, end="failed", error=HOSTILE)
    plain = shown(store)
    assert "[red]x[/red]" in plain
    assert "[link=https://evil.example]" in plain.replace("\n", "")
    coloured = shown(store, force_terminal=True, color_system="truecolor", width=300)
    assert "\x1b[31mred" not in coloured
    assert "]8;" not in coloured
    assert "\u202e" not in plain


def test_a_running_stage_and_a_dead_one(store: Store):
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run = store.begin_stage_run(round_id, "critic", pid=1, pid_start=1.0)
    store.beat(run.id, "sample", 3, 12, "problems")
    assert "3 of 12 problems (25 %)" in shown(store)
    stream = io.StringIO()
    late = build(store, now=run.started_at + 4000)
    render_terminal(late, Console(file=stream, width=200))
    assert "no heartbeat for 1 h" in stream.getvalue()


def test_a_console_without_unicode_gets_ascii(store: Store):
    for _ in range(2):
        add_round(store, decision="kept", reason="größer")
    assert shown(store, encoding="ascii").isascii()
