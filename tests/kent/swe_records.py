"""Records of SWE tasks whose whole code is one function that adds instead of subtracting."""

from typing import Any

BEFORE, AFTER = "def f(x):\n    return x + 1\n", "def f(x):\n    return x - 1\n"


def record(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "task_id": name,
        "repo": "owner/name",
        "base_commit": None,
        "base_date": None,
        "issue_text": f"{name} adds\nwhere it should subtract",
        "code_before": {"a.py": BEFORE},
        "code_after": {"a.py": AFTER},
        "patch": "",
    } | changes
