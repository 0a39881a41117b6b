"""The trained versions in the store, as ``kent model versions`` shows them."""

from typing import Any

from kent.report.wording import NOTHING, change, clean, moment
from memory.store import Store

# The two figures behind the rerank gain, each as it was measured last on validation problems.
_VERSIONS = """
SELECT m.id, m.kind, m.version, m.status, m.stale, m.generator_id AS generator,
       json_extract(m.config, '$.spec.protocol') AS protocol, m.created_at,
       verifier.value - baseline.value AS gain, verifier.n AS n
FROM models m
LEFT JOIN evaluations verifier ON verifier.id = (
    SELECT max(id) FROM evaluations e
    WHERE e.model_id = m.id AND e.split = 'validation' AND e.metric = 'verifier_pass1')
LEFT JOIN evaluations baseline ON baseline.metric = 'baseline_pass1'
    AND baseline.stage_run_id = verifier.stage_run_id AND baseline.model_id = verifier.model_id
    AND baseline.problem_set = verifier.problem_set AND baseline.split = verifier.split
    AND baseline.protocol = verifier.protocol
WHERE (:kind IS NULL OR m.kind = :kind) ORDER BY m.kind, m.version
"""


def versions(store: Store, kind: str | None = None) -> list[dict[str, Any]]:
    """All versions of a kind (None: of all), oldest first.

    ``rerank_gain`` is the pass rate of the picks less that of single samples on validation
    problems, as a fraction, with the number of problems; None where it was not measured.
    """
    found = store.query(_VERSIONS, {"kind": kind})
    for row in found:
        gain, n = row.pop("gain"), row.pop("n")
        row["rerank_gain"] = None if gain is None else {"value": gain, "n": n}
    return found


def in_lines(rows: list[dict[str, Any]]) -> list[str]:
    """The versions as lines for a terminal; a stale one has a second line that says why."""
    lines = []
    for row in rows:
        gain = row["rerank_gain"]
        points = f"{change(gain['value'], 'percent')} (n = {gain['n']})" if gain else NOTHING
        lines.append(
            f"{clean(row['id']):16} {row['status']:10} {points:>18}  {moment(row['created_at'])}  "
            f"{clean(row['protocol']) or NOTHING}  {clean(row['generator']) or NOTHING}"
        )
        if row["stale"]:
            lines.append(f"    stale: {clean(row['stale'], 300)}")
    return lines
