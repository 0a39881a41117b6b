"""What stages use: measured in their processes and on a card that is played; told; waited for."""

import io
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from box import Box, wait_for
from rich.console import Console

from kent.card_check import why_not_free
from kent.report import build, render_html, render_terminal
from kent.resource_meter import ResourceMeter
from kent.rounds import run_round
from kent.service_settings import CardConfig
from kent.status import in_lines, status
from kent.stop import StopRequest
from memory.records import ResourceRow
from memory.store import Store
from trainers.cards import CardProcess, CardState, NoCards

FREE = CardState(0, "H200", 500, 100_000, busy=0.5, power_w=300.0, energy_j=1000.0)
HELD = replace(FREE, used_mb=60_000, processes=(CardProcess(4242, 59_500),))


class PlayedCard:
    """A card reader whose card is set by the test; its energy counter goes up by 10 J a look."""

    def __init__(self, card: CardState = FREE) -> None:
        self.card = card

    def cards(self) -> Sequence[CardState]:
        if self.card.energy_j is not None:
            self.card = replace(self.card, energy_j=self.card.energy_j + 10)
        return (self.card,)


@pytest.fixture
def here(box: Box, monkeypatch: pytest.MonkeyPatch) -> Box:
    monkeypatch.setenv("PYTHONPATH", box.env["PYTHONPATH"])
    (box.state / "logs").mkdir()
    (box.state / "run").mkdir()
    return box


def play(box: Box, cards) -> tuple[str, str, list[ResourceRow]]:
    with box.store() as store:
        outcome = run_round(store, box.config(), StopRequest(), cards=cards)
        return outcome.status, outcome.reason, store.resource_use(outcome.round_id)


def test_every_attempt_has_a_record(here: Box):
    here.plan(attempts=["memory"])
    _, _, rows = play(here, NoCards())
    assert [row.stage_run_id for row in rows] == [1, 2]
    for row in rows:
        assert row.wall_s >= row.cpu_s / 64 > 0
        assert row.cpu_s > 0.05  # it imports a library or two
        assert row.card is row.card_energy_j is row.card_busy_s is row.card_peak_memory_mb is None


def test_cpu_and_memory_are_those_of_the_stage(here: Box):
    here.plan(units=4, pause_s=0.6)
    _, _, (row,) = play(here, NoCards())
    assert row.wall_s > 2.4
    assert row.cpu_s < row.wall_s * 4
    assert 20 < row.peak_memory_mb < 4000


def test_a_card_is_measured(here: Box):
    here.plan(units=4, pause_s=0.5)
    _, _, (row,) = play(here, PlayedCard())
    assert (row.card, row.card_peak_memory_mb) == ("H200", 500)
    assert row.card_busy_s == pytest.approx(row.wall_s / 2, rel=0.2)
    assert row.card_energy_j >= 30


def test_energy_is_the_integral_of_power_where_there_is_no_counter():
    meter = ResourceMeter(PlayedCard(replace(FREE, energy_j=None)))
    time.sleep(0.05)
    row = meter.result(1)
    assert row.card_energy_j == pytest.approx(300 * row.wall_s, rel=0.01)


def test_a_held_card_blocks_the_round_and_uses_up_no_attempt(here: Box):
    card = PlayedCard(HELD)
    outcome, reason, rows = play(here, card)
    assert (outcome, rows) == ("blocked", [])
    assert "pid 4242 (59,500 MiB)" in reason
    assert "40,000 of 100,000 MiB free" in reason
    card.card = FREE
    outcome, _, rows = play(here, card)
    assert (outcome, len(rows)) == ("done", 1)


def test_the_check_can_be_turned_off_and_loosened():
    card = PlayedCard(HELD)
    assert why_not_free(card, CardConfig()) is not None
    assert why_not_free(card, CardConfig(check=False)) is None
    assert why_not_free(card, CardConfig(min_free_share=0.3)) is None
    assert why_not_free(NoCards(), CardConfig()) is None


def test_the_price_of_the_round_gives_the_cost(here: Box):
    here.add('[cost]\nper_hour = 3600.0\nper_kwh = 1000.0\ncurrency = "EUR"\n')
    _, _, (row,) = play(here, PlayedCard())
    wanted = row.wall_s + row.card_energy_j / 3600
    used = here.status()["used"]
    assert used["cost"] == pytest.approx(wanted)
    assert any("EUR" in line and "CPU h" in line for line in in_lines(status(here.state)))
    with here.store() as store:
        document = build(store)
    # The report counts the whole attempt as its row has it, the meter from its first process on.
    assert document["resources"]["total"]["cost"]["EUR"] == pytest.approx(wanted, rel=0.5)
    assert document["resources"]["total"]["card_kwh"] == pytest.approx(row.card_energy_j / 3.6e6)
    assert "EUR" in render_html(document)
    console = Console(width=100, record=True, file=io.StringIO())
    render_terminal(document, console)
    assert "EUR" in console.export_text()


def test_without_a_price_there_is_no_cost_and_without_a_card_no_column(here: Box):
    play(here, NoCards())
    assert here.status()["used"]["cost"] is None
    with here.store() as store:
        html = render_html(build(store))
    section = html.split('id="resources"')[1].split("</section>")[0]
    assert "CPU hours" in section
    for word in ("Cost", "Card", "USD"):
        assert word not in section


def test_status_reads_a_database_from_before_there_was_a_record(tmp_path: Path):
    with Store.open(tmp_path / "kent.db") as store:
        store.open_round(seed=1, config={}, code_version="0")
        with store._write() as connection:
            connection.execute("DROP TABLE resource_use")
    document = status(tmp_path)
    assert document["used"] is None
    assert document["last_error"] is None


def test_the_daemon_says_once_which_card_there_is(box: Box):
    box.ok("daemon", "start", "--rounds", "2")
    wait_for(lambda: box.status()["state"] == "stopped", 60)
    lines = (box.state / "logs" / "daemon.log").read_text().splitlines()
    assert [("card" in line or "NVIDIA" in line) for line in lines if "ready: " in line] == [True]
    assert sum("no card" in line for line in lines) <= 1
