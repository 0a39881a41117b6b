"""Predictions are scored on three levels, and those that cannot be judged are not failures."""

from trainers.code_trainer.score_predictions import score_predictions
from trainers.tasks.swe.predictions import Prediction
from trainers.tasks.swe.types import SWETask

BEFORE = "def f(x):\n    return x\n"
AFTER = "def f(x):\n    return x + 1\n"


def task(name: str) -> SWETask:
    return SWETask(name, "o/r", "issue", {"a.py": BEFORE}, {"a.py": AFTER})


def patch(line: str) -> str:
    head = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n def f(x):\n-    return x\n"
    return head + "".join(f"+{one}\n" for one in line.split("\n"))


def test_each_level_is_counted_by_itself():
    tasks = {name: task(name) for name in ("same", "alike", "wrong", "broken", "none", "unjudged")}
    given = {
        "same": patch("    return x + 1"),
        "alike": patch("    return (x + 1)  # one more"),
        "wrong": patch("    return x - 1"),
        "broken": "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-not there\n+x\n",
        "unjudged": patch("    return x + 1"),
        "stranger": "",
    }

    def resolves(one, changed):
        return None if one.task_id == "unjudged" else "+ 1" in changed.get("a.py", "")

    found = score_predictions(
        [Prediction(name, "m", text) for name, text in given.items()], tasks, resolves
    )
    rows = {row["task_id"]: row for row in found["rows"]}
    assert [name for name, row in rows.items() if row["exact"]] == ["same", "unjudged"]
    same = [name for name, row in rows.items() if row["normalised"]]
    assert same == ["same", "alike", "unjudged"]
    assert [name for name, row in rows.items() if row["resolved"]] == ["same", "alike"]
    assert not rows["broken"]["applies"]
    assert (found["resolved"]["value"], found["resolved"]["n"]) == (2 / 5, 5)
    assert found["exact"]["n"] == 6
    assert found["not_judged"] == 1
    assert found["unknown_ids"] == ["stranger"]
