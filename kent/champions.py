"""Champions whose files are damaged: refused by their hash, and the predecessor takes the place."""

from kent.promotion import line_of_champions
from kent.retention import damage
from memory.store import Store

_KINDS = "SELECT kind FROM models WHERE status = 'champion' ORDER BY kind"


def replace_damaged(store: Store) -> list[str]:
    """Look at every champion's files; one line for each that had to go. Call between attempts.

    The nearest predecessor whose files are sound becomes champion, on the record as the daemon's
    act. Where there is none the kind is without a champion, and the next candidate is the first.
    """
    said = []
    for (kind,) in [(row["kind"],) for row in store.query(_KINDS)]:
        now = store.champion(kind)
        wrong = damage(store.path.parent, now) if now else None
        if now is None or wrong is None:
            continue
        heir = _heir(store, kind)
        if heir is not None:
            store.promote_by_hand(
                heir, replacing=now.id, decision="rolled_back",
                reason=f"the checkpoint of {now.id} is damaged: {wrong}", actor="daemon",
            )  # fmt: skip
        store.forget_checkpoint(now.id, f"damaged: {wrong}", damaged=True)
        said.append(f"{now.id}: {wrong}; {f'{heir} takes its place' if heir else 'none is left'}")
    return said


def _heir(store: Store, kind: str) -> str | None:
    """The nearest former champion whose files are what their hashes say."""
    for model_id in reversed(line_of_champions(store, kind)[:-1]):
        if damage(store.path.parent, store.model(model_id)) is None:
            return model_id
    return None
