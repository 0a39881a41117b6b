"""Watching a program run: its limits, its pipes, its end, and what it used.

CPU time decides a timeout, read from the process's own clock, which it can neither stop nor reset;
wall time is only the backstop. A program that ends is reaped, and whatever else it left is killed.
"""

import os
import select
import signal
import time

from sandbox.worker import wire
from sandbox.worker.memory import Output, Stream

CHECK_S = 0.01
"""The least time between two looks at the CPU clock."""

_HANGUP = select.POLLRDHUP | select.POLLHUP | select.POLLERR
_CORES = os.cpu_count() or 1
_SCHEDULER_CLOCK = 2


def cpu_seconds(pid: int) -> float:
    """CPU time that process ``pid`` with all its threads has used; 0 when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULER_CLOCK)
    except OSError:
        return 0.0


def _exactly(fd: int, size: int) -> bytes:
    """Read ``size`` bytes; the zygote ends where the pool has hung up."""
    pieces = []
    while size:
        piece = os.read(fd, min(size, 1 << 16))
        if not piece:
            os._exit(0)
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class Process:
    """One child: its pid, its frames, and, once it has ended, its status and usage."""

    def __init__(self, pid: int, frames: Stream) -> None:
        self.pid, self.frames = pid, frames
        os.close(frames.write_fd)
        self.pidfd = os.pidfd_open(pid)
        self.status: int | None = None
        self.cpu_s, self.peak_kib = 0.0, 0

    def kill(self) -> None:
        """Kill it if it has not ended."""
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)

    def reap(self) -> None:
        """Take its status; it must have ended."""
        _, self.status, usage = os.wait4(self.pid, 0)
        self.cpu_s, self.peak_kib = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
        os.close(self.pidfd)


class Supervisor:
    """Runs one job's processes to their end. The first process is the candidate."""

    def __init__(self, job: wire.Job, output: Output, hangups: tuple[int, int]) -> None:
        self.job, self.output = job, output
        self.processes: list[Process] = []
        self._started = time.monotonic()
        self._ended = 0.0
        self._why = wire.ENDED
        self._poll = select.poll()
        self._poll.register(output.read_fd, select.POLLIN)
        self._hangups = hangups
        control, parent = hangups
        self._poll.register(control, select.POLLRDHUP)
        self._poll.register(parent, select.POLLIN)

    def add(self, process: Process) -> None:
        """Watch one more process."""
        self.processes.append(process)
        self._poll.register(process.pidfd, select.POLLIN)
        self._poll.register(process.frames.read_fd, select.POLLIN)

    def run(self) -> None:
        """Return when every process has ended and every pipe is read."""
        os.close(self.output.write_fd)
        deadline = self._started + self.job.wall_s
        look = self._started + self.job.cpu_s / _CORES
        patient = self._started + wire.RETURN_S
        while any(process.status is None for process in self.processes):
            now = time.monotonic()
            if now >= deadline:
                self._stop(wire.WALL)
            if now >= look:
                look = now + max(CHECK_S, self._cpu_left() / _CORES)
            if now >= patient:
                patient = deadline
                self._poll.modify(self._hangups[0], select.POLLRDHUP | select.POLLIN)
            wait = 1.0 if self._why else min(deadline, look, patient) - now
            for fd, events in self._poll.poll(max(0, wait) * 1000 + 1):
                if fd == self._hangups[0] and not events & _HANGUP:
                    self._give_back()
                else:
                    self._handle(fd)
        self._ended = time.monotonic()
        for stream in [self.output, *(process.frames for process in self.processes)]:
            stream.drain()
            os.close(stream.read_fd)

    def _give_back(self) -> None:
        """Return the job that waits behind this program: another zygote may be free."""
        control = self._hangups[0]
        job = wire.Job(*wire.JOB.unpack(_exactly(control, wire.JOB.size)))
        _exactly(control, job.code_size + job.inputs_size + job.tester_size)
        os.write(control, wire.REPORT.pack(wire.MAGIC, wire.RETURNED, *[0] * 9))
        self._poll.modify(control, select.POLLRDHUP)

    def _handle(self, fd: int) -> None:
        if fd in self._hangups:
            self._stop(wire.ENDED)
            os._exit(0)  # the pool is gone
        if fd == self.output.read_fd:
            self._drain(self.output)
            return
        for index, process in enumerate(self.processes):
            if fd == process.frames.read_fd:
                self._drain(process.frames)
            elif fd == process.pidfd:
                self._poll.unregister(fd)
                process.reap()
                if index == 1:  # the tests are over
                    self.processes[0].kill()

    def _drain(self, stream: Stream) -> None:
        if stream.drain():
            return
        self._poll.unregister(stream.read_fd)
        if stream.size > stream.cap:
            self._stop(wire.RESULT_CAP)

    def _cpu_left(self) -> float:
        """CPU seconds until one of the processes is over its limit; stops them when one is."""
        used = [cpu_seconds(process.pid) for process in self.processes if process.status is None]
        left = self.job.cpu_s - max(used, default=0.0)
        if left <= 0:
            self._stop(wire.CPU)
        return left

    def _stop(self, why: int) -> None:
        self._why = self._why or why
        for process in self.processes:
            process.kill()

    def report(self) -> tuple[bytes, list[memoryview]]:
        """Return the report's header and what follows it."""
        candidate = self.processes[0]
        tester = self.processes[1] if len(self.processes) > 1 else None
        pieces = candidate.frames.content()
        pieces += tester.frames.content() if tester else [memoryview(b"")]
        pieces += self.output.content()
        header = wire.REPORT.pack(
            wire.MAGIC,
            self._why,
            candidate.status,
            tester.status if tester else 0,
            candidate.cpu_s,
            self._ended - self._started,
            candidate.peak_kib,
            *map(len, pieces),
        )
        return header, pieces
