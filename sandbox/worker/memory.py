"""The zygote's buffers: what programs write passes through memory that no child inherits."""

import mmap
import os

MADV_DONTNEED = 4
MADV_DONTFORK = 10
STEP = 65536
KEPT = 8192
"""Bytes of output kept from its start, and as many from its end."""


class Memory:
    """A private mapping that grows; ``wipe`` gives its pages back, so that nothing stays."""

    def __init__(self, size: int, *, inherited: bool) -> None:
        self._inherited = inherited
        self._make(size)

    def _make(self, size: int) -> None:
        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        if not self._inherited:
            self._map.madvise(MADV_DONTFORK)
        self._view = memoryview(self._map)

    def reserve(self, size: int) -> memoryview:
        """Room for ``size`` bytes; earlier views are no longer valid when it had to grow."""
        if size > len(self._map):
            self._make(size)
        return self._view[:size]

    def wipe(self) -> None:
        """Forget the content."""
        self._map.madvise(MADV_DONTNEED)


class Stream:
    """A pipe that a program writes to: what was read, up to a cap."""

    def __init__(self, memory: Memory, cap: int) -> None:
        self.read_fd, self.write_fd = os.pipe()
        os.set_blocking(self.read_fd, False)
        self._view = memory.reserve(cap + STEP)
        self.cap, self.size = cap, 0

    def drain(self) -> bool:
        """Read what is there; False at the end of the pipe or above the cap."""
        while self.size <= self.cap:
            try:
                count = os.readv(self.read_fd, [self._view[self.size : self.size + STEP]])
            except BlockingIOError:
                return True
            if not count:
                return False
            self.size += count
        return False

    def content(self) -> list[memoryview]:
        """Tell what was read, at most the cap."""
        return [self._view[: min(self.size, self.cap)]]


class Output(Stream):
    """A program's output: its first and its last bytes are kept, all of it is drained."""

    def __init__(self, memory: Memory, cap: int) -> None:
        super().__init__(memory, cap)
        self._half = min(cap // 2, KEPT)
        self._view = memory.reserve(2 * self._half + STEP)
        self.head = self.tail = 0

    def drain(self) -> bool:
        """Read what is there; False at the end of the pipe."""
        scratch = self._view[2 * self._half :]
        while True:
            try:
                count = os.readv(self.read_fd, [scratch])
            except BlockingIOError:
                return True
            if not count:
                return False
            self._keep(scratch[:count])

    def _keep(self, new: memoryview) -> None:
        taken = min(len(new), self._half - self.head)
        self._view[self.head : self.head + taken] = new[:taken]
        self.head += taken
        new = new[taken:][-self._half :]
        stay = min(self.tail, self._half - len(new))
        area = self._view[self._half : 2 * self._half]
        area[:stay] = area[self.tail - stay : self.tail]
        area[stay : stay + len(new)] = new
        self.tail = stay + len(new)

    def content(self) -> list[memoryview]:
        """Head and tail."""
        return [self._view[: self.head], self._view[self._half : self._half + self.tail]]
