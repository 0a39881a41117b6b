"""What the daemon of a state directory is doing: one document, and the same in words.

It reads the database with SQLite alone: the store's own library takes half a second to import,
and who watches a daemon asks often.
"""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from kent.disk import free_bytes, in_words, used_bytes
from kent.instance import Holder, read_holder
from kent.pause import is_paused
from kent.progress import duration, read_pace
from kent.usage import in_line, used_by_round
from kent.version import package_version

_ROUND = "SELECT id, status, started_at, finished_at FROM rounds ORDER BY id DESC LIMIT 1"
_STAGE = """
SELECT id, stage AS name, attempt, status, started_at, heartbeat_at, pid, phase, done, total, unit
FROM stage_runs WHERE round_id = ? ORDER BY id DESC LIMIT 1
"""
_ERROR = "SELECT at, kind, message FROM events WHERE level = 'error' ORDER BY id DESC LIMIT 1"
_PLAN = "SELECT config ->> '$.stages.enabled' FROM rounds WHERE id = ?"
_THROUGH = "SELECT DISTINCT stage FROM stage_runs WHERE round_id = ?"
_COUNTS = "SELECT status, count(*) AS n FROM rounds GROUP BY status"


def status(state_dir: Path) -> dict[str, Any]:
    """The document of ``kent daemon status --json``; times are Unix seconds, sizes bytes."""
    now = time.time()
    holder = read_holder(state_dir)
    found = _from_database(state_dir / "kent.db", now)
    stage = found.pop("stage")
    alive = bool(holder and holder.alive)
    for row in (found["round"], stage):
        if row and row["status"] == "running" and not alive:
            row["status"] = "cut"  # it goes on at the next start
    if stage:
        _add_pace(stage, state_dir, now)
    return {
        "state": _state(holder),
        "role": holder.role if holder and alive else None,
        "pid": holder.pid if holder and alive else None,
        "since": holder.since if holder and alive else None,
        "ended": _ended(holder),
        **found,
        "stage": stage,
        "next_due_at": holder.next_due_at if holder and alive else None,
        "waiting": holder.waiting if holder and alive else "",
        "paused": is_paused(state_dir),
        "disk": {"used_bytes": used_bytes(state_dir), "free_bytes": free_bytes(state_dir)},
        "state_dir": str(state_dir),
        "version": package_version(),
    }


def _state(holder: Holder | None) -> str:
    if holder is None or holder.ended_at is not None:
        return "stopped"
    if not holder.alive:
        return "crashed"
    return "running" if holder.ready_at else "starting"


def _ended(holder: Holder | None) -> dict[str, Any] | None:
    if holder is None or holder.ended_at is None:
        return None
    return {"at": holder.ended_at, "reason": holder.reason}


def _from_database(path: Path, now: float) -> dict[str, Any]:
    """Round, stage, last error and counts; a database that cannot be read says why."""
    empty: dict[str, Any] = {
        "round": None, "stage": None, "to_come": [], "used": None, "rounds": {},
        "last_error": None,
    }  # fmt: skip
    if not path.exists():
        return empty
    try:
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            connection.row_factory = sqlite3.Row
            rows = connection.execute(_ROUND).fetchall()
            current = dict(rows[0]) if rows else None
            stages = connection.execute(_STAGE, (current["id"],)).fetchall() if current else []
            to_come = _to_come(connection, current["id"]) if current else []
            errors = connection.execute(_ERROR).fetchall()
            used = used_by_round(connection, current["id"]) if current else None
            counts = connection.execute(_COUNTS).fetchall()
    except sqlite3.Error as error:
        return {**empty, "last_error": {"at": now, "kind": "store", "message": f"{path}: {error}"}}
    return {
        "round": current,
        "stage": dict(stages[0]) if stages else None,
        "to_come": to_come if current and current["status"] == "running" else [],
        "used": used,
        "rounds": {row["status"]: row["n"] for row in counts},
        "last_error": dict(errors[0]) if errors else None,
    }


def _to_come(connection: sqlite3.Connection, round_id: int) -> list[str]:
    """The stages of a round that have not begun, in its order."""
    [plan] = connection.execute(_PLAN, (round_id,)).fetchone()
    names = [name.rpartition(":")[2] for name in json.loads(plan or "[]")]
    begun = {row["stage"] for row in connection.execute(_THROUGH, (round_id,))}
    return [name for name in names if name not in begun]


def _add_pace(stage: dict[str, Any], state_dir: Path, now: float) -> None:
    """Rate, time left and age of the heartbeat, of a stage that runs."""
    running = stage["status"] == "running"
    pace = read_pace(state_dir, stage["id"]) if running else None
    fits = pace is not None and pace.phase == stage["phase"]
    stage["rate"] = pace.rate if pace and fits else None
    stage["eta_s"] = pace.eta_s if pace and fits else None
    beat = stage["heartbeat_at"] or stage["started_at"]
    stage["heartbeat_age_s"] = round(now - beat, 2) if running else None


def in_lines(document: dict[str, Any]) -> list[str]:
    """The document for a person."""
    lines = [_head(document), f"state directory: {document['state_dir']}"]
    if document["waiting"] or document["paused"]:
        lines.append(document["waiting"] or "pausing after the unit of work in hand")
    if current := document["round"]:
        lines.append(f"round {current['id']}: {current['status']}")
    if stage := document["stage"]:
        lines += _stage_lines(stage)
    if used := document["used"]:
        lines.append(in_line(used))
    lines.append(f"next: {_what_next(document)}")
    if error := document["last_error"]:
        lines.append(f"last error: {_clock(error['at'])} {error['message']}")
    disk = document["disk"]
    lines.append(f"disk: {in_words(disk['used_bytes'])} used, {in_words(disk['free_bytes'])} free")
    return lines


def _what_next(document: dict[str, Any]) -> str:
    """What comes after what is going on now, for a person."""
    current, to_come = document["round"], document["to_come"]
    cut = bool(current) and current["status"] in ("running", "cut")
    rest = f"{', '.join(to_come)}, then the end of round {current['id']}" if to_come else (
        f"the end of round {current['id']}" if cut else "round 1")  # fmt: skip
    if not document["pid"]:
        goes_on = f"goes on with round {current['id']}" if cut else "begins a round"
        return f"`kent daemon start` {goes_on}"
    if document["next_due_at"]:
        left = max(document["next_due_at"] - time.time(), 0)
        return f"next round in {duration(left)}"
    if document["paused"]:
        return f"`kent daemon resume`; then {rest}"
    if document["waiting"]:
        return f"another try by itself; then {rest}"
    return rest if cut or not current else f"round {current['id'] + 1}"


def _head(document: dict[str, Any]) -> str:
    state = document["state"]
    if document["pid"]:
        what = {"daemon": "daemon", "restore": "`kent state restore`"}.get(
            document["role"], "`kent round`"
        )
        return f"{what} {state}: pid {document['pid']}, since {_clock(document['since'])}"
    if state == "crashed":
        return "daemon crashed: it died without a word; `kent daemon start` goes on where it was"
    ended = document["ended"]
    return f"daemon stopped ({_clock(ended['at'])}: {ended['reason']})" if ended else (
        "daemon stopped: never started here")  # fmt: skip


def _stage_lines(stage: dict[str, Any]) -> list[str]:
    line = f"stage {stage['name']}, attempt {stage['attempt']}: {stage['status']}"
    if stage["status"] != "running":
        return [line]
    progress = f"{stage['phase'] or 'starting'}"
    if stage["total"]:
        progress += f" {stage['done']}/{stage['total']} {stage['unit']}"
    if stage["rate"]:
        progress += f", {stage['rate']:.3g}/s"
    if stage["eta_s"] is not None:
        progress += f", {duration(stage['eta_s'])} left"
    return [line, f"  {progress}", f"  heartbeat {stage['heartbeat_age_s']:.1f} s ago"]


def _clock(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
