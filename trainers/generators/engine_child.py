"""The engine's own process: ``python -m trainers.generators.engine_child``, told what on its input.

Lines of JSON in: ``boot``, ``seed``, ``job``, ``cancel``, ``score``. Lines of JSON out: ``ready``,
one ``job`` a sample, ``scores``, or ``error``. The process ends with its input, or with its parent:
whoever else holds the other end of the pipe (a parent's other children) does not keep it alive.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol

PARENT_POLL_S = 1.0

Message = dict[str, Any]
Send = Callable[[Mapping[str, Any]], None]


class Engine(Protocol):
    """What runs in the child. ``serve`` reads messages until None and sends what is finished."""

    def serve(self, messages: "queue.SimpleQueue[Message | None]", send: Send) -> None:
        """Work until told to end."""


def main() -> None:
    """Boot the engine that the first line names, and serve."""
    out = _private_output()
    lock = threading.Lock()

    def send(message: Mapping[str, Any]) -> None:
        with lock:
            out.write(json.dumps(message) + "\n")
            out.flush()

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    line = sys.stdin.readline()
    if not line:
        return
    try:
        engine = _boot(json.loads(line))
    except Exception as error:  # told to the parent, whatever it is
        send({"error": f"the engine did not start: {type(error).__name__}: {error}"})
        raise
    send({"ready": True})
    messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(messages,), daemon=True).start()
    try:
        engine.serve(messages, send)
    except Exception as error:  # told to the parent, whatever it is
        send({"error": f"the engine failed: {type(error).__name__}: {error}"})
        raise


def _boot(told: Message) -> Engine:
    if told["backend"] == "vllm":
        from trainers.generators.vllm_engine import VllmEngine

        return VllmEngine(told)
    if told["backend"] == "openvino":
        from trainers.generators.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(told)
    from trainers.generators.llama_engine import LlamaEngine

    return LlamaEngine(told)


def _private_output() -> IO[str]:
    """Standard output, moved to where a library's prints do not reach it; theirs go to the log."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", encoding="utf-8", errors="replace")


def _listen(messages: "queue.SimpleQueue[Message | None]") -> None:
    """Hand the lines on; at the end of the input nobody wants an answer any more."""
    for line in sys.stdin:
        messages.put(json.loads(line))
    os._exit(0)


def _end_with(parent: int) -> None:
    """End when the parent is gone, also while the engine boots and nobody reads the input."""
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
    os._exit(0)


if __name__ == "__main__":
    main()
