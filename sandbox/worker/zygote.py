"""The zygote: a small warm interpreter, walled in once, that forks one child for each program.

It never looks at what programs write. Their frames pass through memory that no child inherits, so
that the results of one program cannot be found by the next. It ends when its pool does.
"""

import gc
import os
import select
import socket
import sys
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import module_from_spec
from typing import Any

from sandbox.worker import child, linux, observed, rehearsal, shared, split, traced, walls, wire
from sandbox.worker.memory import STEP, Memory, Output, Stream
from sandbox.worker.namespaces import Nursery
from sandbox.worker.seccomp import ProgramFilter
from sandbox.worker.supervise import Process, Supervisor
from sandbox.worker.sweep import Sweeper

WARM = "bisect collections functools heapq itertools math operator random re string time typing"
"""Modules that programs use often: loaded once, before the walls. Each makes every fork dearer:
the next ones in frequency (cmath, array, copy, datetime, json) cost more here than they save."""


Body = Callable[[memoryview, memoryview], None]

TESTER = 4
ROLES: dict[int, Body] = {
    wire.DATA: child.run_data,
    wire.SPLIT: lambda code, _: split.run_candidate(code),
    wire.SHARED: lambda _, programs: shared.run_shared(programs),
    wire.TRACED: traced.run_traced,
    wire.OBSERVED: observed.run_observed,
    wire.SHARED_OBSERVED: lambda _, programs: shared.run_shared(programs, observe=True),
    TESTER: lambda tests, _: split.run_tester(tests),
}
"""What a forked process does: as its job's kind says, but for the second process of SPLIT."""


class Zygote:
    """The loop: a job, a fork, its supervision, a report."""

    def __init__(
        self, control: int, parent: int, nursery: Nursery | None, filters: ProgramFilter | None
    ) -> None:
        self.control, self.parent = control, parent
        self.nursery, self.filters = nursery, filters
        self.sweeper = Sweeper("/tmp") if nursery is not None else None
        self.payload = Memory(1 << 20, inherited=True)
        self.results = Memory(1 << 20, inherited=False)
        self.verdicts = Memory(1 << 20, inherited=False)
        self.output = Memory(1 << 18, inherited=False)

    def run(self) -> None:
        """Serve jobs until the pool is gone."""
        idle = select.poll()
        idle.register(self.control, select.POLLIN)
        idle.register(self.parent, select.POLLIN)
        header = bytearray(wire.JOB.size)
        while True:
            ready = [fd for fd, _ in idle.poll()]
            if self.parent in ready:
                return
            self._read_exactly(memoryview(header))
            self._serve(wire.Job(*wire.JOB.unpack(header)))

    def _read_exactly(self, view: memoryview) -> None:
        while view:
            count = os.readv(self.control, [view])
            if not count:
                os._exit(0)  # the pool hung up
            view = view[count:]

    def _receive(self, size: int) -> memoryview:
        view = self.payload.reserve(size)
        self._read_exactly(view)
        return view

    def _serve(self, job: wire.Job) -> None:
        if job.magic != wire.MAGIC:
            os._exit(70)  # out of step with the pool, which will start another zygote
        out = Output(self.output, job.output_bytes)
        supervisor = Supervisor(job, out, (self.control, self.parent))
        payload = self._receive(job.code_size + job.inputs_size)
        code = payload[: job.code_size]
        if job.kind == wire.SPLIT:
            self._split(job, code, supervisor)
        else:
            inputs = payload[job.code_size :]
            frames = Stream(self.results, job.result_bytes)
            run = ROLES[job.kind]
            self._fork(job, supervisor, frames, None, lambda: run(code, inputs))
        self.payload.wipe()
        supervisor.run()
        clean = self.sweeper is None or self.sweeper.sweep()
        self._report(supervisor)
        if not clean:
            os._exit(0)  # the next program gets a fresh zygote, and with it an empty /tmp

    def _split(self, job: wire.Job, code: memoryview, supervisor: Supervisor) -> None:
        """Fork the candidate first: the tests are not yet in this memory."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            frames = Stream(self.results, job.result_bytes)
            line = ours.fileno()
            self._fork(job, supervisor, frames, line, lambda: ROLES[wire.SPLIT](code, code))
            self.payload.wipe()
            tests = self._receive(job.tester_size)
            frames = Stream(self.verdicts, job.result_bytes)
            line = theirs.fileno()
            self._fork(job, supervisor, frames, line, lambda: ROLES[TESTER](tests, tests))

    def _fork(
        self,
        job: wire.Job,
        supervisor: Supervisor,
        frames: Stream,
        line: int | None,
        body: Callable[[], None],
    ) -> None:
        pid = os.fork() if self.nursery is None else self.nursery.fork()
        if pid == 0:
            try:
                out, result = supervisor.output.write_fd, frames.write_fd
                apart = self.nursery is not None
                child.enter(job, out, result, line, self.filters, apart=apart)
                body()
                child.finish()
            finally:
                os._exit(71)  # whatever went wrong here: no result
        supervisor.add(Process(pid, frames))

    def _report(self, supervisor: Supervisor) -> None:
        report, pieces = supervisor.report()
        self._write([memoryview(report), *pieces])
        if sum(map(len, pieces)) > STEP:
            for memory in (self.results, self.verdicts, self.output):
                memory.wipe()

    def _write(self, pieces: list[memoryview]) -> None:
        pieces = [piece for piece in pieces if piece]
        while pieces:
            count = os.writev(self.control, pieces)
            while pieces and count >= len(pieces[0]):
                count -= len(pieces.pop(0))
            if pieces:
                pieces[0] = pieces[0][count:]


def greet(control: int, refused: str) -> None:
    """Tell the pool that the walls are up, or what the kernel ``refused``."""
    text = refused.encode()
    os.write(control, wire.FRAME.pack(wire.READY, len(text)) + text)


def serve_natively(
    native: Any, control: int, parent: int, nursery: Nursery | None, filters: ProgramFilter | None
) -> None:
    """Do what :class:`Zygote` does, in C; it returns in programs' own processes only."""
    sweeper = Sweeper("/tmp") if nursery is not None else None
    try:
        role, *payload = native.serve(
            control,
            parent,
            nursery.home if nursery is not None else -1,
            os.cpu_count() or 1,
            filters.code if filters is not None else bytearray(),
            filters.places if filters is not None else b"",
            sweeper.folder if sweeper is not None else -1,
            sweeper.sweep if sweeper is not None else None,
        )
        ROLES[role](*payload)
        child.finish()
    finally:
        os._exit(71)  # whatever went wrong here: no result


def load_extension(path: str) -> Any:
    """Load the C extension."""
    loader = ExtensionFileLoader("_walls", path)
    module = module_from_spec(ModuleSpec("_walls", loader, origin=path))
    loader.exec_module(module)
    return module


def _ignored(**_: Any) -> None:
    """Stand in for ``os.register_at_fork``: random is not to be seeded anew in every program."""


def warm_up(numpy: str) -> None:
    """Load what programs often use, once, and make what is loaded the same in every zygote."""
    register, os.register_at_fork = os.register_at_fork, _ignored
    if numpy:
        sys.path.append(numpy)
        __import__("numpy.random")
        sys.modules["numpy.random"].seed(0)
    for name in WARM.split():
        __import__(name)
    os.register_at_fork = register
    sys.modules["random"].seed(0)
    os.environ.clear()
    os.environ.update(HOME="/tmp", TMPDIR="/tmp", PATH="/usr/bin:/bin", LANG="C.UTF-8")
    sys.argv[:] = ["candidate"]
    sys.path[:] = [path for path in sys.path if path.endswith("lib-dynload") or "python3" in path]


def main(level: str, extension: str, numpy: str, control: int, parent: int, group: int) -> None:
    """Warm up, put up the walls, say so, and serve.

    At level A it is another process that goes on from the walls: the buffers are made after them.
    ``numpy`` is the folder to import it from or ""; ``group`` is a descriptor through which this
    process joins its control group, or -1.
    """
    if group >= 0:
        os.write(group, b"0")
        os.close(group)
    native = load_extension(extension) if extension else None
    if native is None:
        from sandbox.worker import linux_ctypes

        linux.use(linux_ctypes)
    else:
        linux.use(native)
    warm_up(numpy)
    rehearsal.rehearse()
    for name in [name for name in sys.modules if name.split(".")[0] == "sandbox"]:
        del sys.modules[name]  # a program finds nothing of ours by name
    refused, nursery = "", None
    try:
        nursery = walls.raise_walls(level, numpy)
    except OSError as error:
        refused = str(error)
    greet(control, refused)
    if refused:
        return
    filters = ProgramFilter() if level != "D" else None
    gc.collect()
    gc.freeze()
    if native is not None:
        serve_natively(native, control, parent, nursery, filters)
    Zygote(control, parent, nursery, filters).run()
