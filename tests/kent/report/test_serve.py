"""The live page: what it answers, that it follows a round, that it ends, and in a browser."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from kent.report.serve import ReportServer
from memory.store import Store
from tests.kent.report.chromium import BROWSER, Chromium
from tests.kent.report.filling import add_round

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def server(store: Store) -> Iterator[ReportServer]:
    add_round(store)
    server = ReportServer(store.path.parent, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.stop()
    thread.join()
    server.server_close()


def events(server: ReportServer, count: int, between=lambda: None) -> list[dict]:
    """The first messages of a stream; ``between`` is called when the first has come."""
    found: list[dict] = []
    with httpx.stream("GET", f"{server.url}events", timeout=20) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if len(found) == 1:
                    between()
            if len(found) == count:
                break
    return found


def test_the_page_is_served_with_its_script_and_a_policy(server: ReportServer):
    page = httpx.get(server.url)
    assert page.status_code == 200
    assert "KENT report" in page.text
    assert '<script src="/live.js" defer>' in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    script = httpx.get(f"{server.url}live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert httpx.head(server.url).content == b""


def test_nothing_else_is_there_and_nothing_can_be_written(server: ReportServer):
    for path in ("kent.db", "../kent.db", "state", "%2e%2e/kent.db"):
        assert httpx.get(server.url + path).status_code == 404
    for method in ("POST", "PUT", "DELETE"):
        assert httpx.request(method, server.url).status_code == 501


def test_a_name_that_was_pointed_here_from_elsewhere_is_refused(server: ReportServer):
    port = server.server_address[1]
    assert httpx.get(server.url, headers={"Host": f"evil.example:{port}"}).status_code == 403
    assert httpx.get(server.url, headers={"Host": f"localhost:{port}"}).status_code == 200


def test_the_stream_follows_a_round(server: ReportServer, store: Store):
    def go_on() -> None:
        row = store.open_round(seed=1, config={}, code_version="0")
        run = store.begin_stage_run(row.id, "critic", pid=1, pid_start=1.0)
        store.beat(run.id, "sample", 3, 12, "problems")

    first, then = events(server, 2, go_on)
    assert first["total"] == 0
    assert first["report"] != then["report"]


def test_a_directory_without_a_database_says_what_to_do(tmp_path: Path):
    server = ReportServer(tmp_path / "none", "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    answer = httpx.get(server.url)
    server.stop()
    thread.join()
    server.server_close()
    assert answer.status_code == 503
    assert "kent.db" in answer.text


def kent_serve(state: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "kent", "--state", str(state), "report", "--serve", *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_it_ends_cleanly_at_sigterm_with_a_reader_there(store: Store):
    add_round(store)
    process = kent_serve(store.path.parent, "--port", "0")
    url = process.stderr.readline().split()[-1]
    with httpx.stream("GET", f"{url}events", timeout=20) as answer:
        assert next(answer.iter_lines()).startswith("data: ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_port_that_is_taken_is_said_in_one_line(store: Store):
    add_round(store)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = kent_serve(store.path.parent, "--port", port)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said == (
        f"kent: error: port {port} of 127.0.0.1 is taken: --port names another, "
        "--port 0 takes a free one\n"
    )


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH")
def test_a_browser_shows_what_happens_without_a_complaint(server: ReportServer, store: Store):
    with Chromium(network=True) as browser:
        browser.shape(390, 844, "dark")
        browser.open(server.url)
        rounds = "document.querySelectorAll('#rounds tbody tr').length"
        text = "document.querySelector('.state').textContent"
        browser.wait_for(f"{text}.includes('daemon is stopped')")
        assert browser.evaluate(rounds) == 1
        add_round(store, decision="promoted")
        browser.wait_for(f"{rounds} === 2")
        assert browser.evaluate("document.querySelectorAll('#promotions').length") == 1
        browser.evaluate("document.querySelector('label[for=theme-light]').click()")
        assert browser.evaluate("sessionStorage.getItem('theme')") == "theme-light"
        assert browser.evaluate("document.documentElement.scrollWidth") <= 390
        assert browser.complaints == []
        server.stop()
        browser.wait_for(f"{text}.includes('cannot be reached')")
