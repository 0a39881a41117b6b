"""Promotion and rollback by hand, through the command: what is done, recorded, and refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from kent.cli import main
from kent.promotion import line_of_champions
from memory.files import sha256_file, write_atomically
from memory.maintenance import verify
from memory.records import Figure
from memory.store import Store


class State:
    """A state directory with versions that a gate decided on, and ``kent`` run on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder / "state", capsys
        with self.store() as store:
            store.event("test", "a store is there")

    def store(self) -> Store:
        return Store.open(self.folder / "kent.db")

    def add(self, decision: str | None, *, close: bool = True) -> str:
        """One round with a version that the gate decided on, or did not come to."""
        with self.store() as store:
            round_id = store.open_round(seed=1, config={}, code_version="0").id
            run = store.begin_stage_run(round_id, "critic", pid=None, pid_start=None).id
            spec = {"spec": {"protocol": "visible1/v1"}, "round": round_id}
            model = store.begin_model(
                "critic", spec, generator_id="gen", parent=None, stage_run_id=run, code_version="0"
            )
            file = Path("checkpoints") / f"{model.id}.safetensors"
            write_atomically(self.folder / file, f"weights of {model.id}".encode())
            store.complete_model(model.id, file, sha256_file(self.folder / file))
            figures = {
                "baseline_pass1": Figure(0.4, 0.3, 0.5, 90),
                "verifier_pass1": Figure(0.4 + round_id / 100, 0.3, 0.6, 90),
            }
            store.add_evaluation(run, model.id, "mbpp", "validation", "visible1/v1", figures)
            if decision:
                store.promote(model.id, run, decision=decision, effect=Figure(0.1, 0.0, 0.2, 90),
                              p_value=0.01, alpha=0.05, looks=1, reason="tested")  # fmt: skip
            if close:
                store.end_stage_run(run, "done")
                store.close_round(round_id, "done")
        return model.id

    def kent(self, *words: str) -> tuple[int, str, str]:
        code = main(["--state", str(self.folder), *words])
        printed = self._capsys.readouterr()
        return code, printed.out.strip(), printed.err.strip()

    def ok(self, *words: str) -> str:
        code, out, err = self.kent(*words)
        assert (code, err) == (0, "")
        return out

    def refused(self, *words: str) -> str:
        before = self.rows()
        code, out, err = self.kent(*words)
        assert (code, out) == (1, "")
        assert self.rows() == before
        [line] = err.splitlines()
        return line.removeprefix("kent: error: ")

    def champion(self) -> str:
        with self.store() as store:
            model = store.champion("critic")
            assert model is not None
            return model.id

    def rows(self) -> list[dict[str, Any]]:
        with self.store() as store:
            return store.query("SELECT * FROM promotions ORDER BY id") + store.query(
                "SELECT id, status FROM models ORDER BY id"
            )


@pytest.fixture
def state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> State:
    monkeypatch.chdir(tmp_path)
    return State(tmp_path, capsys)


@pytest.mark.parametrize("named", ["1", "0001", "critic-0001", "critic-1"])
def test_a_former_champion_is_promoted_by_any_of_its_names(state: State, named: str) -> None:
    first, second = state.add("promoted"), state.add("promoted")
    out = state.ok("model", "promote", "critic", named, "--reason", "the new one\n is slow")
    assert out == f"{first} is champion, in place of {second} (the new one is slow)"
    assert state.champion() == first
    with state.store() as store:
        assert store.model(second).status == "retired"
        (row,) = store.query("SELECT * FROM promotions WHERE actor = 'hand'")
        assert (row["decision"], row["candidate"], row["champion"], row["reason"]) == (
            "promoted", first, second, "the new one is slow",
        )  # fmt: skip
        assert store.events(limit=1)[0]["kind"] == "critic.promoted"
    assert verify(state.folder) == []


@pytest.mark.parametrize(
    ("decision", "said"),
    [("kept", "the gate had rejected it"), (None, "no gate had decided on it")],
)
def test_what_speaks_against_a_version_is_in_the_record(
    state: State, decision: str | None, said: str
) -> None:
    state.add("promoted")
    other = state.add(decision)
    with state.store() as store:
        store.mark_stale(other, "its generator changed from a to b")
    state.ok("model", "promote", "critic", "2")
    assert state.champion() == other
    with state.store() as store:
        (row,) = store.query("SELECT reason FROM promotions WHERE actor = 'hand'")
    assert row["reason"] == (
        f"no reason was given; {said}; it was marked stale: its generator changed from a to b"
    )


def test_rollbacks_go_further_back_one_by_one_and_forth_only_by_name(state: State) -> None:
    first, second, third = (state.add("promoted") for _ in range(3))
    assert state.ok("model", "rollback", "critic").startswith(f"{second} is champion")
    state.ok("model", "rollback", "critic")
    assert state.champion() == first
    assert "no champion before critic-0001" in state.refused("model", "rollback", "critic")
    state.ok("model", "rollback", "critic", "3", "--reason", "it was right")
    with state.store() as store:
        assert line_of_champions(store, "critic") == [first, third]
        decisions = store.query("SELECT candidate, decision FROM promotions WHERE actor = 'hand'")
        assert store.events(limit=1)[0]["kind"] == "critic.rolled_back"
    assert [row["candidate"] for row in decisions] == [second, first, third]
    assert {row["decision"] for row in decisions} == {"rolled_back"}
    fourth = state.add("promoted")
    state.ok("model", "promote", "critic", "2")
    state.ok("model", "rollback", "critic")
    assert state.champion() == fourth


def test_refusals_are_one_line_and_change_nothing(state: State) -> None:
    assert "it has none yet" in state.refused("model", "promote", "critic", "1")
    first, second = state.add("promoted"), state.add("promoted")
    state.add("kept")
    assert "kind 'critik'; it has critic" in state.refused("model", "promote", "critik", "1")
    assert "kind 'critik'; it has critic" in state.refused("model", "rollback", "critik")
    for name in ("9", "latest", "ranker-0001", "-0001", "0"):
        said = state.refused("model", "promote", "critic", "--", name)
        assert f"no version {name} of critic; known are 1 to 3" in said
    assert f"{second} is champion already" in state.refused("model", "promote", "critic", "2")
    assert "critic-0003 never was champion" in state.refused("model", "rollback", "critic", "3")
    file = state.folder / "checkpoints" / f"{first}.safetensors"
    file.write_text("other weights")
    assert "is not what its SHA-256 says" in state.refused("model", "rollback", "critic")
    file.unlink()
    assert "cannot be read (No such file" in state.refused("model", "promote", "critic", "1")
    assert state.champion() == second


def test_it_works_while_a_round_is_open_but_not_while_its_gate_decides(state: State) -> None:
    first, second = state.add("promoted"), state.add("promoted")
    at_the_gate = state.add(None, close=False)
    said = state.refused("model", "rollback", "critic")
    assert said.startswith(f"{at_the_gate} is being decided on in round 3; repeat")
    with state.store() as store:
        store.promote(at_the_gate, 3, decision="kept", effect=Figure(0.0, 0.0, 0.0, 90),
                      p_value=0.5, alpha=0.05, looks=1, reason="no better")  # fmt: skip
        assert store.current_round() is not None
    state.ok("model", "rollback", "critic")
    assert state.champion() == first
    assert second != first


def test_the_versions_are_listed_with_what_is_known_of_them(state: State) -> None:
    first, second = state.add("promoted"), state.add("kept")
    with state.store() as store:
        store.begin_model("ranker", {}, generator_id=None, parent=None, stage_run_id=1,
                          code_version="0")  # fmt: skip
        store.mark_stale(first, "its generator changed from a to b")
    rows = json.loads(state.ok("model", "versions", "--json"))
    assert [row["id"] for row in rows] == [first, second, "ranker-0001"]
    known = {key: rows[0][key] for key in ("kind", "version", "status", "generator", "protocol")}
    assert known == {
        "kind": "critic", "version": 1, "status": "champion", "generator": "gen",
        "protocol": "visible1/v1",
    }  # fmt: skip
    assert rows[0]["stale"] == "its generator changed from a to b"
    assert rows[0]["rerank_gain"] == {"value": pytest.approx(0.01), "n": 90}
    assert (rows[2]["stale"], rows[2]["rerank_gain"], rows[2]["protocol"]) == (None, None, None)
    text = state.ok("model", "versions", "critic")
    assert "ranker" not in text
    assert "champion" in text
    assert "+2.0 (n = 90)" in text
    assert "stale: its generator changed from a to b" in text
    code, out, err = state.kent("model", "versions", "none")
    assert (code, out) == (0, "")
    assert "no such version" in err
