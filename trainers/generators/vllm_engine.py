"""vLLM, in this process: jobs are added to its batch as they come and leave as they end."""

import os
import queue
from collections.abc import Mapping
from typing import Any

from trainers.generators.engine_child import Message, Send


class VllmEngine:
    """One step of the engine after the other, with new jobs added between."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        """Load the model.

        Args:
            told: ``model`` (Hugging Face folder), ``parallel``, ``context``, ``gpu_memory``.
        """
        # In this process: nothing to be orphaned, and the seed below is the engine's.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        import torch
        from vllm import LLM

        self._torch = torch
        self._cuda = torch.cuda.is_available()
        extra = {"gpu_memory_utilization": told["gpu_memory"]} if self._cuda else {}
        self._llm = LLM(
            model=told["model"],
            dtype="bfloat16",
            max_model_len=told["context"],
            max_num_seqs=told["parallel"],
            enable_prefix_caching=True,
            enforce_eager=not self._cuda,
            disable_log_stats=True,
            seed=0,
            **extra,
        )
        self._engine = self._llm.llm_engine
        self._tokenizer = self._llm.get_tokenizer()
        self._flying: set[str] = set()  # the numbers of the jobs that are not finished
        self._pieces: set[str] = set()  # of those, the ones that want each token

    def serve(self, messages: "queue.SimpleQueue[Message | None]", send: Send) -> None:
        """See :class:`~trainers.generators.engine_child.Engine`."""
        while True:
            busy = self._engine.has_unfinished_requests()
            while not messages.empty() or not busy:
                message = messages.get()
                if message is None:
                    return
                self._take(message, send)
                busy = self._engine.has_unfinished_requests()
            for output in self._engine.step():
                if output.finished:
                    self._flying.discard(output.request_id)
                    send(_answer(output, output.request_id in self._pieces))
                    self._pieces.discard(output.request_id)

    def _take(self, message: Message, send: Send) -> None:
        match message["op"]:
            case "seed":
                self._torch.manual_seed(message["seed"])
            case "job":
                self._flying.add(str(message["job"]))
                if message["params"].get("pieces"):
                    self._pieces.add(str(message["job"]))
                self._engine.add_request(
                    str(message["job"]), self._prompt(message), self._params(message["params"])
                )
            case "cancel":
                self._engine.abort_request(list(self._flying))
                self._flying.clear()
                self._pieces.clear()
            case "score":
                send({"scores": self._scores(message["messages"], message["completions"])})

    def _prompt(self, job: Message) -> dict[str, Any]:
        text = job["prompt"] if "prompt" in job else self._chat(job["messages"])
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return {"prompt_token_ids": ids}

    def _chat(self, messages: list[dict[str, str]]) -> str:
        prefilled = messages[-1]["role"] == "assistant"
        text: str = self._tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=not prefilled,
            continue_final_message=prefilled,
        )
        return text

    def _params(self, asked: Mapping[str, Any]) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=asked["temperature"],
            top_p=asked["top_p"],
            max_tokens=asked["max_tokens"],
            stop=asked["stop"] or None,
            # The CPU build has no generator a request; there the engine's own was seeded.
            seed=asked["seed"] if self._cuda else None,
            logprobs=0,
        )

    def _scores(self, messages: list[dict[str, str]], completions: list[str]) -> list[float]:
        from vllm import SamplingParams

        prompt = self._chat(messages)
        head = self._tokenizer(prompt, add_special_tokens=False)["input_ids"]
        params = SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0)
        tails = [
            self._tokenizer(text, add_special_tokens=False)["input_ids"] for text in completions
        ]
        prompts = [{"prompt_token_ids": head + tail} for tail in tails]
        outputs = self._llm.generate(prompts, params, use_tqdm=False)
        return [
            sum(
                found[token].logprob
                for token, found in zip(tail, output.prompt_logprobs[len(head) :], strict=True)
            )
            for tail, output in zip(tails, outputs, strict=True)
        ]


def _answer(output: Any, wanted: bool) -> dict[str, Any]:
    """A finished request; ``wanted``: each of its tokens too."""
    best = output.outputs[0]
    return {
        "job": int(output.request_id),
        "text": best.text,
        "tokens": len(best.token_ids),
        "logprob": best.cumulative_logprob,
        "finish_reason": best.finish_reason,
        "pieces": _pieces(best) if wanted else [],
    }


def _pieces(best: Any) -> list[tuple[str, float]]:
    """The text and log-probability of each token that was sampled."""
    found = zip(best.token_ids, best.logprobs or (), strict=False)
    return [(told[token].decoded_token or "", told[token].logprob) for token, told in found]
