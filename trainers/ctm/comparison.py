"""The CTM beside each control on the same bugs: paired differences and McNemar's exact test."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainers import statistics
from trainers.ctm.evaluate import Outcomes
from trainers.ctm.models import Kind

_ITEMS = "items"
OURS: Kind = "ctm"


def items(outcomes: Outcomes) -> dict[str, list[int]]:
    """What became of each program: ``fixed`` 0 or 1, and the ``edits`` that it needs."""
    return {"fixed": outcomes.fixed.astype(int).tolist(), "edits": outcomes.edits.tolist()}


def without_items(models: Mapping[Kind, dict[str, Any]]) -> dict[Kind, dict[str, Any]]:
    """The models' documents without what became of each program."""
    return {
        kind: {name: value for name, value in document.items() if name != _ITEMS}
        for kind, document in models.items()
    }


def differences(
    models: Mapping[Kind, dict[str, Any]], *, seed: int = 0
) -> dict[Kind, dict[str, Any]]:
    """The CTM less each other model: on all bugs (``bugs``), and on those of several edits.

    Of each the paired difference with its interval, how many bugs only one of the two repairs, and
    McNemar's exact one-sided p-values for the CTM being better and being worse.

    Args:
        models: documents with ``items`` by kind, measured on the same programs.
        seed: of the intervals.
    """
    if OURS not in models:
        return {}
    ours = models[OURS][_ITEMS]
    edits = np.array(ours["edits"])
    parts = {"bugs": edits > 0, "several_edits": edits > 1}
    return {
        kind: {
            name: _difference(_fixed(ours)[rows], _fixed(document[_ITEMS])[rows], seed)
            for name, rows in parts.items()
        }
        for kind, document in models.items()
        if kind != OURS
    }


def _fixed(found: Mapping[str, list[int]]) -> NDArray[np.bool_]:
    return np.array(found["fixed"], bool)


def _difference(ours: NDArray[np.bool_], theirs: NDArray[np.bool_], seed: int) -> dict[str, Any]:
    return {
        "fix_accuracy": statistics.mean_difference(ours, theirs, seed=seed).to_json(),
        "only_ours": int((ours & ~theirs).sum()),
        "only_theirs": int((theirs & ~ours).sum()),
        "p_better": statistics.mcnemar(ours, theirs),
        "p_worse": statistics.mcnemar(theirs, ours),
    }
