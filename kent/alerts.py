"""What a person far away is told: failures, promotions, no progress; each once, by the store."""

import os
import socket
from collections.abc import Mapping
from typing import Any

from kent.rounds import RoundOutcome
from kent.service_settings import AlertsConfig
from kent.webhook import Webhook
from memory.store import Store

_TOLD = "SELECT 1 FROM events WHERE level = 'alert' AND data ->> 'key' = ? LIMIT 1"
_FAILED = """
SELECT id, stage, attempt, error FROM stage_runs r
WHERE round_id = ? AND status = 'failed' AND attempt = (
    SELECT max(attempt) FROM stage_runs WHERE round_id = r.round_id AND stage = r.stage)
ORDER BY id
"""
_PROMOTED = """
SELECT p.id, p.kind, p.candidate, p.champion, p.reason, p.decision, p.actor
FROM promotions p LEFT JOIN stage_runs r ON r.id = p.stage_run_id
WHERE p.decision <> 'kept' AND (r.round_id = :round_id OR (p.stage_run_id IS NULL
    AND p.created_at >= (SELECT started_at FROM rounds WHERE id = :round_id)))
ORDER BY p.id
"""
_SINCE = """
SELECT count(*) AS rounds FROM rounds WHERE status <> 'running' AND id > coalesce((
    SELECT max(r.round_id) FROM promotions p JOIN stage_runs r ON r.id = p.stage_run_id
    WHERE p.decision = 'promoted'), 0)
"""


class Alerts:
    """Decides what is worth telling and hands it to the webhook; use as a context manager."""

    def __init__(
        self, rules: AlertsConfig, store: Store, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._rules, self._store = rules, store
        self._hook: Webhook | None = None
        self._token = environ.get(rules.token_env, "") if rules.token_env else ""
        self._blocked = ""

    def __enter__(self) -> "Alerts":
        if self._rules.url:
            self._hook = Webhook(
                self._rules.url, token=self._token, timeout_s=self._rules.timeout_s
            )
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._hook and isinstance(error, Exception) and self._rules.failure:
            self._hook.send(_document("failure", f"the daemon ends: {error}", {}))
        if self._hook:
            self._hook.close()

    def after_round(self, outcome: RoundOutcome) -> None:
        """Tell what a round that came to its end is worth telling."""
        if self._hook is None:
            return
        self._blocked = ""
        number = outcome.round_id
        for run in self._store.query(_FAILED, (number,)) if self._rules.failure else []:
            text = f"round {number}: {run['stage']} failed: {run['error']}"
            self._tell("failure", f"stage_run/{run['id']}", text, round=number, stage=run["stage"])
        asked = {"round_id": number}
        for row in self._store.query(_PROMOTED, asked) if self._rules.promotion else []:
            text = f"round {number}: {_promotion(row)}"
            self._tell("promotion", f"promotion/{row['id']}", text, round=number, model=row["kind"])
        every = self._rules.no_progress_rounds
        since = self._store.query(_SINCE)[0]["rounds"]
        if every and since and since % every == 0:
            text = f"no promotion in the last {since} rounds"
            self._tell("no_progress", f"no_progress/{number}", text, round=number, rounds=since)

    def blocked(self, reason: str) -> None:
        """Tell once that no stage can work until a person has put something right."""
        if self._hook and self._rules.failure and not self._blocked:
            self._blocked = reason
            self._hook.send(_document("failure", f"waiting: {reason}", {}))

    def crashed(self, pid: int) -> None:
        """Tell that the process before died without a word."""
        if self._hook and self._rules.failure:
            text = f"the daemon before (pid {pid}) had crashed; this one goes on where it was"
            self._hook.send(_document("failure", text, {}))

    def _tell(self, kind: str, key: str, text: str, **facts: Any) -> None:
        """Hand it over unless a daemon before did so already."""
        if self._hook is None or self._store.query(_TOLD, (key,)):
            return
        self._store.event("alert", text, level="alert", data={"key": key})
        self._hook.send(_document(kind, text, facts))


def _promotion(row: dict[str, Any]) -> str:
    words = {"gate": "", "hand": " by hand", "daemon": " by the daemon"}[row["actor"]]
    did = f"{row['candidate']} {row['decision'].replace('_', ' ')}{words}"
    return f"{did} in place of {row['champion'] or 'none'}: {row['reason']}"


def _document(kind: str, text: str, facts: dict[str, Any]) -> dict[str, Any]:
    """What is posted: ``text`` is what chat services show."""
    host = socket.gethostname()
    return {"text": f"KENT on {host}: {text}", "kind": kind, "host": host, **facts}
