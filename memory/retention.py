"""What a model row says after its files went: nothing that is not there is ever named."""

import time

from memory.connection import Connected
from memory.encoding import clean_text, to_json
from memory.errors import StoreError
from memory.events import INSERT_EVENT

_MODEL = """
SELECT m.kind, m.status, m.checkpoint, m.sha256, o.status
FROM models m JOIN stage_runs r ON r.id = m.stage_run_id JOIN rounds o ON o.id = r.round_id
WHERE m.id = ?
"""


class Retention(Connected):
    """Writes that let a version's files go."""

    def forget_checkpoint(self, model_id: str, reason: str, *, damaged: bool = False) -> None:
        """Let a version be without a checkpoint, before its files are removed.

        Its row, examples and figures stay as evidence; an event keeps the name and the hash of what
        it had. A candidate of a round that is over is rejected with it, since it cannot be used.

        Args:
            model_id: the version.
            reason: why, in words.
            damaged: its file is broken: a champion that has no predecessor may be let go too.

        Raises:
            StoreError: it is in use, in training or at the gate, or there is none of that id.
        """
        with self._write() as connection:
            found = connection.execute(_MODEL, (model_id,)).fetchone()
            if found is None:
                raise StoreError(f"there is no model {model_id!r} in the store")
            kind, status, checkpoint, sha256, round_status = found
            at_work = round_status == "running" and status == "candidate"
            if status == "training" or (not damaged and (status == "champion" or at_work)):
                raise StoreError(f"{model_id} is {status}: its checkpoint is kept")
            if checkpoint is None:
                return
            connection.execute(
                "UPDATE models SET checkpoint = NULL, sha256 = NULL, status = CASE "
                "WHEN status IN ('candidate', 'champion') THEN 'rejected' ELSE status END "
                "WHERE id = ?",
                (model_id,),
            )
            said = clean_text(f"{model_id} has no checkpoint any more: {reason}")
            data = to_json({"model": model_id, "checkpoint": checkpoint, "sha256": sha256})
            level = "error" if damaged else "info"
            event = (time.time(), level, f"{kind}.dropped", said, None, None, data)
            connection.execute(INSERT_EVENT, event)
