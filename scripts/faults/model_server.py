"""A model behind an OpenAI-compatible server that answers from a script and fails when told to.

    python scripts/faults/model_server.py PORT TROUBLE_FILE

Each request looks into the file, ``{"kind": "500" | "hang" | "garbage" | "cut", "count": N}``: the
next N of them fare so. The program in an answer follows from the request's seed alone.
"""

import json
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAUSE_S = 0.03  # before each answer, so that a fault can come in the middle
HANG_S = 60.0
_lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    trouble_file: Path

    def do_POST(self) -> None:
        """Answer, or not."""
        length = int(self.headers["Content-Length"])
        asked: dict[str, Any] = json.loads(self.rfile.read(length))
        time.sleep(PAUSE_S)
        content = json.dumps(_completion(asked)).encode()
        trouble = self._trouble()
        if trouble == "hang":
            time.sleep(HANG_S)
        if trouble == "cut":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            return
        if trouble == "garbage":
            content = b"<html>\xff\xfe no model here \x00"
        self.send_response(500 if trouble == "500" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _trouble(self) -> str:
        with _lock:
            try:
                plan = json.loads(self.trouble_file.read_text())
            except (OSError, ValueError):
                return ""
            if plan["count"] <= 0:
                return ""
            plan["count"] -= 1
            self.trouble_file.write_text(json.dumps(plan))
            return str(plan["kind"])


def _completion(asked: dict[str, Any]) -> dict[str, Any]:
    """A chat completion: one of some programs for "adds N", right and wrong ones."""
    words = " ".join(message["content"] for message in asked["messages"])
    found = re.search(r"adds (\d+)", words)
    number = int(found[1]) if found else 0
    chance = random.Random(f"{asked['seed']}/{number}")
    program = chance.choice(
        [
            f"def add(x):\n    return x + {number}",
            f"def add(x):\n    return x - {number} - {chance.randrange(1, 9)}",
            f"def add(x):\n    return undefined_{chance.randrange(9)}",
            "def add(x:\n    return",
        ]
    )
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": f"```python\n{program}\n```"},
                "finish_reason": "stop",
                "logprobs": {"content": [{"token": "x", "logprob": -chance.random()}]},
            }
        ],
        "usage": {"completion_tokens": 10},
    }


def main(port: int, trouble_file: Path) -> None:
    """Serve until killed."""
    Handler.trouble_file = trouble_file
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
