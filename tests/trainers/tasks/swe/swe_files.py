"""Small shared folders and git repositories, in the form of the real ones."""

import gzip
import json
import lzma
import os
import subprocess
from pathlib import Path

BEFORE = "def f(x):\n    return x + 1\n"
AFTER = "def f(x):\n    return x - 1\n"
PATCH = """\
diff --git a/pkg/a.py b/pkg/a.py
--- a/pkg/a.py
+++ b/pkg/a.py
@@ -1,2 +1,2 @@
 def f(x):
-    return x + 1
+    return x - 1
"""


def record(name, **changes):
    made = {
        "task_id": name,
        "repo": "owner/name",
        "base_commit": "c0ffee",
        "base_date": "2020-03-04T05:06:07+01:00",
        "sets": ["lite"],
        "issue_text": "f adds where it should subtract",
        "files": ["pkg/a.py"],
        "code_before": {"pkg/a.py": BEFORE},
        "code_after": {"pkg/a.py": AFTER},
        "patch": PATCH,
        "test_patch": "diff --git a/tests/test_a.py b/tests/test_a.py\n",
        "FAIL_TO_PASS": ["tests/test_a.py::test_f"],
        "PASS_TO_PASS": None,
    } | changes
    return {name: value for name, value in made.items() if value is not ...}


def lines(path: Path, records) -> Path:
    """Write records, or raw lines, as JSON lines; packed as the name says."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in records]
    raw = "".join(text + "\n" for text in texts).encode()
    pack = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pack(raw))
    return path


def shared_folder(folder: Path, tasks=("t-1", "t-2", "t-3")) -> Path:
    """Three tasks of one repository, whose trees build on each other."""
    lines(folder / "swe_tasks.jsonl.gz", [record(name) for name in tasks])
    lines(
        folder / "repo_trees.jsonl.gz",
        [
            {"task_id": "t-1", "prev": None, "set": {"pkg/a.py": 0, "pkg/b.py": 0}, "drop": []},
            {"task_id": "t-2", "prev": "t-1", "set": {"pkg/c.py": 0}, "drop": ["pkg/b.py"]},
            {"task_id": "t-3", "prev": "t-2", "set": {"pkg/a.py": 1, "pkg/b.py": 1}, "drop": []},
        ],
    )
    lines(
        folder / "repo_files" / "owner__name.jsonl.xz",
        [
            {"path": "pkg/a.py", "versions": [BEFORE, AFTER]},
            {"path": "pkg/b.py", "versions": ["b = 'é'\n", BEFORE]},
            {"path": "pkg/c.py", "versions": [""]},
        ],
    )
    lines(folder / "repo_recency.jsonl.gz", [{"task_id": "t-1", "recent": {"pkg/a.py": 2.5}}])
    return folder


class Git:
    """A repository to commit to, with dates that are told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.now = 1_600_000_000
        self("init", "-q", "-b", "main")

    def __call__(self, *arguments, stdin: bytes | None = None) -> str:
        who = ["-c", "user.name=A", "-c", "user.email=a@b.org", "-c", "commit.gpgsign=false"]
        date = f"{self.now} +0000"
        # A hook that runs the tests would name its own repository.
        env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        done = subprocess.run(
            ["git", *who, *arguments],
            cwd=self.folder,
            capture_output=True,
            input=stdin,
            check=True,
            env={**env, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date},
        )
        return done.stdout.decode().strip()

    def commit(self, message: str, files, days: float = 1) -> str:
        """Write files (None: remove it) and commit them, some days after the last."""
        self.now += round(86400 * days)
        for path, content in files.items():
            place = self.folder / path
            if content is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "-m", message)
        return self("rev-parse", "HEAD")

    def fix(self, number: int, **changes) -> str:
        """A commit that mends code and brings a test."""
        files = {
            "pkg/a.py": f"def f(x):\n    return x - {number}\n",
            "tests/test_a.py": f"from pkg.a import f\n\nassert f(0) == -{number}\n",
        }
        return self.commit(f"Fix f for {number}\n\nIt was wrong.", files | changes)
