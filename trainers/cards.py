"""The NVIDIA cards of this machine, as NVML tells of them; none where there is no driver.

NVML is the library behind ``nvidia-smi``. Reading it makes no CUDA context and takes no memory of
the card. The binding (``nvidia-ml-py``, imported as ``pynvml``) is optional.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_MB = 2**20


@dataclass(frozen=True)
class CardProcess:
    """A process with memory on a card; in a container its pid may be the host's."""

    pid: int
    memory_mb: int | None


@dataclass(frozen=True)
class CardState:
    """A card at one moment.

    ``busy`` is the share of the last moments in which a kernel ran, ``energy_j`` what the card has
    used since its driver was loaded, ``power_w`` what it draws now; None where it does not tell.
    """

    index: int
    name: str
    used_mb: int
    total_mb: int
    busy: float | None = None
    power_w: float | None = None
    energy_j: float | None = None
    processes: tuple[CardProcess, ...] = ()

    @property
    def free_share(self) -> float:
        """The share of its memory that nobody holds."""
        return 1 - self.used_mb / self.total_mb if self.total_mb else 1.0


class CardReader(Protocol):
    """Whoever can tell of the cards that this process may use."""

    def cards(self) -> Sequence[CardState]:
        """Their state now; empty where there is none, or where it cannot be told."""


class NoCards:
    """A machine without a card, or without a way to ask; ``reason`` says which."""

    def __init__(self, reason: str = "no card") -> None:
        self.reason = reason

    def cards(self) -> Sequence[CardState]:
        """None."""
        return ()


class NvmlCards:
    """The cards that NVML shows, of those that ``CUDA_VISIBLE_DEVICES`` leaves."""

    def __init__(self, nvml: Any, visible: str | None, say: Callable[[str], object]) -> None:
        """``nvml`` is the module ``pynvml``, initialised; ``say`` is told of its first failure."""
        self._nvml, self._visible, self._say = nvml, visible, say
        self._failed = False

    def cards(self) -> Sequence[CardState]:
        """See :class:`CardReader`."""
        try:
            found = [self._state(index) for index in range(self._nvml.nvmlDeviceGetCount())]
        except self._nvml.NVMLError as error:  # a driver that is being replaced, say
            if not self._failed:
                self._say(f"the card cannot be read any more: {error}")
            self._failed = True
            return ()
        self._failed = False
        return tuple(card for card in found if card is not None)

    def _state(self, index: int) -> CardState | None:
        nvml = self._nvml
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        if not is_visible(index, _text(nvml.nvmlDeviceGetUUID(handle)), self._visible):
            return None
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        busy = self._maybe(nvml.nvmlDeviceGetUtilizationRates, handle)
        power = self._maybe(nvml.nvmlDeviceGetPowerUsage, handle)
        energy = self._maybe(nvml.nvmlDeviceGetTotalEnergyConsumption, handle)
        running = self._maybe(nvml.nvmlDeviceGetComputeRunningProcesses, handle) or ()
        return CardState(
            index=index,
            name=_text(nvml.nvmlDeviceGetName(handle)),
            used_mb=int(memory.used) // _MB,
            total_mb=int(memory.total) // _MB,
            busy=None if busy is None else busy.gpu / 100,
            power_w=None if power is None else power / 1000,
            energy_j=None if energy is None else energy / 1000,
            processes=tuple(_process(one) for one in running),
        )

    def _maybe(self, ask: Callable[[Any], Any], handle: Any) -> Any:
        """An answer, or None where this card has none to give."""
        try:
            return ask(handle)
        except self._nvml.NVMLError:
            return None


def open_cards(
    say: Callable[[str], object], environment: Mapping[str, str] = os.environ
) -> CardReader:
    """The reader for this machine; ``say`` is told where a card cannot be read later on.

    Where there is none the reader knows why; :func:`in_words` tells it.
    """
    try:
        import pynvml
    except ImportError:
        return NoCards("no card: nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return NoCards(f"no card: {error}")
    if not count:
        return NoCards("no card: the driver shows none")
    return NvmlCards(pynvml, environment.get("CUDA_VISIBLE_DEVICES"), say)


def in_words(reader: CardReader) -> str:
    """The names of the cards, or why there is none."""
    if isinstance(reader, NoCards):
        return reader.reason
    return ", ".join(card.name for card in reader.cards()) or "no card: none is visible"


def is_visible(index: int, uuid: str, visible: str | None) -> bool:
    """Whether ``CUDA_VISIBLE_DEVICES`` leaves a card, by its index or the start of its UUID."""
    if visible is None:
        return True
    names = [name.strip() for name in visible.split(",")]
    return any(name == str(index) or (name and uuid.startswith(name)) for name in names)


def holders(card: CardState, pids: frozenset[int] = frozenset()) -> str:
    """Who holds memory on a card but the processes in ``pids``: ``pid 12 (900 MiB)``."""
    told = [
        f"pid {one.pid}" + ("" if one.memory_mb is None else f" ({one.memory_mb:,} MiB)")
        for one in card.processes
        if one.pid not in pids
    ]
    return ", ".join(told) or "no process that it names"


def await_release(
    reader: CardReader,
    before: Mapping[int, int],
    *,
    within_s: float,
    slack_mb: int = 512,
    sleep: Callable[[float], object] = time.sleep,
) -> list[CardState]:
    """Wait until the cards hold no more than before; those that still do after ``within_s``.

    Args:
        reader: of the cards.
        before: MiB in use by index, from before the engine whose end is waited for was started.
        within_s: seconds of waiting at most.
        slack_mb: MiB more than before that count as released.
        sleep: how to wait, in seconds.
    """
    pause_s, waited_s = 0.1, 0.0
    while True:
        held = [card for card in reader.cards()
                if card.used_mb > before.get(card.index, 0) + slack_mb]  # fmt: skip
        if not held or waited_s >= within_s:
            return held
        sleep(pause_s)
        waited_s += pause_s
        pause_s = min(2 * pause_s, 2.0)


def used_memory(reader: CardReader) -> dict[int, int]:
    """MiB in use by the index of the card."""
    return {card.index: card.used_mb for card in reader.cards()}


def _process(one: Any) -> CardProcess:
    used = getattr(one, "usedGpuMemory", None)
    return CardProcess(int(one.pid), None if used is None else int(used) // _MB)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
