"""What models measured on which problems: one row a figure."""

import time
from collections.abc import Mapping

from memory.connection import Connected
from memory.encoding import finite
from memory.records import Figure

_EVALUATION = """
INSERT INTO evaluations (stage_run_id, model_id, problem_set, split, protocol, metric, value, low,
                         high, n, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (stage_run_id, model_id, problem_set, split, protocol, metric) DO UPDATE SET
    value = excluded.value, low = excluded.low, high = excluded.high, n = excluded.n,
    created_at = excluded.created_at
"""


class Evaluations(Connected):
    """Writes of ``evaluations``."""

    def add_evaluation(
        self,
        stage_run_id: int,
        model_id: str,
        problem_set: str,
        split: str,
        protocol: str,
        metrics: Mapping[str, Figure],
    ) -> None:
        """Store a model's figures on a problem set; measured again, they replace the old ones."""
        key, now = (stage_run_id, model_id, problem_set, split, protocol), time.time()
        rows = [
            (*key, metric, *figure_columns(figure), figure.n, now)
            for metric, figure in metrics.items()
        ]
        with self._write() as connection:
            connection.executemany(_EVALUATION, rows)


def figure_columns(figure: Figure) -> tuple[float | None, float | None, float | None]:
    """Value, low and high as they are stored: undefined is NULL."""
    return finite(figure.value), finite(figure.low), finite(figure.high)
