"""Versions of models with real files, as rounds would leave them."""

import hashlib
from pathlib import Path

from memory.files import sha256_file, write_atomically
from memory.records import Figure
from memory.store import Store


def open_round(store: Store) -> tuple[int, int]:
    """The ids of a round and of its stage run, both open."""
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    return round_id, store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id


def close_round(store: Store, round_id: int, run: int) -> None:
    store.end_stage_run(run, "done")
    store.close_round(round_id, "done")


def add_version(
    store: Store,
    decision: str | None,
    *,
    kind: str = "critic",
    files: list[str] = (),
    folder: bool = False,
    source: str = "tiny",
    run: int | None = None,
) -> str:
    """A version with its checkpoint in a round of its own, or in the stage run ``run``."""
    state, given = store.path.parent, run
    round_id, run = open_round(store) if run is None else (0, run)
    for name in files:
        write_atomically(state / name, name.encode())
    config = {
        "round": run,
        "spec": {"feature_source": source},
        "files": {name: hashlib.sha256(name.encode()).hexdigest() for name in files},
    }
    row = store.begin_model(
        kind, config, generator_id="g", parent=None, stage_run_id=run, code_version="0"
    )
    file = Path("checkpoints") / f"{row.id}.safetensors"
    if folder:
        file = Path("checkpoints") / row.id / "manifest.json"
        write_atomically(state / file.parent / "weights.bin", b"w")
    write_atomically(state / file, f"weights of {row.id}".encode())
    store.complete_model(row.id, file, sha256_file(state / file))
    if decision:
        store.promote(row.id, run, decision=decision, effect=Figure(0.1, 0.0, 0.2, 90),
                      p_value=0.01, alpha=0.05, looks=1, reason="tested")  # fmt: skip
    if given is None:
        close_round(store, round_id, run)
    return row.id
