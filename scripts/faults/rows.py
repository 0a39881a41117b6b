"""What a state directory holds, row by row, and what of it is lost, changed or doubled later."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import safe_open

# What is compared: each row's key, and what must never change under that key.
CONTENTS = {
    "problems": "SELECT id, tests_hash FROM problems",
    "samples": "SELECT problem_id || '|' || generator_id || '|' || protocol || '|' || params_hash "
    "|| '|' || idx, program_hash FROM samples",
    "verdicts": "SELECT program_hash || '|' || tests_hash || '|' || sandbox_version || '|' || "
    "sandbox_level, verdict FROM verdicts",
    # A version whose files were damaged or pruned keeps its row, and no checkpoint.
    "models": "SELECT id, config FROM models WHERE status != 'training'",
    "evaluations": "SELECT stage_run_id || '|' || model_id || '|' || problem_set || '|' || split "
    "|| '|' || protocol || '|' || metric, coalesce(value, '') FROM evaluations",
    "promotions": "SELECT candidate || '|' || coalesce(stage_run_id, 'act ' || id), decision "
    "FROM promotions",
    "training_examples": "SELECT model_id || '|' || sample_id, verdict_id FROM training_examples "
    "WHERE model_id IN (SELECT id FROM models WHERE status != 'training')",
    "agreement_inputs": "SELECT problem_id || '|' || inputs_hash, inputs FROM agreement_inputs",
    "behaviours": "SELECT program_hash || '|' || inputs_hash || '|' || sandbox_version || '|' || "
    "sandbox_level, outcomes FROM behaviours",
}

Snapshot = dict[str, list[tuple[str, Any]]]


@dataclass
class Difference:
    """How many rows of each table are lost, changed or doubled."""

    lost: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    doubled: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.lost or self.changed or self.doubled)


def compare(snapshots: list[Snapshot], final: Snapshot) -> Difference:
    """Every row that a snapshot saw must be in the final state, unchanged, and once."""
    found = Difference()
    for name, rows in final.items():
        keys = Counter(key for key, _ in rows)
        found.doubled[name] += sum(count - 1 for count in keys.values())
        last = dict(rows)
        for snapshot in snapshots:
            for key, content in snapshot[name]:
                found.lost[name] += key not in last
                found.changed[name] += key in last and last[key] != content
    return Difference(+found.lost, +found.changed, +found.doubled)


def snapshot(state: Path) -> Snapshot:
    """All rows, and each program's key in the feature cache with the shard that has it."""
    return {name: query(state, sql) for name, sql in CONTENTS.items()} | {
        "features": _features(state)
    }


def query(state: Path, sql: str) -> list[Any]:
    """The rows of a query; none where the tables are not made yet."""
    path = state / "kent.db"
    if not path.exists():
        return []
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=60)) as connection:
        try:
            return connection.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # killed before the tables were made
                return []
            raise


def _features(state: Path) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for shard in sorted((state / "features").rglob("*.safetensors")):
        with safe_open(shard, framework="np") as file:
            keys = file.get_tensor("keys")
        found += [(f"{shard.parent.name}/{key.tobytes().hex()}", shard.name) for key in keys]
    return found
