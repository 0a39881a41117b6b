"""Cards as NVML tells of them: what is visible, who holds memory, waiting for its release."""

import sys
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from trainers.cards import (
    CardProcess,
    CardState,
    NoCards,
    NvmlCards,
    await_release,
    holders,
    in_words,
    is_visible,
    open_cards,
    used_memory,
)


class Looks:
    """A reader whose card has another state at each look; the last one stays."""

    def __init__(self, *used_mb: int) -> None:
        self.used_mb = list(used_mb)

    def cards(self) -> Sequence[CardState]:
        used = self.used_mb.pop(0) if len(self.used_mb) > 1 else self.used_mb[0]
        return (CardState(0, "H200", used, 1000, processes=(CardProcess(7, used),)),)


class NVMLError(Exception):
    pass


class Driver:
    """As much of ``pynvml`` as is read, of two cards, one of which tells less."""

    NVMLError = NVMLError

    def __init__(self) -> None:
        self.broken = False

    def nvmlDeviceGetCount(self):
        if self.broken:
            raise NVMLError("Driver/library version mismatch")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index):
        return index

    def nvmlDeviceGetUUID(self, handle):
        return b"GPU-aaa" if handle == 0 else "GPU-bbb"

    def nvmlDeviceGetName(self, handle):
        return "NVIDIA H200"

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(used=3 * 2**30, total=4 * 2**30)

    def nvmlDeviceGetUtilizationRates(self, handle):
        return SimpleNamespace(gpu=40) if handle == 0 else self._not_supported()

    def nvmlDeviceGetPowerUsage(self, handle):
        return 250_000

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        return 9_000 if handle == 0 else self._not_supported()

    def nvmlDeviceGetComputeRunningProcesses(self, handle):
        return [SimpleNamespace(pid=7, usedGpuMemory=2**30),
                SimpleNamespace(pid=8, usedGpuMemory=None)]  # fmt: skip

    def _not_supported(self):
        raise NVMLError("Not Supported")


def test_without_a_driver_there_is_no_card():
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    said: list[str] = []
    reader = open_cards(said.append)
    if not isinstance(reader, NoCards):
        pytest.skip("this machine has a card")
    assert reader.cards() == reader.cards() == ()
    assert said == []
    assert in_words(reader).startswith("no card: ")


def test_without_the_library_there_is_no_card(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    said: list[str] = []
    reader = open_cards(said.append)
    assert (reader.cards(), said) == ((), [])
    assert in_words(reader) == "no card: nvidia-ml-py is not installed"


def test_a_card_is_read_in_mib_watts_and_joules():
    first, second = NvmlCards(Driver(), None, print).cards()
    assert (first.used_mb, first.total_mb, first.free_share) == (3072, 4096, 0.25)
    assert (first.busy, first.power_w, first.energy_j) == (0.4, 250.0, 9.0)
    assert first.processes == (CardProcess(7, 1024), CardProcess(8, None))
    assert (second.busy, second.energy_j) == (None, None)  # what it does not tell


def test_a_driver_that_fails_is_said_once_and_is_no_exception():
    driver, said = Driver(), []
    reader = NvmlCards(driver, None, said.append)
    driver.broken = True
    assert reader.cards() == reader.cards() == ()
    assert len(said) == 1
    driver.broken = False
    assert len(reader.cards()) == 2


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, [0, 1]), ("", []), ("1", [1]), ("0,1", [0, 1]), ("GPU-b", [1]), (" 0 ", [0])],
)
def test_only_visible_cards_are_looked_at(visible, seen):
    reader = NvmlCards(Driver(), visible, print)
    assert [card.index for card in reader.cards()] == seen
    assert in_words(reader) == (
        ", ".join(["NVIDIA H200"] * len(seen)) or "no card: none is visible"
    )
    assert is_visible(0, "GPU-aaa", visible) == (0 in seen)


def test_holders_are_named_with_their_memory():
    card = NvmlCards(Driver(), "0", print).cards()[0]
    assert holders(card) == "pid 7 (1,024 MiB), pid 8"
    assert holders(card, frozenset({7, 8})) == "no process that it names"


def test_release_is_waited_for_until_the_memory_is_back():
    pauses: list[float] = []
    reader = Looks(900, 900, 300, 100)
    assert await_release(reader, {0: 90}, within_s=60, slack_mb=20, sleep=pauses.append) == []
    assert pauses == [0.1, 0.2, 0.4]


def test_release_that_does_not_come_is_told_after_a_bounded_wait():
    pauses: list[float] = []
    (held,) = await_release(Looks(900), {}, within_s=5, sleep=pauses.append)
    assert held.used_mb == 900
    assert 5 <= sum(pauses) <= 7
    assert await_release(NoCards(), {}, within_s=5, sleep=pauses.append) == []
    assert used_memory(Looks(5)) == {0: 5}
