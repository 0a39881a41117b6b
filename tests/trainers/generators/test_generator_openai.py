"""Any OpenAI-compatible server over real HTTP: kept busy, retried, and one clear error."""

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from trainers.errors import GeneratorError
from trainers.generators import openai_server
from trainers.generators.base import Message, Request, SamplingParams
from trainers.generators.openai_server import OpenAIGenerator

PARAMS = SamplingParams(temperature=0.5, top_p=0.9, max_tokens=32, seed=7, stop=("\n\n",))
Answer = tuple[int, dict[str, str], bytes]


def chat_answer(body: dict[str, Any], text: str = "print(1)") -> Answer:
    """What a server that knows every field says."""
    logprobs = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.0}]}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": logprobs if body.get("logprobs") else None,
        "finish_reason": "stop",
    }
    answer = {"choices": [choice], "usage": {"completion_tokens": 2}}
    return 200, {}, json.dumps(answer).encode()


class Server(http.server.ThreadingHTTPServer):
    """Asks ``behave`` what to answer; remembers what was asked and how much at once."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what some tests are about."""

    def __init__(self, behave: Callable[[int, str, dict[str, Any]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.lock = threading.Lock()
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.now = self.most = 0


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            number = len(self.server.asked)
            self.server.asked.append((self.path, body))
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
        status, headers, data = self.server.behave(number, self.path, body)
        with self.server.lock:
            self.server.now -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


Serve = Callable[[Callable[[int, str, dict[str, Any]], Answer]], Server]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    monkeypatch.setattr(openai_server, "FIRST_PAUSE_S", 0.01)
    started: list[tuple[Server, threading.Thread]] = []

    def run(behave: Callable[[int, str, dict[str, Any]], Answer]) -> Server:
        server = Server(behave)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        started.append((server, thread))
        return server

    yield run
    for server, thread in started:
        server.shutdown()
        server.server_close()
        thread.join()


def generator(server: Server, parallel: int = 4, timeout_s: float = 10.0) -> OpenAIGenerator:
    return OpenAIGenerator(
        base_url=f"http://127.0.0.1:{server.server_port}/v1/",
        model="some-model",
        api_key="secret",
        parallel=parallel,
        timeout_s=timeout_s,
    )


def request(key: str, n: int = 1) -> Request:
    return Request(key, (Message("user", f"say {key}"),), n)


def test_samples_tokens_and_logprobs(serve: Serve) -> None:
    server = serve(lambda number, path, body: chat_answer(body))
    with generator(server) as asked:
        got = list(asked.generate([request("a", 3), request("b")], PARAMS))
    assert sorted(one.key for one in got) == ["a", "a", "a", "b"]
    assert (got[0].text, got[0].tokens, got[0].logprob) == ("print(1)", 2, -1.5)
    path, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body["model"] == "some-model" and body["stop"] == ["\n\n"] and body["max_tokens"] == 32
    assert len({body["seed"] for _, body in server.asked}) == 4


def test_no_more_than_parallel_at_once(serve: Serve) -> None:
    def slow(number: int, path: str, body: dict[str, Any]) -> Answer:
        time.sleep(0.05)
        return chat_answer(body)

    server = serve(slow)
    with generator(server, parallel=3) as asked:
        assert len(list(asked.generate([request("a", 12)], PARAMS))) == 12
    assert 2 <= server.most <= 3


def test_server_without_logprobs_is_asked_without(serve: Serve) -> None:
    def strict(number: int, path: str, body: dict[str, Any]) -> Answer:
        return (400, {}, b"unknown field logprobs") if "logprobs" in body else chat_answer(body)

    server = serve(strict)
    with generator(server, parallel=1) as asked:
        got = list(asked.generate([request("a", 5)], PARAMS))
    assert [one.logprob for one in got] == [None] * 5
    assert len(server.asked) == 6


def test_infill_asks_the_raw_completions(serve: Serve) -> None:
    def complete(number: int, path: str, body: dict[str, Any]) -> Answer:
        choice = {"text": "a, b", "logprobs": {"token_logprobs": [-1.0, None, -2.0]}}
        answer = {"choices": [choice], "usage": {"completion_tokens": 3}}
        return 200, {}, json.dumps(answer).encode()

    server = serve(complete)
    with generator(server) as asked:
        (one,) = asked.infill("def f(", "):", 1, PARAMS)
    assert (one.text, one.logprob) == ("a, b", -3.0)
    path, body = server.asked[0]
    assert path == "/v1/completions"
    assert body["prompt"] == "<|fim_prefix|>def f(<|fim_suffix|>):<|fim_middle|>"


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_load_and_faults_are_waited_out(serve: Serve, status: int) -> None:
    def flaky(number: int, path: str, body: dict[str, Any]) -> Answer:
        return (status, {"Retry-After": "0"}, b"later") if number < 2 else chat_answer(body)

    with generator(serve(flaky), parallel=1) as asked:
        (one,) = asked.generate([request("a")], PARAMS)
    assert one.text == "print(1)"


def test_server_names_how_long_to_wait(serve: Serve) -> None:
    def loaded(number: int, path: str, body: dict[str, Any]) -> Answer:
        return (429, {"Retry-After": "1"}, b"slow down") if number == 0 else chat_answer(body)

    began = time.monotonic()
    with generator(serve(loaded)) as asked:
        list(asked.generate([request("a")], PARAMS))
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, {}, b"broken"), "HTTP 500"),
        ((401, {}, b"no such key"), "HTTP 401.*check generator.base_url"),
        ((404, {}, b"no such model"), "HTTP 404"),
        ((200, {}, b"<html>hello</html>"), "not JSON"),
        ((200, {}, b"[]"), "OpenAI-compatible"),
        ((200, {}, b'{"choices": []}'), "OpenAI-compatible"),
        ((200, {}, b'{"choices": [{"message": {"content": "x"}}]}'), "usage"),
    ],
)
def test_failure_is_one_clear_line(serve: Serve, answer: Answer, words: str) -> None:
    server = serve(lambda number, path, body: answer)
    with (
        generator(server, parallel=1) as asked,
        pytest.raises(GeneratorError, match=words) as caught,
    ):
        list(asked.generate([request("a", 3)], PARAMS))
    assert "\n" not in str(caught.value)
    assert len(server.asked) <= openai_server.ATTEMPTS


def test_what_came_before_a_failure_stays_valid(serve: Serve) -> None:
    def dying(number: int, path: str, body: dict[str, Any]) -> Answer:
        return chat_answer(body) if number < 2 else (404, {}, b"gone")

    with generator(serve(dying), parallel=1) as asked:
        answers = asked.generate([request("a", 5)], PARAMS)
        assert [next(answers).key, next(answers).key] == ["a", "a"]
        with pytest.raises(GeneratorError, match="gone"):
            next(answers)


def test_hanging_server_is_given_up_once(serve: Serve) -> None:
    release = threading.Event()

    def hang(number: int, path: str, body: dict[str, Any]) -> Answer:
        release.wait(10)
        return chat_answer(body)

    began = time.monotonic()
    asked = generator(serve(hang), timeout_s=0.5)
    with asked, pytest.raises(GeneratorError, match=r"silent for 0\.5 s"):
        list(asked.generate([request("a")], PARAMS))
    assert time.monotonic() - began < 3
    release.set()


def test_absent_server_and_closed_generator(serve: Serve) -> None:
    server = serve(lambda number, path, body: chat_answer(body))
    closed = generator(server)
    with pytest.raises(GeneratorError, match="with statement"):
        list(closed.generate([request("a")], PARAMS))
    nowhere = OpenAIGenerator(
        base_url="http://127.0.0.1:9/v1", model="m", api_key="", parallel=1, timeout_s=2
    )
    with nowhere, pytest.raises(GeneratorError, match="does not answer: ConnectError"):
        list(nowhere.generate([request("a")], PARAMS))


def test_scores_are_refused(serve: Serve) -> None:
    server = serve(lambda number, path, body: chat_answer(body))
    with generator(server) as asked, pytest.raises(GeneratorError, match="vllm"):
        asked.score([Message("user", "x")], ["y"])
