"""Sampling and labelling at once: completions stream into the sandbox while the generator goes on.

Two threads work beside the caller's: one reads the generator, one runs the sandbox. Only the
caller's thread touches the store, in short batches: samples first, then verdicts as they come.
Every unit is keyed, so that a run that is cut anywhere goes on without doing anything twice.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from types import GeneratorType

from memory.records import SampleRow, VerdictRow
from sandbox import Limits, Program, ProgramRunner, Tests, Verdict, Word
from sandbox.tests_json import tests_from_json
from trainers.errors import GeneratorError
from trainers.generators.base import Completion, Generator, Request, SamplingParams
from trainers.generators.prompts import extract_code, solve_prompt
from trainers.samples import SampleSource, Want, missing_indexes, program_hash
from trainers.stage import StageContext, Stopped

POLL_S = 0.25  # how soon a stop request is seen when nothing else happens
FLUSH_S = 0.5  # how long a finished sample or verdict waits for company before it is written
MAX_COMPLETIONS = 256  # finished by the generator and not yet taken
MAX_BACKLOG = 1024  # programs stored and not yet in the sandbox; above it sampling waits
MAX_IN_SANDBOX = 64  # programs handed to the sandbox and not yet judged, at least
IN_SANDBOX_A_WORKER = 8  # and for each that it runs at once

Pair = tuple[str, str]  # (program_hash, tests_hash)


@dataclass
class LabelReport:
    """What one call did; ``sampling_s`` ends with the last completion."""

    samples: int = 0
    tokens: int = 0
    programs_run: int = 0
    programs_known: int = 0
    not_judged: int = 0
    seconds: float = 0.0
    sampling_s: float = 0.0


def sample_and_label(
    context: StageContext,
    wants: Sequence[Want],
    source: SampleSource,
    generator: Generator,
    sandbox: ProgramRunner,
    *,
    prompt_kind: str,
    seed: int,
    limits: Mapping[str, Limits] | None = None,
) -> LabelReport:
    """Make every wanted sample exist and be judged; what is stored or judged already is not redone.

    Args:
        context: store, progress, stop request.
        wants: problems with their target counts.
        source: the key of the samples.
        generator: entered; only asked where samples are missing.
        sandbox: who judges.
        prompt_kind: ``visible1`` or ``seed``.
        limits: what a problem's programs may use, by tests hash; else the sandbox's own hold.
        seed: of this call's sampling; another one for every call, or resumed samples repeat.

    Raises:
        Stopped: asked to stop; everything that was finished is stored.
        GeneratorError: the generator died or answered garbage; what it gave before is kept.
        SandboxError: the sandbox cannot go on.
    """
    pipeline = _Pipeline(context, wants, source, generator, sandbox, prompt_kind, seed)
    pipeline.limits = dict(limits or {})
    return pipeline.run()


class _Pipeline:
    """One call's state; all of it but the queues belongs to the caller's thread."""

    limits: Mapping[str, Limits] = {}

    def __init__(
        self,
        context: StageContext,
        wants: Sequence[Want],
        source: SampleSource,
        generator: Generator,
        sandbox: ProgramRunner,
        prompt_kind: str,
        seed: int,
    ) -> None:
        self._context, self._source = context, source
        self._generator, self._sandbox = generator, sandbox
        self._params = SamplingParams(**source.params, seed=seed)
        self._problems = {want.problem.id: want.problem for want in wants}
        self._tests: dict[str, Tests] = {}  # by tests_hash
        self._free = {
            problem_id: deque(indexes)
            for problem_id, indexes in missing_indexes(context.store, wants, source).items()
        }
        self._requests = [
            Request(problem_id, solve_prompt(self._problems[problem_id], prompt_kind), len(indexes))
            for problem_id, indexes in self._free.items()
        ]
        self._completions: queue.Queue[Completion] = queue.Queue(MAX_COMPLETIONS)
        self._verdicts: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[Program | None] = queue.SimpleQueue()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._new_samples: list[SampleRow] = []
        self._new_verdicts: list[VerdictRow] = []
        self._backlog: deque[Program] = deque()
        self._waiting: dict[Pair, int] = {}  # samples that wait for a program's verdict
        self._settled: set[Pair] = set()  # judged, or given up on in this call
        self._in_sandbox = 0
        self._room = max(MAX_IN_SANDBOX, IN_SANDBOX_A_WORKER * sandbox.workers)
        self._last_flush = self._started = time.monotonic()
        self._report = LabelReport()
        self._failed_keys: list[str] = []

    def run(self) -> LabelReport:
        self._begin()
        with ThreadPoolExecutor(2, thread_name_prefix="labelling") as pool:
            try:
                judging = self._watch(pool.submit(self._judge))
                sampling = self._watch(pool.submit(self._sample))
                self._loop(sampling, judging)
            finally:
                self._halt()
        self._take_completions(limit=None)
        self._take_verdicts()
        self._flush()
        self._tell_failures()
        judging.result()
        sampling.result()
        return self._finish()

    # The two other threads.

    def _sample(self) -> None:
        """Read the generator into the bounded queue until it is done or the call is stopped."""
        if not self._requests:
            return
        answers = self._generator.generate(iter(self._requests), self._params)
        try:
            self._forward(answers)
        finally:
            # Left in the middle, a backend cancels what it still has running.
            if isinstance(answers, GeneratorType):
                answers.close()

    def _forward(self, answers: Iterator[Completion]) -> None:
        asked = {request.key: request.n for request in self._requests}
        for completion in answers:
            if not asked.get(completion.key):
                raise GeneratorError(
                    f"generator {self._source.generator_id} gave a completion that nobody asked "
                    f"for (key {completion.key!r}); what it gave before is stored"
                )
            asked[completion.key] -= 1
            while not self._offer(completion):
                if self._stop.is_set():
                    return
            self._wake.set()
            if self._stop.is_set():
                return

    def _offer(self, completion: Completion) -> bool:
        try:
            self._completions.put(completion, timeout=POLL_S)
        except queue.Full:
            return False
        return True

    def _judge(self) -> None:
        """Run the sandbox over the jobs until the None that ends them."""
        for verdict in self._sandbox.run_many(self._programs()):
            self._verdicts.put(verdict)
            self._wake.set()

    def _programs(self) -> Iterator[Program]:
        while (program := self._jobs.get()) is not None:
            yield program

    def _watch(self, future: "Future[None]") -> "Future[None]":
        future.add_done_callback(lambda _: self._wake.set())
        return future

    # The caller's thread.

    def _halt(self) -> None:
        """End both threads: no further completion is read, no further program is started."""
        self._stop.set()
        while not self._jobs.empty():
            self._jobs.get_nowait()
        self._jobs.put(None)

    def _begin(self) -> None:
        """Count what is there and put what was stored but not judged first in line."""
        ids = list(self._problems)
        source, sandbox = self._source, self._sandbox
        key = (source.generator_id, source.protocol, source.params_hash)
        stored = sum(len(found) for found in self._context.store.sample_indexes(ids, *key).values())
        missing = sum(len(free) for free in self._free.values())
        rows = self._context.store.unlabelled(ids, *key, sandbox.version, sandbox.level)
        self._context.progress.start(
            "sample and label", stored + missing, "samples", done=stored - len(rows)
        )
        self._queue_programs(rows)

    def _loop(self, sampling: "Future[None]", judging: "Future[None]") -> None:
        while not (judging.done() or self._idle(sampling)):
            self._wake.wait(POLL_S)
            self._wake.clear()
            if self._context.stop_requested():
                self._stop.set()
                return
            sampled = sampling.done()
            self._take_completions(limit=max(MAX_BACKLOG, self._room))
            self._take_verdicts()
            if sampled and not self._report.sampling_s:
                self._report.sampling_s = time.monotonic() - self._started
            last = sampled and (self._new_samples or not (self._backlog or self._in_sandbox))
            if last or time.monotonic() - self._last_flush >= FLUSH_S:
                self._flush()
            self._dispatch()

    def _idle(self, sampling: "Future[None]") -> bool:
        """Nothing is left to do: the generator is done and every sample's program is settled."""
        return (
            sampling.done()
            and self._completions.empty()
            and not (self._new_samples or self._new_verdicts or self._waiting)
        )

    def _take_completions(self, limit: int | None) -> None:
        while limit is None or len(self._backlog) + len(self._new_samples) < limit:
            try:
                completion = self._completions.get_nowait()
            except queue.Empty:
                return
            self._new_samples.append(self._row(completion))

    def _row(self, completion: Completion) -> SampleRow:
        # A lone surrogate half cannot be stored or hashed as UTF-8.
        text = completion.text.encode("utf-8", "replace").decode()
        code = extract_code(text, self._problems[completion.key])
        return SampleRow(
            problem_id=completion.key,
            generator_id=self._source.generator_id,
            protocol=self._source.protocol,
            params=self._source.params,
            params_hash=self._source.params_hash,
            idx=self._free[completion.key].popleft(),
            seed=self._params.seed,
            completion=text,
            code=code,
            program_hash=program_hash(code),
            tokens=completion.tokens,
            logprob=completion.logprob,
            finish_reason=completion.finish_reason,
            stage_run_id=self._context.stage_run_id,
        )

    def _take_verdicts(self) -> None:
        while not self._verdicts.empty():
            verdict = self._verdicts.get_nowait()
            self._in_sandbox -= 1
            if verdict.word is Word.NOT_JUDGED:
                self._failed_keys.append(verdict.key)
                self._settle(_pair_of(verdict.key))
            else:
                self._new_verdicts.append(verdict_row(verdict, self._context.stage_run_id))

    def _flush(self) -> None:
        """Write what is finished, samples before verdicts; then line up the new programs."""
        self._last_flush = time.monotonic()
        samples, self._new_samples = self._new_samples, []
        verdicts, self._new_verdicts = self._new_verdicts, []
        if samples:
            self._context.store.add_samples(samples)
            self._report.samples += len(samples)
            self._report.tokens += sum(row.tokens for row in samples)
        if verdicts:
            self._context.store.add_verdicts(verdicts)
            self._report.programs_run += len(verdicts)
            for row in verdicts:
                self._settle((row.program_hash, row.tests_hash))
        self._queue_programs(samples)

    def _queue_programs(self, rows: Sequence[SampleRow]) -> None:
        """Line up each program that is neither judged nor waiting; duplicates wait with it."""
        new: dict[Pair, SampleRow] = {}
        for row in rows:
            pair = (row.program_hash, self._problems[row.problem_id].tests_hash)
            if pair in self._settled:
                self._context.progress.advance()
                continue
            if pair not in self._waiting:
                new[pair] = row
            self._waiting[pair] = self._waiting.get(pair, 0) + 1
        known = self._context.store.known_verdicts(new, self._sandbox.version, self._sandbox.level)
        self._report.programs_known += len(known)
        for pair, row in new.items():
            if pair in known:
                self._settle(pair)
            else:
                self._backlog.append(self._program(row, pair))

    def _program(self, row: SampleRow, pair: Pair) -> Program:
        tests_hash = pair[1]
        if tests_hash not in self._tests:
            self._tests[tests_hash] = tests_from_json(self._problems[row.problem_id].tests)
        limits = self.limits.get(tests_hash)
        return Program(":".join(pair), row.code, self._tests[tests_hash], limits)

    def _settle(self, pair: Pair) -> None:
        self._settled.add(pair)
        self._context.progress.advance(self._waiting.pop(pair, 0))

    def _dispatch(self) -> None:
        while self._backlog and self._in_sandbox < self._room:
            self._jobs.put(self._backlog.popleft())
            self._in_sandbox += 1

    def _tell_failures(self) -> None:
        if self._failed_keys:
            self._context.store.event(
                "labelling.not_judged",
                f"the sandbox could not judge {len(self._failed_keys)} programs; "
                "they have no verdict and are tried again in the next round",
                level="warning",
                round_id=self._context.round_id,
                stage_run_id=self._context.stage_run_id,
                data={"programs": self._failed_keys[:20]},
            )

    def _finish(self) -> LabelReport:
        if self._context.stop_requested() and (self._waiting or any(self._free.values())):
            raise Stopped
        short = sum(len(free) for free in self._free.values())
        if short:
            raise GeneratorError(
                f"generator {self._source.generator_id} ended {short} completions short of what "
                "was asked; what it gave is stored, the next attempt asks for the rest"
            )
        self._report.not_judged = len(self._failed_keys)
        self._report.seconds = time.monotonic() - self._started
        return self._report


def _pair_of(key: str) -> Pair:
    program, tests = key.split(":")
    return program, tests


def verdict_row(verdict: Verdict, stage_run_id: int) -> VerdictRow:
    """Return a verdict, whose key is ``PROGRAM_HASH:TESTS_HASH``, as the row that is stored.

    Raises:
        ValueError: it comes of an observed run, which judges nothing.
    """
    if verdict.observed:
        raise ValueError(f"{verdict.key}: an observed run is no verdict; store it as a behaviour")
    program, tests = _pair_of(verdict.key)
    return VerdictRow(
        program_hash=program,
        tests_hash=tests,
        sandbox_version=verdict.version,
        sandbox_level=verdict.level,
        verdict=verdict.word.value,
        failure=asdict(verdict.failure) if verdict.failure else None,
        cpu_s=verdict.cpu_s,
        wall_s=verdict.wall_s,
        peak_memory_mb=verdict.peak_memory_mb,
        output_head=verdict.output_head,
        output_tail=verdict.output_tail,
        stage_run_id=stage_run_id,
    )
