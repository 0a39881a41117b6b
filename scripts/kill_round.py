"""Kill the daemon with its process tree at random moments of one round: nothing may be lost.

    .venv/bin/python scripts/kill_round.py --config FILE --state NEW --kills 20 --round-s 600

It starts the daemon for one round on a new state directory, looks at what is committed, sends
SIGKILL to the daemon and all that descends from it, starts it again, and so on; then it lets the
round end and compares. Half of the moments are drawn from an even spread over the round, half
follow a change of the stage's phase, so that short phases are hit too. One JSON document on
standard output says what was found; the exit code is 0 when nothing was lost or doubled.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kent.instance import Holder, read_holder
from kent.processes import descendants, find, kill_all, kill_tree, start_time
from kent.status import status
from scripts.faults.rows import Snapshot, compare, query, snapshot


@dataclass
class Findings:
    """What went wrong, by kind, and what was done."""

    kills: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    other: list[str] = field(default_factory=list)
    seen: set[tuple[int, float]] = field(default_factory=set)
    snapshots: list[Snapshot] = field(default_factory=list)


def main() -> int:
    """Kill, compare, print."""
    options = _options()
    state: Path = options.state.resolve()
    if (state / "kent.db").exists():
        sys.exit(f"{state} has a database already; name a new directory")
    random.seed(options.seed)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("ended by SIGTERM"))
    began = time.monotonic()
    findings = Findings()
    try:
        _kill_often(options, state, findings)
        if not findings.kills and findings.other:
            sys.exit(findings.other[0])
        _let_it_end(options, state, findings)
        document = _judge(options, state, findings)
    finally:
        _end_daemon(state)
    document["seconds"] = round(time.monotonic() - began, 1)
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
    return 0 if document["ok"] else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", type=Path, required=True, help="the kent.toml to run with")
    parser.add_argument("--state", type=Path, required=True, help="a new state directory")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--round-s", type=float, default=600, help="about how long a round takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout-s", type=float, default=7200, help="for the last, calm part")
    parser.add_argument(
        "--spare-children", action="store_true", help="kill the daemon alone; the rest must follow"
    )
    return parser.parse_args()


def _kent(options: argparse.Namespace, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "kent", "--config", str(options.config)]
    command += ["--state", str(options.state), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _kill_often(options: argparse.Namespace, state: Path, findings: Findings) -> None:
    longest_s = 1.4 * options.round_s / options.kills  # 0.7 of a round in all, so that none is left
    while findings.kills < options.kills:
        if not _start(options, state, findings):
            return
        holder = read_holder(state)
        if holder is None or not _wait_for_moment(state, holder, longest_s):
            return  # the round is through
        stage = status(state)["stage"]
        findings.phases[stage["phase"] or "starting" if stage else "between"] += 1
        findings.snapshots.append(snapshot(state))
        _kill(holder, findings, spare_children=options.spare_children)
        findings.kills += 1
        _say(f"kill {findings.kills} in {stage['phase'] if stage else 'no stage'!r}")


def _start(options: argparse.Namespace, state: Path, findings: Findings) -> bool:
    """Start the daemon for the rest of the round; False where it is through or will not start."""
    if _round_status(state) not in (None, "running"):
        return False
    done = _kent(options, "daemon", "start", "--rounds", "1")
    if done.returncode:
        findings.other.append(f"start failed: {done.stderr.strip()}")
    return done.returncode == 0


def _wait_for_moment(state: Path, holder: Holder, longest_s: float) -> bool:
    """Wait until the moment to kill; False where the daemon ended by itself before it.

    One moment in five counts from the start of the daemon, the others from the stage's first sign
    of work, so that a slow start does not take all the kills.
    """
    if random.random() < 0.8:
        while holder.alive and not _phase(state):
            time.sleep(0.02)
    deadline = time.monotonic() + random.uniform(0, longest_s)
    at_change = random.random() < 0.5
    first = _phase(state)
    while time.monotonic() < deadline and holder.alive:
        now = _phase(state)
        if at_change and now and first and now != first:
            time.sleep(random.uniform(0, 0.3))
            break
        first = first or now
        time.sleep(0.02)
    return holder.alive and _round_status(state) in (None, "running")


def _phase(state: Path) -> tuple[Any, ...]:
    """What runs at the moment; empty while the stage is starting."""
    stage = status(state)["stage"]
    working = stage and stage["status"] == "running" and stage["phase"]
    return (stage["name"], stage["phase"]) if working else ()


def _kill(holder: Holder, findings: Findings, *, spare_children: bool) -> None:
    daemon = find(holder.pid, holder.pid_start)
    if daemon is None:
        return
    for process in (daemon, *descendants(daemon)):
        findings.seen.add((process.pid, start_time(process.pid) or 0.0))
    if spare_children:
        daemon.kill()
    else:
        kill_tree(daemon)


def _let_it_end(options: argparse.Namespace, state: Path, findings: Findings) -> None:
    _start(options, state, findings)
    deadline = time.monotonic() + options.timeout_s
    while time.monotonic() < deadline:
        holder = read_holder(state)
        if holder is None or not holder.alive:
            return
        time.sleep(0.5)
    findings.other.append(f"the round did not end in {options.timeout_s:g} s")


def _judge(options: argparse.Namespace, state: Path, findings: Findings) -> dict[str, Any]:
    final = snapshot(state)
    difference = compare(findings.snapshots, final)
    round_status = _round_status(state)
    verified = _kent(options, "state", "verify")
    leftovers = [pid for pid, began in findings.seen if find(pid, began)]
    planned = _against_plan(state)
    ok = (
        round_status == "done"
        and findings.kills == options.kills
        and not (difference or findings.other)
        and not (leftovers or planned["wrong"] or verified.returncode)
    )
    return {
        "ok": ok,
        "round": round_status,
        "kills": findings.kills,
        "kills_by_phase": dict(findings.phases),
        "attempts": dict(query(state, "SELECT status, count(*) FROM stage_runs GROUP BY status")),
        "counts": {name: len(rows) for name, rows in final.items()},
        "counts_at_kills": {
            name: [len(one[name]) for one in findings.snapshots] for name in final if final[name]
        },
        "lost": dict(difference.lost),
        "changed": dict(difference.changed),
        "doubled": dict(difference.doubled),
        "plan": planned,
        "verify": verified.stdout.split("\n")[:-1],
        "leftover_processes": leftovers,
        "other": findings.other,
    }


def _against_plan(state: Path) -> dict[str, Any]:
    """Samples a problem against the round's configuration, verdicts a sample, models a round."""
    [(config,)] = query(state, "SELECT config FROM rounds ORDER BY id LIMIT 1")
    critic = json.loads(config)["critic"]
    wanted = {"train": critic["samples_per_problem"]}
    by_problem = query(
        state,
        "SELECT s.split, x.problem_id, count(*), max(x.idx) + 1 FROM samples x "
        "JOIN splits s ON s.problem_id = x.problem_id "
        "GROUP BY x.problem_id, x.generator_id, x.protocol, x.params_hash",
    )
    wrong = [
        f"{problem}: {count} samples, highest index {top - 1}"
        for split, problem, count, top in by_problem
        if count != top or count != wanted.get(split, critic["eval_samples_per_problem"])
    ]
    [(unjudged,)] = query(
        state,
        "SELECT count(*) FROM samples x JOIN problems p ON p.id = x.problem_id WHERE NOT EXISTS "
        "(SELECT 1 FROM verdicts v WHERE v.program_hash = x.program_hash "
        "AND v.tests_hash = p.tests_hash)",
    )
    models = query(
        state, "SELECT kind, count(*) FROM models WHERE status != 'training' GROUP BY kind"
    )
    wrong += [f"{count} models of kind {kind} in one round" for kind, count in models if count > 1]
    [(unfinished,)] = query(state, "SELECT count(*) FROM models WHERE status = 'training'")
    return {
        "sampled_problems": dict(Counter(split for split, *_ in by_problem)),
        "unjudged_samples": unjudged,
        "unfinished_models": unfinished,
        "wrong": wrong,
    }


def _round_status(state: Path) -> str | None:
    rows = query(state, "SELECT status FROM rounds ORDER BY id LIMIT 1")
    return rows[0][0] if rows else None


def _end_daemon(state: Path) -> None:
    """Leave nothing running, whatever happened to us."""
    holder = read_holder(state)
    process = find(holder.pid, holder.pid_start) if holder else None
    kill_all([process] if isinstance(process, psutil.Process) else [])


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
