"""Models, what they were trained on, and the championship."""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from memory.connection import Connected
from memory.encoding import clean_text, finite_tree, to_json, with_json
from memory.errors import StoreError
from memory.evaluations import figure_columns
from memory.events import INSERT_EVENT
from memory.records import Figure, ModelRow

# In the order of the fields of ModelRow.
_COLUMNS = """
id, kind, version, parent, config, status, generator_id, checkpoint, sha256, stage_run_id, stale
"""
# Unfinished models of the same stage in the same round: left by an attempt that was cut.
_UNFINISHED = f"""
SELECT {_COLUMNS} FROM models
WHERE kind = :kind AND status = 'training' AND stage_run_id IN (
    SELECT other.id FROM stage_runs own JOIN stage_runs other
    ON other.round_id = own.round_id AND other.stage = own.stage WHERE own.id = :stage_run_id)
ORDER BY version
"""
_PROMOTION = """
INSERT INTO promotions (stage_run_id, kind, candidate, champion, decision, actor, effect, low, high,
                        p_value, alpha, looks, n, reason, alternative, figures, created_at)
VALUES (?, ?, ?, ?, ?, 'gate', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_BY_HAND = """
INSERT INTO promotions (kind, candidate, champion, decision, actor, looks, n, reason, created_at)
VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?)
"""
# A candidate whose gate is at work, or goes on when the round that was cut goes on.
_AT_THE_GATE = """
SELECT m.id, r.round_id FROM models m JOIN stage_runs r ON r.id = m.stage_run_id
JOIN rounds o ON o.id = r.round_id
WHERE m.kind = ? AND m.status = 'candidate' AND o.status = 'running'
"""
DECISIONS = {"promoted": "champion", "kept": "rejected"}


class Models(Connected):
    """Reads and writes of ``models``, ``training_examples``, ``promotions``."""

    def begin_model(
        self,
        kind: str,
        config: dict[str, Any],
        *,
        generator_id: str | None,
        parent: str | None,
        stage_run_id: int,
        code_version: str,
    ) -> ModelRow:
        """A model in status ``training``, its id is ``<kind>-<version>``.

        An unfinished model that an earlier attempt of this stage in this round began with the same
        configuration, parent and generator is taken up again; one with others is rejected.
        """
        wanted = (parent, to_json(config), generator_id)
        with self._write() as connection:
            resumed = None
            asked = {"kind": kind, "stage_run_id": stage_run_id}
            for row in connection.execute(_UNFINISHED, asked).fetchall():
                if resumed is None and (row[3], row[4], row[6]) == wanted:
                    resumed = row[0]
                else:
                    _set(connection, row[0], status="rejected")
            if resumed is None:
                resumed = _insert(connection, kind, wanted, stage_run_id, code_version)
            else:
                _set(connection, resumed, stage_run_id=stage_run_id, code_version=code_version)
        return self.model(resumed)

    def add_training_examples(self, model_id: str, pairs: Sequence[tuple[int, int]]) -> None:
        """Record the pairs (sample id, verdict id) that a model learns from; a pair counts once.

        Raises:
            SplitGuardError: a sample is not of a train problem; then none is recorded.
            StoreError: a model, sample or verdict is unknown, or they do not belong together.
        """
        with self._write() as connection:
            connection.executemany(
                "INSERT INTO training_examples (model_id, sample_id, verdict_id) VALUES (?, ?, ?) "
                "ON CONFLICT (model_id, sample_id) DO NOTHING",
                [(model_id, sample_id, verdict_id) for sample_id, verdict_id in pairs],
            )

    def complete_model(self, model_id: str, checkpoint: Path, sha256: str) -> ModelRow:
        """A trained model becomes a candidate; ``checkpoint`` is relative to the state directory.

        Write the file first: a row never names one that is not there.
        """
        if checkpoint.is_absolute() or ".." in checkpoint.parts:
            raise StoreError(f"{checkpoint}: a checkpoint is named relative to the state directory")
        with self._write() as connection:
            model = _get(connection, model_id)
            given = (checkpoint.as_posix(), sha256)
            if model.status == "training":
                _set(connection, model_id, status="candidate", checkpoint=given[0], sha256=given[1])
            elif (model.checkpoint, model.sha256) != given:
                raise StoreError(
                    f"{model_id} is complete already, with {model.checkpoint}; begin a new model"
                )
        return self.model(model_id)

    def set_model_status(self, model_id: str, status: str) -> None:
        """Set a model's status; a second champion of its kind is refused (see ``promote``)."""
        with self._write() as connection:
            _get(connection, model_id)
            _set(connection, model_id, status=status)

    def promote(
        self,
        candidate_id: str,
        stage_run_id: int,
        *,
        decision: str,
        effect: Figure,
        p_value: float | None,
        alpha: float,
        looks: int,
        reason: str,
        figures: Mapping[str, Any] | None = None,
        alternative: Mapping[str, Any] | None = None,
    ) -> None:
        """Record the gate's decision on a candidate and carry it out, in one transaction.

        ``promoted``: the champion of its kind retires and the candidate takes its place;
        ``kept``: the candidate is rejected. The same decision again changes nothing. ``figures``
        are what the candidate measured, ``alternative`` what its rival did, as JSON values.
        """
        if decision not in DECISIONS:
            raise StoreError(f"a decision is one of {', '.join(DECISIONS)}, not {decision!r}")
        with self._write() as connection:
            candidate = _get(connection, candidate_id)
            if _is_decided(connection, candidate, decision):
                return
            champion = _champion(connection, candidate.kind)
            what = (stage_run_id, candidate.kind, candidate_id, champion, decision)
            why = (*figure_columns(effect), p_value, alpha, looks, effect.n, reason)
            measured = [to_json(finite_tree(one or {})) for one in (alternative, figures)]
            connection.execute(_PROMOTION, (*what, *why, *measured, time.time()))
            if decision == "promoted" and champion is not None:
                _set(connection, champion, status="retired")
            _set(connection, candidate_id, status=DECISIONS[decision])

    def promote_by_hand(
        self,
        model_id: str,
        *,
        replacing: str | None,
        decision: Literal["promoted", "rolled_back"],
        reason: str,
        actor: Literal["hand", "daemon"] = "hand",
    ) -> None:
        """A choice of champion that no gate made: change, row and event in one transaction.

        Args:
            model_id: of a version in any status that has a checkpoint.
            replacing: the champion that the choice was made against, which retires.
            decision: as it is recorded.
            reason: why, in words.
            actor: a person, or the daemon that found the champion's checkpoint damaged.

        Raises:
            StoreError: it is champion already or has no checkpoint, the champion is another one
                by now, or a candidate of its kind is at the gate of a round that is open.
        """
        with self._write() as connection:
            model = _get(connection, model_id)
            _check_choice(connection, model, replacing, actor)
            if replacing is not None:
                _set(connection, replacing, status="retired")
            _set(connection, model_id, status="champion")
            reason, now = clean_text(reason), time.time()
            row = (model.kind, model_id, replacing, decision, actor, reason, now)
            connection.execute(_BY_HAND, row)
            by = "hand" if actor == "hand" else "the daemon"
            message = f"{model_id} {decision.replace('_', ' ')} by {by}: {reason}"
            data = {"model": model_id, "replaced": replacing, "actor": actor}
            event = (now, "info", f"{model.kind}.{decision}", message, None, None, to_json(data))
            connection.execute(INSERT_EVENT, event)

    def mark_stale(self, model_id: str, reason: str | None) -> bool:
        """Say why a version cannot be used now, None: it can; True where that is news."""
        said = None if reason is None else clean_text(reason)
        with self._write() as connection:
            known = _get(connection, model_id).stale
            _set(connection, model_id, stale=said)
        return known != said

    def champion(self, kind: str) -> ModelRow | None:
        """The model of a kind that is in use, if there is one."""
        rows = self._select(
            f"SELECT {_COLUMNS} FROM models WHERE kind = ? AND status = 'champion'", (kind,)
        )
        return _from_columns(rows[0]) if rows else None

    def model(self, model_id: str) -> ModelRow:
        """One model; StoreError when there is none of that id."""
        rows = self._select(f"SELECT {_COLUMNS} FROM models WHERE id = ?", (model_id,))
        return _only(rows, model_id)

    def models(self, kind: str) -> list[ModelRow]:
        """All models of a kind, oldest version first."""
        rows = self._select(
            f"SELECT {_COLUMNS} FROM models WHERE kind = ? ORDER BY version", (kind,)
        )
        return [_from_columns(row) for row in rows]

    def models_with_files(self, kind: str) -> list[ModelRow]:
        """The models of a kind that have a checkpoint, oldest version first.

        Retention keeps them few, whatever the number of versions that there ever were.
        """
        rows = self._select(
            f"SELECT {_COLUMNS} FROM models WHERE kind = ? AND checkpoint IS NOT NULL "
            "ORDER BY version",
            (kind,),
        )
        return [_from_columns(row) for row in rows]


def _insert(
    connection: sqlite3.Connection,
    kind: str,
    wanted: tuple[str | None, str, str | None],
    stage_run_id: int,
    code_version: str,
) -> str:
    (version,) = connection.execute(
        "SELECT coalesce(max(version), 0) + 1 FROM models WHERE kind = ?", (kind,)
    ).fetchone()
    model_id = f"{kind}-{version:04d}"
    connection.execute(
        "INSERT INTO models (id, kind, version, parent, config, status, generator_id, "
        "code_version, stage_run_id, created_at) VALUES (?, ?, ?, ?, ?, 'training', ?, ?, ?, ?)",
        (model_id, kind, version, *wanted, code_version, stage_run_id, time.time()),
    )
    return model_id


def _set(connection: sqlite3.Connection, model_id: str, **columns: Any) -> None:
    assignments = ", ".join(f"{column} = :{column}" for column in columns)
    connection.execute(
        f"UPDATE models SET {assignments} WHERE id = :model_id", {"model_id": model_id, **columns}
    )


def _champion(connection: sqlite3.Connection, kind: str) -> str | None:
    row = connection.execute(
        "SELECT id FROM models WHERE kind = ? AND status = 'champion'", (kind,)
    ).fetchone()
    return None if row is None else str(row[0])


def _check_choice(
    connection: sqlite3.Connection, model: ModelRow, replacing: str | None, actor: str
) -> None:
    if model.status == "champion":
        raise StoreError(f"{model.id} is champion already")
    if model.checkpoint is None or model.sha256 is None:
        raise StoreError(f"{model.id} is {model.status} and has no checkpoint; choose another one")
    champion = _champion(connection, model.kind)
    if champion != replacing:
        raise StoreError(f"the champion is {champion or 'none'} by now, not {replacing}; repeat")
    at_the_gate = connection.execute(_AT_THE_GATE, (model.kind,)).fetchone()
    # The daemon acts between attempts, when no gate is at work; a person may act at any moment.
    if at_the_gate is not None and actor == "hand":
        raise StoreError(
            f"{at_the_gate[0]} is being decided on in round {at_the_gate[1]}; repeat when it is "
            "(`kent daemon status` tells how far the round is)"
        )


def _is_decided(connection: sqlite3.Connection, candidate: ModelRow, decision: str) -> bool:
    """True when this decision was recorded before a cut; StoreError when none can be taken."""
    if candidate.status == "candidate":
        return False
    row = connection.execute(
        "SELECT decision FROM promotions WHERE candidate = ? AND actor = 'gate' ORDER BY id DESC",
        (candidate.id,),
    ).fetchone()
    if row == (decision,):
        return True
    raise StoreError(f"{candidate.id} is {candidate.status}; only a candidate can be decided on")


def _get(connection: sqlite3.Connection, model_id: str) -> ModelRow:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM models WHERE id = ?", (model_id,))
    return _only(rows.fetchall(), model_id)


def _only(rows: list[Any], model_id: str) -> ModelRow:
    if not rows:
        raise StoreError(f"there is no model {model_id!r} in the store")
    return _from_columns(rows[0])


def _from_columns(row: tuple[Any, ...]) -> ModelRow:
    return ModelRow(*with_json(row, 4))
