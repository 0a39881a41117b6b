"""Alerts over a real local HTTP server: what is told, once; no answer or refusal hurts a round."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from box import Box, wait_for
from champions_state import add_version, open_round

from kent.alerts import Alerts
from kent.rounds import RoundOutcome
from kent.service_settings import AlertsConfig
from kent.webhook import Webhook
from memory.store import Store

SECRET = "hook-SECRET"


class Hook:
    """A server that takes what is posted; ``answers`` are the codes of the next ones, then 200."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.tokens: list[str | None] = []
        self.answers: list[int] = []
        self.delay_s = 0.0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(hook.delay_s)
                code = hook.answers.pop(0) if hook.answers else 200
                if code == 200:
                    hook.got.append(json.loads(body))
                    hook.tokens.append(self.headers.get("Authorization"))
                self.send_response(code)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/{SECRET}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.got]


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "kent.db") as store:
        yield store


def test_failures_promotions_and_no_progress_are_told_once(store: Store, hook: Hook) -> None:
    rules = AlertsConfig(url=hook.url, token_env="TOKEN", no_progress_rounds=2)
    add_version(store, "promoted")
    round_id, run = open_round(store)
    store.end_stage_run(run, "failed", error="the weights are gone")
    store.close_round(round_id, "failed")
    for _ in range(2):  # the second is a daemon that was killed before it could tell
        with Alerts(rules, store, {"TOKEN": "t0ken"}) as alerts:
            alerts.after_round(RoundOutcome(1, "done"))
            alerts.after_round(RoundOutcome(round_id, "failed"))
    assert hook.kinds() == ["promotion", "failure"]
    assert set(hook.tokens) == {"Bearer t0ken"}
    assert "critic-0001 promoted in place of none: tested" in hook.got[0]["text"]
    assert hook.got[1]["text"].endswith(f"round {round_id}: critic failed: the weights are gone")
    assert hook.got[1]["stage"] == "critic"
    store.close_round(open_round(store)[0], "done")
    with Alerts(rules, store) as alerts:
        alerts.after_round(RoundOutcome(3, "done"))
    assert hook.kinds()[2:] == ["no_progress"]
    assert "no promotion in the last 2 rounds" in hook.got[2]["text"]


def test_what_is_switched_off_is_not_told(store: Store, hook: Hook) -> None:
    add_version(store, "promoted")
    quiet = {"failure": False, "promotion": False, "no_progress_rounds": 0}
    with Alerts(AlertsConfig(url=hook.url, **quiet), store) as alerts:
        alerts.after_round(RoundOutcome(1, "done"))
        alerts.blocked("no space")
        alerts.crashed(5)
    with Alerts(AlertsConfig(), store) as alerts:
        alerts.after_round(RoundOutcome(1, "done"))
    assert hook.got == []


def test_a_wait_is_told_once_and_an_end_by_an_error_too(store: Store, hook: Hook) -> None:
    with pytest.raises(ZeroDivisionError), Alerts(AlertsConfig(url=hook.url), store) as alerts:
        for _ in range(3):
            alerts.blocked("only 0.1 GB free")
        raise ZeroDivisionError("a bug")
    assert [one["text"].split(": ", 1)[1] for one in hook.got] == [
        "waiting: only 0.1 GB free", "the daemon ends: a bug"]  # fmt: skip


def test_an_alert_is_tried_again_after_a_passing_error(hook: Hook) -> None:
    hook.answers = [503, 429]
    webhook = Webhook(hook.url, pause_s=0.01)
    webhook.send({"kind": "failure"})
    webhook.close()
    assert hook.kinds() == ["failure"]


@pytest.mark.parametrize("trouble", ["refused", "slow", "forbidden", "no address"])
def test_no_trouble_of_the_webhook_is_ours(hook: Hook, trouble: str, caplog) -> None:
    url = {"refused": f"http://127.0.0.1:1/{SECRET}", "no address": f"http://[/{SECRET}"}
    hook.delay_s = 1.0 if trouble == "slow" else 0.0
    hook.answers = [403] * 3 if trouble == "forbidden" else []
    kent = logging.getLogger("kent")
    kent.addHandler(caplog.handler)
    caplog.set_level(logging.DEBUG)
    try:
        webhook = Webhook(url.get(trouble, hook.url), token="t0ken", timeout_s=0.1, pause_s=0.01)
        began = time.monotonic()
        webhook.send({"kind": "failure"})
        assert time.monotonic() - began < 0.1
        webhook.close()
    finally:
        kent.removeHandler(caplog.handler)
    [said] = {record.getMessage() for record in caplog.records if record.name == "kent"}
    assert "not delivered" in said
    assert SECRET not in said
    assert "t0ken" not in said


def test_a_daemon_tells_of_its_failed_round_and_writes_no_secret(box: Box, hook: Hook) -> None:
    box.plan(attempts=["error"])
    box.add(f'[alerts]\nurl = "{hook.url}"\n')
    assert box.kent("daemon", "start", "--foreground", "--rounds", "1").returncode == 1
    wait_for(lambda: hook.got)
    assert hook.kinds() == ["failure"]
    assert "the weights are gone" in hook.got[0]["text"]
    left = [path for path in box.state.rglob("*") if path.is_file()]
    assert not [path for path in left if SECRET.encode() in path.read_bytes()]
