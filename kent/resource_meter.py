"""What a stage uses of the machine while it runs: CPU, memory and the card."""

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from memory.records import ResourceRow
from trainers.cards import CardReader, CardState

_MEMORY_EVERY_S = 2.0  # the proportional size is read from each process's page tables
_MB = 2**20


class ResourceMeter:
    """Measures one attempt of a stage; the attempt's processes are this process's only children.

    CPU seconds are those of all processes that the attempt started and that ended, as the kernel
    counts them. Peak memory is the largest sum of its processes' proportional sizes (a page that
    two share counts half in each) over looks some seconds apart, and not less than the largest
    resident size that the stage's own process ever had. The card's busy seconds are the integral of
    its utilisation over the looks; its energy is the difference of its counter, or the integral of
    its power where it has none. Several cards are summed.
    """

    def __init__(self, cards: CardReader) -> None:
        self._reader = cards
        self._began = self._last = time.monotonic()
        self._cpu_before = _children_cpu_s()
        self._memory_at = float("-inf")
        self._peak_mb: float | None = None
        self._card = _Card(cards.cards())

    def look(self, pid: int) -> None:
        """Look at the stage's process tree and the card, about twice a second."""
        now = time.monotonic()
        self._card.look(self._reader.cards(), now - self._last)
        self._last = now
        own = _high_water_mb(pid)
        if now - self._memory_at >= _MEMORY_EVERY_S:
            self._memory_at = now
            own = max(own or 0.0, _tree_mb(pid)) or own
        if own is not None:
            self._peak_mb = max(self._peak_mb or 0.0, own)

    def result(self, stage_run_id: int) -> ResourceRow:
        """What it came to; call it when the attempt's last process has been reaped."""
        now = time.monotonic()
        self._card.look(self._reader.cards(), now - self._last)
        self._last = now
        return ResourceRow(
            stage_run_id=stage_run_id,
            wall_s=now - self._began,
            cpu_s=max(0.0, _children_cpu_s() - self._cpu_before),
            peak_memory_mb=self._peak_mb,
            card=self._card.name,
            card_busy_s=self._card.busy_s,
            card_peak_memory_mb=self._card.peak_mb,
            card_energy_j=self._card.energy_j,
        )


class _Card:
    """Sums over all cards; every figure is None where no card tells it."""

    def __init__(self, first: Sequence[CardState]) -> None:
        names = sorted({card.name for card in first})
        self.name = f"{len(first)} × {', '.join(names)}" if len(first) > 1 else next(
            iter(names), None)  # fmt: skip
        self.busy_s: float | None = None
        self.peak_mb: float | None = None
        self.energy_j: float | None = None
        self._counters = _counters(first)

    def look(self, cards: Sequence[CardState], seconds: float) -> None:
        if not cards:
            return
        self.peak_mb = max(self.peak_mb or 0.0, float(sum(card.used_mb for card in cards)))
        busy = [card.busy for card in cards if card.busy is not None]
        if busy:
            self.busy_s = (self.busy_s or 0.0) + sum(busy) * seconds
        counters = _counters(cards)
        for card in cards:
            used = self._energy_of(card, counters, seconds)
            if used is not None:
                self.energy_j = (self.energy_j or 0.0) + used
        self._counters = counters

    def _energy_of(
        self, card: CardState, counters: dict[int, float], seconds: float
    ) -> float | None:
        """Joules since the last look; a counter that went back began anew with its driver."""
        if card.index in counters and card.index in self._counters:
            return max(0.0, counters[card.index] - self._counters[card.index])
        return None if card.power_w is None else card.power_w * seconds


def _counters(cards: Sequence[CardState]) -> dict[int, float]:
    return {card.index: card.energy_j for card in cards if card.energy_j is not None}


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tree_mb(pid: int) -> float:
    """The proportional size of a process and its descendants; 0 where they are gone."""
    try:
        root = psutil.Process(pid)
        tree = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(map(_process_bytes, tree)) / _MB


def _process_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss if sys.platform == "linux" else (
            process.memory_info().rss))  # fmt: skip
    except psutil.AccessDenied:  # another user's, as in the sandbox: its resident size can be read
        try:
            return int(process.memory_info().rss)
        except psutil.Error:
            return 0
    except (psutil.NoSuchProcess, ProcessLookupError):
        return 0


def _high_water_mb(pid: int) -> float | None:
    """The largest resident size that a process had so far; None where Linux does not tell it."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) / 1024 if found else None
