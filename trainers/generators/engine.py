"""An engine in a child process of its own: started, fed, watched, ended.

The two talk by lines of JSON. A crash, a hang or a leak of the engine is the child's; its memory is
free when the child has ended. The child ends itself when its input ends or this process is gone.
"""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from signal import SIGKILL
from typing import Any, Self

import psutil

from trainers.errors import GeneratorError
from trainers.generators.base import (
    END,
    Completion,
    Infill,
    Message,
    Request,
    SamplingParams,
    one_by_one,
    seed_of,
)

BOOT_S = 900.0
END_S = 15.0
LAST_WORDS_S = 2.0

OnEngine = Callable[[int, float, str], None]  # pid, start time (Unix seconds), role
OnEnded = Callable[[], None]


class EngineGenerator:
    """A :class:`~trainers.generators.base.Generator` over an engine in a child process."""

    def __init__(
        self,
        generator_id: str,
        *,
        python: str,
        engine: Mapping[str, Any],
        env: Mapping[str, str],
        parallel: int,
        timeout_s: float,
        log_path: Path,
        on_engine: OnEngine,
        on_ended: OnEnded = lambda: None,
    ) -> None:
        """Nothing is started before the generator is entered.

        Args:
            generator_id: what samples are stored with.
            python: the interpreter that has the engine's library.
            engine: what the child is told: ``backend`` and its settings.
            env: variables for the child, beside ours.
            parallel: samples in flight at once.
            timeout_s: how long the engine may be silent while it has work.
            log_path: where the engine's own output goes.
            on_engine: told the child's identity as soon as there is one.
            on_ended: called when the child is gone.
        """
        self.id = generator_id
        self._python, self._engine, self._env = python, dict(engine), dict(env)
        self._parallel, self._timeout_s = parallel, timeout_s
        self._log_path, self._on_engine, self._on_ended = log_path, on_engine, on_ended
        self._child: subprocess.Popen[bytes] | None = None
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._jobs = 0
        self._running = False

    def __enter__(self) -> Self:
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
        with self._log_path.open("ab") as log:
            self._child = subprocess.Popen(
                [self._python, "-m", "trainers.generators.engine_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._env, "PYTHONPATH": paths},
            )
        self._answers = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._child,), daemon=True).start()
        try:
            start = psutil.Process(self._child.pid).create_time()
            self._on_engine(self._child.pid, start, f"engine {self._engine['backend']}")
            self._send({"op": "boot", **self._engine})
            self._next(BOOT_S, "ready")
        except psutil.NoSuchProcess as error:
            raise self._dead() from error
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        with suppress(BrokenPipeError):  # dead already, which is what is wanted
            child.stdin.close()
        try:
            child.wait(END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._on_ended()

    def generate(
        self, requests: Iterable[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        """See :class:`~trainers.generators.base.Generator`."""
        yield from self._run(one_by_one(requests), params)

    def infill(
        self, prefix: str, suffix: str, n: int, params: SamplingParams
    ) -> Iterator[Completion]:
        """See :class:`~trainers.generators.base.Generator`."""
        yield from self.generate([Infill("infill", prefix, suffix, n)], params)

    def score(self, messages: Sequence[Message], completions: Sequence[str]) -> list[float]:
        """See :class:`~trainers.generators.base.Generator`."""
        self._refuse_second_run()
        turns = [asdict(message) for message in messages]
        self._send({"op": "score", "messages": turns, "completions": list(completions)})
        answer = self._next(self._timeout_s, "scores")
        return [float(score) for score in answer["scores"]]

    def _run(
        self, jobs: Iterator[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        """Keep the engine full; completions as they finish.

        A run that its reader leaves is cancelled and not waited for: its late answers carry numbers
        that no later run knows.
        """
        self._refuse_second_run()
        self._send({"op": "seed", "seed": params.seed})
        flying: dict[int, str] = {}
        more = True
        self._running = True
        try:
            while more or flying:
                # Some jobs more than run at once, so that no slot waits for this process.
                while more and len(flying) < self._parallel + max(2, self._parallel // 4):
                    job = next(jobs, END)
                    if job is None:
                        break
                    if isinstance(job, str):
                        more = False
                    else:
                        flying[self._submit(job, params)] = job.key
                if flying:
                    answer = self._next(self._timeout_s, "job")
                    key = flying.pop(answer["job"], None)
                    if key is not None:
                        yield _completion(key, answer)
        finally:
            self._running = False
            if flying and self._child is not None and self._child.poll() is None:
                self._send({"op": "cancel"})

    def _refuse_second_run(self) -> None:
        if self._running:
            raise GeneratorError(f"{self.id} is still generating; read that to its end first")

    def _submit(self, request: Request | Infill, params: SamplingParams) -> int:
        self._jobs += 1
        own = request.params or params
        settings = {
            "temperature": own.temperature,
            "top_p": own.top_p,
            "max_tokens": own.max_tokens,
            "stop": list(own.stop),
            "pieces": own.pieces,
            # Another seed for each sample, the same in a repeated run.
            "seed": seed_of(request, params, self._jobs),
        }
        self._send({"op": "job", "job": self._jobs, **_asked(request), "params": settings})
        return self._jobs

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._child is None:
            raise GeneratorError(f"{self.id} is not running; use it in a with statement")
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(message).encode() + b"\n")
            self._child.stdin.flush()
        except OSError as error:
            raise self._dead() from error

    def _read(self, child: "subprocess.Popen[bytes]") -> None:
        """The reader thread: each line into the queue, None at the end."""
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                try:
                    answer = json.loads(line)
                    assert isinstance(answer, dict)
                except (ValueError, AssertionError):
                    answer = {"error": f"it answered {line[:80]!r}, which is not a message"}
                self._answers.put(answer)
        self._answers.put(None)

    def _next(self, timeout_s: float, field: str) -> dict[str, Any]:
        """The next answer with ``field``; an engine that fails to give it is not used again."""
        while True:
            try:
                answer = self._answers.get(timeout=timeout_s)
            except queue.Empty as error:
                self._kill()
                raise GeneratorError(
                    f"{self.id} has been silent for {timeout_s:g} s; see {self._log_path}, "
                    "or raise generator.request_timeout_s"
                ) from error
            if answer is None:
                self._answers.put(None)
                raise self._dead()
            if "error" in answer:
                self._kill(LAST_WORDS_S)
                raise GeneratorError(f"{self.id}: {answer['error']}; see {self._log_path}")
            if field in answer:
                return answer
            if "job" not in answer:  # a late answer of a run that was left is passed over
                self._kill()
                raise GeneratorError(f"{self.id} answered without {field!r}; see {self._log_path}")

    def _kill(self, patience_s: float = 0.0) -> None:
        """End an engine whose next answer cannot be trusted, once it had time to log why."""
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(patience_s)
            self._child.kill()

    def _dead(self) -> GeneratorError:
        child = self._child
        code = None
        if child is not None:
            try:
                code = child.wait(END_S)
            except subprocess.TimeoutExpired:
                code = None
        how = "closed its pipe" if code is None else f"ended with exit code {code}"
        memory = "; killed, as the kernel does when memory is short" if code == -SIGKILL else ""
        return GeneratorError(f"{self.id} {how}{memory}; see {self._log_path}")


def _asked(request: Request | Infill) -> dict[str, Any]:
    if isinstance(request, Infill):
        return {"prompt": request.prompt}
    return {"messages": [asdict(message) for message in request.messages]}


def _completion(key: str, answer: Mapping[str, Any]) -> Completion:
    try:
        logprob = answer["logprob"]
        return Completion(
            key=key,
            text=str(answer["text"]),
            tokens=int(answer["tokens"]),
            logprob=None if logprob is None else float(logprob),
            finish_reason=str(answer["finish_reason"]),
            pieces=tuple((str(text), float(value)) for text, value in answer.get("pieces", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise GeneratorError(f"the engine's answer lacks or garbles {error}") from error
