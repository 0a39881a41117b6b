"""llama.cpp, embedded: continuous batching over as many slots as requests are in flight."""

import json
import os
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainers.generators.engine_child import Message, Send


class LlamaEngine:
    """Serves jobs from a pool of threads, one a slot; each waits for one completion."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Load the model.

        Args:
            told: ``model`` (GGUF file), ``parallel``, ``context`` (tokens a request), ``threads``
                (0: all that this process may use), ``logprobs``.
        """
        import xllamacpp

        threads = told["threads"] or len(os.sched_getaffinity(0))
        params = xllamacpp.CommonParams()
        params.model.path = told["model"]
        params.n_parallel = told["parallel"]
        # One buffer for all slots: a request may use what others leave, and a shared prompt is
        # kept once.
        params.kv_unified = True
        params.n_ctx = max(told["context"], min(1024, told["context"]) * told["parallel"])
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.n_threads_http = max(4, told["parallel"] + 2)
        params.warmup = params.endpoint_slots = params.ui = params.fit_params = False
        params.cache_ram_mib = 0
        params.verbosity = 1
        self._parallel: int = told["parallel"]
        self._logprobs: bool = told["logprobs"]
        self._server = xllamacpp.Server(params)
        self._cancelled = threading.Event()

    def serve(self, messages: "queue.SimpleQueue[Message | None]", send: Send) -> None:
        """See :class:`~trainers.generators.engine_child.Engine`."""
        with ThreadPoolExecutor(self._parallel) as pool:
            while (message := messages.get()) is not None:
                match message["op"]:
                    case "seed":
                        self._cancelled = threading.Event()
                    case "cancel":
                        self._cancelled.set()
                    case "job":
                        pool.submit(self._answer, message, self._cancelled, send)
                    case "score":
                        send({"error": "llama.cpp cannot score given texts; vllm can"})

    def _answer(self, job: Message, cancelled: threading.Event, send: Send) -> None:
        number = job["job"]
        if cancelled.is_set():
            send({"job": number, "text": "", "tokens": 0, "logprob": None, "finish_reason": "cut"})
            return
        try:
            send({"job": number, **self._complete(job)})
        except Exception as error:  # noqa: BLE001 - told to the parent, whatever it is
            send({"error": f"a completion failed: {type(error).__name__}: {error}"})

    def _complete(self, job: Message) -> dict[str, Any]:
        asked = {
            "temperature": job["params"]["temperature"],
            "top_p": job["params"]["top_p"],
            "max_tokens": job["params"]["max_tokens"],
            "stop": job["params"]["stop"],
            "seed": job["params"]["seed"],
            # llama.cpp's other samplers are on by default, and would make it another distribution.
            "top_k": 0,
            "min_p": 0.0,
            "repeat_penalty": 1.0,
            "cache_prompt": True,
        }
        if "messages" in job:
            if self._logprobs:
                asked |= {"logprobs": True, "top_logprobs": 1}
            answer = _parsed(
                self._server.handle_chat_completions({"messages": job["messages"], **asked})
            )
            choice = answer["choices"][0]
            text = choice["message"]["content"] or ""
        else:
            if self._logprobs:
                asked |= {"logprobs": 1}
            answer = _parsed(self._server.handle_completions({"prompt": job["prompt"], **asked}))
            choice = answer["choices"][0]
            text = choice["text"]
        return {
            "text": text,
            "tokens": answer["usage"]["completion_tokens"],
            "logprob": _summed(choice.get("logprobs")),
            "finish_reason": choice["finish_reason"],
            "pieces": _pieces(choice.get("logprobs")) if job["params"].get("pieces") else [],
        }


def _parsed(answer: Any) -> dict[str, Any]:
    found = json.loads(answer) if isinstance(answer, str | bytes) else answer
    if "error" in found:
        raise RuntimeError(str(found["error"].get("message", found["error"])))
    return dict(found)


def _summed(logprobs: Mapping[str, Any] | None) -> float | None:
    tokens = (logprobs or {}).get("content")
    return sum(token["logprob"] for token in tokens) if tokens else None


def _pieces(logprobs: Mapping[str, Any] | None) -> list[tuple[str, float]]:
    tokens = (logprobs or {}).get("content") or []
    return [(token["token"], token["logprob"]) for token in tokens]
