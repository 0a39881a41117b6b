"""Any OpenAI-compatible server: vllm serve, llama-server, Ollama, SGLang, or a paid one."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from typing import Any, Self

import httpx

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

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
_WORTH_RETRYING = {408, 409, 425, 429, 500, 502, 503, 504}


class OpenAIGenerator:
    """A :class:`~trainers.generators.base.Generator` over HTTP, some requests at a time."""

    def __init__(
        self, *, base_url: str, model: str, api_key: str, parallel: int, timeout_s: float
    ) -> None:
        """Nothing is asked before the generator is entered."""
        self._url = base_url.rstrip("/")
        self._model, self._parallel = model, parallel
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s
        self._client: httpx.Client | None = None
        self._logprobs = True
        self.id = f"openai/{model}@{httpx.URL(self._url).netloc.decode()}"

    def __enter__(self) -> Self:
        self._client = httpx.Client(
            headers=self._headers,
            timeout=httpx.Timeout(self._timeout_s, connect=10.0),
            limits=httpx.Limits(max_connections=self._parallel),
        )
        return self

    def __exit__(self, *exc: object) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

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
        """Always refused: the protocol has no way to ask.

        Raises:
            GeneratorError: always.
        """
        raise GeneratorError(f"{self.id} cannot score given texts; the vllm backend can")

    def _run(
        self, jobs: Iterator[Request | Infill | None], params: SamplingParams
    ) -> Iterator[Completion]:
        """Complete requests, one sample each, some at a time."""
        with ThreadPoolExecutor(self._parallel) as pool:
            flying: set[Future[Completion]] = set()
            count, more = 0, True
            try:
                while more or flying:
                    while more and len(flying) < self._parallel:
                        job = next(jobs, END)
                        if job is None:
                            break
                        if isinstance(job, str):
                            more = False
                        else:
                            own, (path, body) = job.params or params, _asked(job)
                            count += 1
                            seed = seed_of(job, params, count)
                            asked = {**body, **self._settings(own), "seed": seed}
                            flying.add(
                                pool.submit(self._complete, path, job.key, asked, own.pieces)
                            )
                    done, flying = wait(flying, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                for future in flying:
                    future.cancel()

    def _settings(self, params: SamplingParams) -> dict[str, Any]:
        settings: dict[str, Any] = {
            "model": self._model,
            "temperature": params.temperature,
            "top_p": params.top_p,
            "max_tokens": params.max_tokens,
        }
        if params.stop:
            settings["stop"] = list(params.stop)
        return settings

    def _complete(self, path: str, key: str, asked: dict[str, Any], pieces: bool) -> Completion:
        if self._logprobs:
            logprobs: Any = True if path.startswith("/chat") else 1
            answer = self._post(path, {**asked, "logprobs": logprobs}, refusable=True)
            if answer is None:  # this server does not know the field
                self._logprobs = False
        if not self._logprobs:
            answer = self._post(path, asked)
        return self._completion(key, answer, pieces)

    def _post(self, path: str, body: dict[str, Any], *, refusable: bool = False) -> Any:
        """The parsed answer; None where a 400 or 422 is expected (``refusable``) and came."""
        if self._client is None:
            raise GeneratorError(f"{self.id} is not open; use it in a with statement")
        last, pause_s = "", FIRST_PAUSE_S
        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(pause_s)
                pause_s *= 2
            try:
                answer = self._client.post(self._url + path, json=body)
            except httpx.ReadTimeout as error:
                # Asking again would wait as long again.
                raise GeneratorError(
                    f"{self.id} has been silent for {self._timeout_s:g} s; see its log, or raise "
                    "generator.request_timeout_s"
                ) from error
            except httpx.HTTPError as error:
                last = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code == httpx.codes.OK:
                return self._parsed(answer)
            last = f"HTTP {answer.status_code}: {answer.text[:200]!r}"
            if refusable and answer.status_code in (400, 422):
                return None
            if answer.status_code not in _WORTH_RETRYING:
                break
            pause_s = max(pause_s, _asked_to_wait(answer))
        raise GeneratorError(
            f"{self.id} does not answer: {last}; check generator.base_url, generator.model "
            "and the key"
        )

    def _parsed(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            raise GeneratorError(f"{self.id} answered {answer.text[:80]!r}, not JSON") from error

    def _completion(self, key: str, answer: Any, pieces: bool) -> Completion:
        try:
            choice = answer["choices"][0]
            text = choice["text"] if "text" in choice else choice["message"]["content"]
            return Completion(
                key=key,
                text=text or "",
                tokens=int(answer["usage"]["completion_tokens"]),
                logprob=_summed(choice.get("logprobs")),
                finish_reason=str(choice.get("finish_reason") or "unknown"),
                pieces=_pieces(choice.get("logprobs")) if pieces else (),
            )
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise GeneratorError(
                f"{self.id} answered without {error}; is it an OpenAI-compatible server?"
            ) from error


def _asked(request: Request | Infill) -> tuple[str, dict[str, Any]]:
    """The path and the body of a request."""
    if isinstance(request, Infill):
        return "/completions", {"prompt": request.prompt}
    return "/chat/completions", {"messages": [asdict(message) for message in request.messages]}


def _asked_to_wait(answer: httpx.Response) -> float:
    """Seconds that a server under load names (``Retry-After``), a minute at most."""
    named = answer.headers.get("Retry-After", "")
    return min(float(named), LONGEST_PAUSE_S) if named.isdecimal() else 0.0


def _summed(logprobs: Any) -> float | None:
    """The sum over tokens in the chat form or the older completions form; None without any."""
    if not isinstance(logprobs, dict):
        return None
    if tokens := logprobs.get("content"):
        return float(sum(token["logprob"] for token in tokens))
    if values := logprobs.get("token_logprobs"):
        return float(sum(value for value in values if value is not None))
    return None


def _pieces(logprobs: Any) -> tuple[tuple[str, float], ...]:
    """The text and log-probability of each token, in either form; none where there are none."""
    if not isinstance(logprobs, dict):
        return ()
    if tokens := logprobs.get("content"):
        return tuple((str(token["token"]), float(token["logprob"])) for token in tokens)
    texts, values = logprobs.get("tokens") or (), logprobs.get("token_logprobs") or ()
    return tuple(
        (str(text), float(value or 0.0)) for text, value in zip(texts, values, strict=True)
    )
