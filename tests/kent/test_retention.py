"""Retention: what is in use stays, what is old goes, rows never name a file that is gone."""

import json
import os
import time
from pathlib import Path

import pytest
from champions_state import add_version, close_round, open_round

from kent.caches import feature_folder
from kent.champions import replace_damaged
from kent.cli import main
from kent.config import load_config
from kent.retention import carry_out, plan, prune
from kent.service_settings import RetentionConfig
from memory.maintenance import verify
from memory.store import Store

HOUR_S = 3600.0


@pytest.fixture
def store(tmp_path: Path):
    with Store.open(tmp_path / "state" / "kent.db") as store:
        yield store


def there(store: Store) -> set[str]:
    folder = store.path.parent
    return {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        and path.suffix not in (".db", ".db-wal", ".db-shm") and "kent.db" not in path.name
    }  # fmt: skip


def age(path: Path, hours: float) -> None:
    at = time.time() - hours * HOUR_S
    os.utime(path, (at, at))


def test_champion_predecessor_and_the_newest_candidates_keep_their_files(store: Store) -> None:
    decisions = ["promoted", "kept", "promoted", "kept", "promoted", *["kept"] * 5]
    ids = [add_version(store, decision) for decision in decisions]
    removed = prune(store, RetentionConfig(candidates=2))
    kept = {row.id for row in store.models("critic") if row.checkpoint}
    assert kept == {ids[4], ids[2], ids[8], ids[9]}
    assert there(store) == {f"checkpoints/{one}.safetensors" for one in kept}
    assert len(removed.files) == 6
    assert removed.bytes > 0
    assert verify(store.path.parent) == []
    [event, *_] = store.query("SELECT * FROM events WHERE kind = 'critic.dropped' ORDER BY id")
    assert json.loads(event["data"])["model"] == ids[0]
    assert len(json.loads(event["data"])["sha256"]) == 64
    assert prune(store, RetentionConfig(candidates=2)).files == []


def test_adapters_that_a_kept_version_shares_stay(store: Store) -> None:
    shared, own = "checkpoints/lora/a/epoch-1/x.bin", "checkpoints/lora/b/epoch-1/x.bin"
    for files in ([shared, own], [shared], []):
        add_version(store, "kept", files=files)
    add_version(store, "promoted", files=[shared])
    prune(store, RetentionConfig(candidates=1))
    assert shared in there(store)
    assert own not in there(store)
    assert not (store.path.parent / own).parent.exists()
    assert verify(store.path.parent) == []


def test_the_folder_of_a_version_goes_or_stays_as_one(store: Store) -> None:
    ids = [add_version(store, "kept", kind="ctm", folder=True) for _ in range(3)]
    prune(store, RetentionConfig(candidates=1))
    assert {path.split("/")[1] for path in there(store)} == {ids[-1]}
    assert len(there(store)) == 2


def test_what_an_open_round_writes_is_left_alone(store: Store) -> None:
    for _ in range(3):
        add_version(store, "kept")
    round_id, run = open_round(store)
    begun = store.begin_model(
        "critic", {}, generator_id=None, parent=None, stage_run_id=run, code_version="0"
    )
    checkpoints = store.path.parent / "checkpoints"
    new, old = checkpoints / "new.bin", checkpoints / "old.bin"
    part = checkpoints / f"{begun.id}.training.safetensors"
    for path in (new, old, part):
        path.write_text("x")
    age(old, 5)
    age(part, 5)
    candidate = add_version(store, None, kind="other", run=run)
    prune(store, RetentionConfig(candidates=1))
    assert new.exists()
    assert part.exists()
    assert not old.exists()
    assert store.model(candidate).checkpoint
    close_round(store, round_id, run)


def test_a_file_that_no_row_names_goes_after_an_hour(store: Store) -> None:
    folder = store.path.parent / "checkpoints" / "lora" / "gone"
    folder.mkdir(parents=True)
    (folder / "a.bin").write_text("x")
    assert plan(store, RetentionConfig(), stage_running=False).files == []
    age(folder / "a.bin", 2)
    assert len(prune(store, RetentionConfig()).files) == 1
    assert not folder.exists()


def test_caches_are_bounded_and_the_champions_features_stay(store: Store) -> None:
    add_version(store, "promoted", source="tiny/champion")
    state = store.path.parent
    mine, other = state / feature_folder("tiny/champion"), state / feature_folder("tiny/dropped")
    tree = state / "cache" / "trees" / "v1-abc"
    table = state / "cache" / "tables" / "v1.1" / "k.npz"
    for number, path in enumerate([mine / "a", other / "a", tree / "texts.bin", table]):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1_000_000))
        age(path, 40 - number)
    assert plan(store, RetentionConfig(caches_gb=1), stage_running=False).files == []
    rules = RetentionConfig(caches_gb=2.5e6 / 2**30)
    assert plan(store, rules, stage_running=True).files == []
    gone = [one.path for one in plan(store, rules, stage_running=False).files]
    assert gone == [feature_folder("tiny/dropped"), Path("cache/trees/v1-abc")]
    carry_out(store, plan(store, rules, stage_running=False))
    assert (mine.exists(), other.exists(), tree.exists(), table.exists()) == (
        True, False, False, True)  # fmt: skip
    prune(store, RetentionConfig(caches_gb=0))
    assert mine.exists()


def test_a_damaged_champion_gives_way_to_its_predecessor(store: Store) -> None:
    first, second = add_version(store, "promoted"), add_version(store, "promoted")
    assert replace_damaged(store) == []
    (store.path.parent / "checkpoints" / f"{second}.safetensors").write_text("other weights")
    [said] = replace_damaged(store)
    assert f"{second}: checkpoints/{second}.safetensors is not what its SHA-256 says" in said
    assert store.champion("critic").id == first
    assert store.model(second).checkpoint is None
    [row] = store.query("SELECT * FROM promotions WHERE actor = 'daemon'")
    assert (row["candidate"], row["champion"], row["decision"]) == (first, second, "rolled_back")
    assert verify(store.path.parent) == []
    (store.path.parent / "checkpoints" / f"{first}.safetensors").unlink()
    [said] = replace_damaged(store)
    assert "none is left" in said
    assert store.champion("critic") is None
    assert verify(store.path.parent) == []
    assert add_version(store, "promoted") == store.champion("critic").id


def test_prune_says_first_and_removes_then(tmp_path: Path, capsys) -> None:
    state = tmp_path / "state"
    with Store.open(state / "kent.db") as store:
        for _ in range(5):
            add_version(store, "kept")
    assert main(["--state", str(state), "state", "prune", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "checkpoints/critic-0001.safetensors" in said
    assert "in 2 files" in said
    assert len(list((state / "checkpoints").iterdir())) == 5
    assert main(["--state", str(state), "state", "prune", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["versions"]) == {"critic-0001", "critic-0002"}
    assert len(list((state / "checkpoints").iterdir())) == 3


def test_where_alerts_go_is_in_no_store_and_told_to_no_stage(tmp_path: Path) -> None:
    (tmp_path / "kent.toml").write_text('[alerts]\nurl = "https://hooks.example/SECRET"\n')
    config = load_config(tmp_path / "kent.toml", env={})
    assert config.alerts.url.endswith("SECRET")
    assert "SECRET" not in config.model_dump_json() + repr(config)
