"""OpenVINO GenAI: continuous batching, the fastest here on a plain x86-64 processor."""

import queue
from collections.abc import Mapping
from typing import Any

from trainers.generators.engine_child import Message, Send

_BATCH_TOKENS = 1024  # prompt tokens that one step may read beside the running samples


class OpenVinoEngine:
    """One step of the pipeline after the other, with new jobs added between."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Load the model.

        Args:
            told: ``model`` (GGUF file, q8_0 or f16), ``parallel``, ``context`` (tokens a request),
                ``threads`` (0: all), ``kv_cache_gb``, ``logprobs``.
        """
        import openvino_genai

        self._api = openvino_genai
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.cache_size = max(1, round(told["kv_cache_gb"]))  # GiB
        scheduler.max_num_seqs = told["parallel"]
        scheduler.max_num_batched_tokens = _BATCH_TOKENS
        scheduler.enable_prefix_caching = True
        properties = {"INFERENCE_NUM_THREADS": told["threads"]} if told["threads"] else {}
        self._pipeline = openvino_genai.ContinuousBatchingPipeline(
            told["model"], scheduler, "CPU", properties
        )
        self._tokenizer = self._pipeline.get_tokenizer()
        self._context: int = told["context"]
        self._logprobs: bool = told["logprobs"]
        self._ends = self._end_tokens()
        self._flying: dict[int, Any] = {}
        self._pieces: set[int] = set()  # the jobs that want each token

    def serve(self, messages: "queue.SimpleQueue[Message | None]", send: Send) -> None:
        """See :class:`~trainers.generators.engine_child.Engine`."""
        while True:
            while not messages.empty() or not self._flying:
                message = messages.get()
                if message is None:
                    return
                self._take(message, send)
            self._pipeline.step()
            self._send_finished(send)

    def _take(self, message: Message, send: Send) -> None:
        match message["op"]:
            case "job":
                number, prompt = message["job"], self._prompt(message)
                self._require_room(prompt, message["params"]["max_tokens"])
                if message["params"].get("pieces"):
                    self._pieces.add(number)
                self._flying[number] = self._pipeline.add_request(
                    number, prompt, self._settings(message["params"])
                )
            case "cancel":
                for number, handle in self._flying.items():
                    handle.stop()
                    send({"job": number, "text": "", "tokens": 0, "logprob": None,
                          "finish_reason": "cut"})  # fmt: skip
                self._flying = {}
                self._pieces = set()
            case "score":
                send({"error": "openvino cannot score given texts; vllm can"})

    def _send_finished(self, send: Send) -> None:
        running = self._api.GenerationStatus.RUNNING
        for number in [n for n, handle in self._flying.items() if handle.get_status() != running]:
            parts = self._flying.pop(number).read_all()
            ids = [token for part in parts for token in part.generated_ids]
            logprobs = [value for part in parts for value in part.generated_log_probs]
            length = self._api.GenerationFinishReason.LENGTH
            send({
                "job": number,
                "text": self._tokenizer.decode(ids, skip_special_tokens=True),
                "tokens": len(ids),
                "logprob": sum(logprobs) if logprobs else None,
                # Of an answer whose first token stops it there is no part.
                "finish_reason": "length" if parts and parts[-1].finish_reason == length
                else "stop",
                "pieces": self._pieces_of(number, ids, logprobs),
            })  # fmt: skip

    def _pieces_of(
        self, number: int, ids: list[int], logprobs: list[float]
    ) -> list[tuple[str, float]]:
        """The text and log-probability of each token of a job that asked for them."""
        if number not in self._pieces:
            return []
        self._pieces.discard(number)
        texts = self._tokenizer.decode([[token] for token in ids], skip_special_tokens=True)
        return list(zip(texts, logprobs, strict=False))

    def _prompt(self, job: Message) -> str:
        if "prompt" in job:
            return str(job["prompt"])
        turns = job["messages"]
        prefill = turns[-1]["content"] if turns[-1]["role"] == "assistant" else ""
        chat = self._tokenizer.apply_chat_template(
            turns[:-1] if prefill else turns, add_generation_prompt=True
        )
        return f"{chat}{prefill}"

    def _require_room(self, prompt: str, max_tokens: int) -> None:
        """Refuse what does not fit: the pipeline would go on for minutes with it."""
        size = self._tokens(prompt).shape[1]
        if size + max_tokens > self._context:
            raise ValueError(
                f"a prompt of {size} tokens and {max_tokens} to write do not fit in "
                f"generator.context ({self._context})"
            )

    def _tokens(self, text: str) -> Any:
        """The tokens of a text, of shape (1, n)."""
        return self._tokenizer.encode(text, add_special_tokens=False).input_ids

    def _end_tokens(self) -> set[int]:
        """What ends an answer: the end of a turn, and that of a text, which ends an infill."""
        end_of_text = self._tokens("<|endoftext|>").data.flatten().tolist()
        return {self._tokenizer.get_eos_token_id(), *(end_of_text if len(end_of_text) == 1 else ())}

    def _settings(self, asked: Mapping[str, Any]) -> Any:
        settings = self._api.GenerationConfig()
        settings.max_new_tokens = asked["max_tokens"]
        settings.do_sample = asked["temperature"] > 0
        settings.temperature = asked["temperature"] or 1.0
        settings.top_p = asked["top_p"]
        settings.rng_seed = asked["seed"]
        settings.stop_strings = set(asked["stop"])
        settings.apply_chat_template = False
        settings.set_eos_token_id(self._tokenizer.get_eos_token_id())
        settings.stop_token_ids = self._ends
        if self._logprobs:
            settings.logprobs = 1
        return settings
