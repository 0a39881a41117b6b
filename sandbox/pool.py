"""The pool: a thread that keeps the zygotes busy and turns their reports into verdicts.

Programs wait in one queue. A zygote is given the next program while one still runs, so that neither
side waits for the other; where that one turns out to be long, the next comes back. A program whose
zygote failed it is tried once more on a fresh one, then reported as not judged. Fresh zygotes are
started as needed, more than there are cores only while programs sleep and cores are idle; the
pool's process is never forked.
"""

import contextlib
import logging
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.bundles import Bundle, Settled, Task, take
from sandbox.errors import SandboxError
from sandbox.idleness import LOOK_S, Idleness
from sandbox.jobs import Preparer
from sandbox.judge import NotJudgedError
from sandbox.numpy_kind import with_numpy
from sandbox.process import ZygoteGone, ZygoteProcess
from sandbox.types import Failure, Limits, Program, Verdict, Word
from sandbox.worker import wire

log = logging.getLogger("sandbox")

ATTEMPTS = 2
MOST_TIMES = 2
"""How many times as many zygotes there may be while programs sleep and cores are idle."""

IDLE_CORES = 0.75
TMP_MB, ZYGOTE_MB = 64, 128
GRACE_S = 10.0
"""How much later than a program's wall limit its zygote must have reported it."""


@dataclass
class Worker:
    """A zygote and what it is doing: the first bundle runs, one more may wait behind it."""

    zygote: ZygoteProcess
    ready: bool = False
    bundles: deque[Bundle] = field(default_factory=deque)
    slow: bool = False
    overdue: float = 0.0


class Pool:
    """Keeps ``size`` zygotes of ``level``, more while programs sleep; thread-safe ``submit``."""

    def __init__(
        self, size: int, level: str, version: str, limits: Limits, *, share: bool, numpy: str = ""
    ) -> None:
        self.size, self.level, self._version, self._share = size, level, version, share
        self._limits, self._numpy = limits, numpy
        self._queue: deque[Task] = deque()
        self._workers: list[Worker] = []
        self._preparer = Preparer()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._asleep = True
        self._idleness = Idleness()
        self._failed = ""
        self._selector = selectors.DefaultSelector()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def submit(
        self,
        program: Program,
        deliver: Callable[[Verdict], None],
        wanted: Callable[[], bool],
    ) -> None:
        """Queue a program."""
        prepared = self._preparer.prepared(program.tests, observe=program.observe)
        limits = program.limits or self._limits
        if self._numpy:
            limits = with_numpy(limits)
        task = Task(program, deliver, wanted, prepared, limits, alone=not self._share)
        with self._lock:
            if self._closing:
                raise RuntimeError("the sandbox is closed")
            if self._failed:
                raise SandboxError(self._failed)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
                self._thread.start()
        self._queue.append(task)
        if self._asleep:
            os.eventfd_write(self._wake, 1)

    def nudge(self) -> None:
        """Look again at which programs are still wanted."""
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """End every zygote and whatever runs in it."""
        with self._lock:
            if self._closing:
                return
            self._closing = True
        os.eventfd_write(self._wake, 1)
        if self._thread is not None:
            self._thread.join()
        for worker in self._workers:
            worker.zygote.close()
        self._selector.close()
        os.close(self._wake)

    def _run(self) -> None:
        """Keep going until closed; a fault of ours ends every program's wait instead of hanging."""
        try:
            self._loop()
        except Exception as error:
            log.exception("the sandbox's pool failed")
            self._failed = f"the sandbox's own fault: {type(error).__name__}: {error}"
            tasks = [t for worker in self._workers for b in worker.bundles for t in b.tasks]
            for task in [*tasks, *self._queue]:
                self._not_judged(task, self._failed)

    def _loop(self) -> None:
        while not self._closing:
            self._asleep = True  # before the queue is looked at: what comes later wakes us
            self._give_out()
            events = self._selector.select(self._patience())
            self._asleep = False
            for key, mask in events:
                if key.fd == self._wake:
                    os.eventfd_read(self._wake)
                    self._drop_unwanted()
                else:
                    self._attend(key.data, mask)
            self._replace_overdue()

    def _patience(self) -> float | None:
        due = [worker.overdue for worker in self._workers if worker.bundles]
        if not due:
            return None
        patience = max(0.0, min(due) - time.monotonic())
        return min(patience, LOOK_S) if self._queue else patience

    def _give_out(self) -> None:
        while self._queue and (worker := self._free()) is not None:
            bundle = take(self._queue, -(-len(self._queue) // (2 * self.size)))
            if bundle is not None:
                self._give(worker, bundle)
        if not self._queue:
            self._retire()

    def _free(self) -> Worker | None:
        """The zygote to take the next program: an idle one, else one whose program is young."""
        for worker in self._workers:
            if worker.ready and not worker.bundles:
                return worker
        starting = sum(not worker.ready for worker in self._workers)
        while len(self._workers) < self.size and starting < len(self._queue):
            self._start()
            starting += 1
        if starting:
            return None  # it will be idle soon
        young = next((w for w in self._workers if len(w.bundles) == 1 and not w.slow), None)
        if young is None and len(self._workers) < MOST_TIMES * self.size and self._all_sleep():
            self._start()
        return young

    def _all_sleep(self) -> bool:
        """Whether programs wait, not for a core, but for others that sleep."""
        return all(w.slow for w in self._workers) and self._idleness.cores() > IDLE_CORES

    def _retire(self) -> None:
        """End the zygotes beyond ``size`` that have nothing to do."""
        for worker in list(self._workers):
            if len(self._workers) > self.size and worker.ready and not worker.bundles:
                self._lose(worker, "not needed any more")

    def _start(self) -> None:
        memory_mb = _together_mb(self._limits)
        worker = Worker(ZygoteProcess(self.level, numpy=self._numpy, memory_mb=memory_mb))
        self._workers.append(worker)
        self._selector.register(worker.zygote, selectors.EVENT_READ, worker)

    def _give(self, worker: Worker, bundle: Bundle) -> None:
        if not worker.bundles:
            worker.overdue = _overdue(bundle)
        worker.bundles.append(bundle)
        group = worker.zygote.group
        if group is not None and _together_mb(bundle.limits) > group.limit_mb:
            group.limit(_together_mb(bundle.limits))
        try:
            if not worker.zygote.send(bundle.job()):
                both = selectors.EVENT_READ | selectors.EVENT_WRITE
                self._selector.modify(worker.zygote, both, worker)
        except ZygoteGone as error:
            self._lose(worker, str(error))

    def _attend(self, worker: Worker, events: int) -> None:
        if worker not in self._workers:
            return
        try:
            if events & selectors.EVENT_WRITE and worker.zygote.flush():
                self._selector.modify(worker.zygote, selectors.EVENT_READ, worker)
            if events & selectors.EVENT_READ:
                worker.zygote.read()
                self._take(worker)
        except (ZygoteGone, NotJudgedError) as error:
            self._lose(worker, str(error))

    def _take(self, worker: Worker) -> None:
        """Take a greeting or a report, when it is whole."""
        if not worker.ready:
            refused = worker.zygote.greeting()
            if refused:
                raise ZygoteGone(f"level {self.level}: {refused}")
            worker.ready = refused is not None
            return
        while worker.bundles and (found := worker.zygote.report()) is not None:
            report, parts = found
            if report.why == wire.RETURNED:
                worker.slow = True
                self._queue.extendleft(reversed(worker.bundles.pop().tasks))
            else:
                self._finish(worker, report, parts)

    def _finish(self, worker: Worker, report: wire.Report, parts: list[bytes]) -> None:
        """Judge what the first bundle's process did, and deliver the verdicts."""
        settled, again = worker.bundles[0].settle(report, parts)
        worker.bundles.popleft()
        worker.slow = False
        if worker.bundles:
            worker.overdue = _overdue(worker.bundles[0])
        self._queue.extendleft(reversed(again))
        for each in settled:
            self._deliver(each if not self._out_of_memory(worker, each) else each.out_of_memory())

    def _out_of_memory(self, worker: Worker, settled: Settled) -> bool:
        """Whether it was the control group's limit that ended a program."""
        failure, group = settled.finding[1], worker.zygote.group
        killed = failure is not None and failure.type == "SIGKILL"
        return killed and group is not None and group.killed()

    def _deliver(self, settled: Settled) -> None:
        word, failure = settled.finding
        report, parts = settled.report, settled.parts
        settled.task.deliver(
            Verdict(
                key=settled.task.program.key,
                word=word,
                failure=failure,
                cpu_s=report.cpu_s,
                wall_s=report.wall_s,
                peak_memory_mb=report.peak_kib / 1024,
                output_head=parts[2].decode("utf-8", "replace"),
                output_tail=parts[3].decode("utf-8", "replace"),
                level=self.level,
                version=self._version,
                trace=settled.trace,
                observed=settled.observed,
            )
        )

    def _lose(self, worker: Worker, why: str) -> None:
        """Give up a zygote; its program is tried again, or reported as not judged."""
        self._workers.remove(worker)
        with contextlib.suppress(KeyError):
            self._selector.unregister(worker.zygote)
        worker.zygote.close()
        bundles, worker.bundles = worker.bundles, deque()
        if not bundles and not worker.ready:
            self._fail_start(why)
        while len(bundles) > 1:
            self._queue.extendleft(reversed(bundles.pop().tasks))  # it had not begun
        for task in bundles[0].tasks if bundles else ():
            task.alone = True
            self._try_again(task, why)

    def _fail_start(self, why: str) -> None:
        """Charge the next program an attempt: a zygote ended before it was ready."""
        if self._queue:
            self._try_again(self._queue.popleft(), why)

    def _try_again(self, task: Task, why: str) -> None:
        task.attempts += 1
        if task.attempts < ATTEMPTS:
            self._queue.appendleft(task)
        else:
            self._not_judged(task, why)

    def _not_judged(self, task: Task, why: str) -> None:
        failure = Failure(type="NotJudged", text=why)
        word = Word.NOT_JUDGED
        task.deliver(
            Verdict(task.program.key, word, failure, level=self.level, version=self._version)
        )

    def _replace_overdue(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.bundles and now > worker.overdue:
                worker.zygote.process.kill()
                self._lose(worker, "the zygote did not answer")

    def _drop_unwanted(self) -> None:
        """Stop programs whose verdict nobody waits for: their zygotes go with them."""
        for worker in list(self._workers):
            if worker.bundles and not worker.bundles[0].wanted:
                worker.bundles.popleft()
                for bundle in worker.bundles:
                    self._queue.extendleft(reversed(bundle.tasks))
                worker.bundles.clear()
                self._lose(worker, "cancelled")


def _together_mb(limits: Limits) -> int:
    """What a zygote may hold: two processes (split mode), the files in /tmp, and itself."""
    return 2 * limits.memory_mb + TMP_MB + ZYGOTE_MB


def _overdue(bundle: Bundle) -> float:
    """By when a zygote that begins the bundle now must have reported it."""
    return time.monotonic() + bundle.limits.wall_s + GRACE_S
