"""A local server that speaks Lambda Cloud's documented API, with trouble on request."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "secret_kent_0123456789"
TYPES = {
    "gpu_1x_a10": (75, ["us-west-1", "us-east-1"]),
    "gpu_8x_h100": (2392, []),
    "gpu_1x_a100": (129, ["us-east-1"]),
}


class LambdaServer:
    """State of an account; ``troubles`` maps a path to what happens to its next requests.

    A trouble is a status code, ``drop`` (no answer, nothing done) or ``lost`` (done, no answer).
    """

    def __init__(self) -> None:
        self.instances: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, str] = {"laptop": "ssh-ed25519 AAAA laptop"}
        self.troubles: dict[str, list[int | str]] = {}
        self.asked: list[tuple[str, str, float]] = []
        self.boot = ["booting", "booting", "active"]  # what successive looks see
        self.ip = "127.0.0.1"
        self.stubborn = 0  # so many terminations are answered and not carried out
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.handle(self, "GET", {})

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                server.handle(self, "POST", json.loads(self.rfile.read(length)))

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/api/v1"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def handle(self, request: BaseHTTPRequestHandler, method: str, body: dict[str, Any]) -> None:
        path = request.path.removeprefix("/api/v1")
        self.asked.append((method, path, time.monotonic()))
        trouble = self.troubles.get(path, [])
        now = trouble.pop(0) if trouble else None
        if now == "drop":
            request.close_connection = True
            return
        if isinstance(now, int):
            self._answer(request, now, _error(now))
            return
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            self._answer(request, 401, _error(401))
            return
        code, document = self._do(method, path, body)
        if now == "lost":
            request.close_connection = True
            return
        self._answer(request, code, document)

    def _do(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path == "/instance-types":
            return 200, {"data": {name: _type(name) for name in TYPES}}
        if path == "/instances":
            return 200, {"data": list(self.instances.values())}
        if path.startswith("/instances/"):
            return self._look(path.rpartition("/")[2])
        if path == "/instance-operations/launch":
            return self._launch(body)
        if path == "/instance-operations/terminate":
            return self._terminate(body["instance_ids"])
        if path == "/ssh-keys" and method == "POST":
            self.keys[body["name"]] = body["public_key"]
            return 200, {"data": {"id": "k", **body}}
        if path == "/ssh-keys":
            keys = self.keys.items()
            return 200, {"data": [{"id": n, "name": n, "public_key": k} for n, k in keys]}
        return 404, _error(404)

    def _launch(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        assert set(body) == {"region_name", "instance_type_name", "ssh_key_names", "name",
                             "quantity"}  # fmt: skip
        if body["region_name"] not in TYPES[body["instance_type_name"]][1]:
            code = "instance-operations/launch/insufficient-capacity"
            return 400, {"error": {"code": code, "message": "Not enough capacity.",
                                   "suggestion": "Choose another region."}}  # fmt: skip
        assert len(body["ssh_key_names"]) == 1
        assert body["ssh_key_names"][0] in self.keys
        box_id = f"{len(self.instances):032x}"
        self.instances[box_id] = {
            "id": box_id, "name": body["name"], "status": "booting", "ip": None,
            "region": {"name": body["region_name"], "description": ""},
            "instance_type": _type(body["instance_type_name"])["instance_type"],
            "ssh_key_names": body["ssh_key_names"], "file_system_names": [], "looks": 0,
        }  # fmt: skip
        return 200, {"data": {"instance_ids": [box_id]}}

    def _look(self, box_id: str) -> tuple[int, dict[str, Any]]:
        box = self.instances.get(box_id)
        if box is None:
            return 404, _error(404)
        if box["status"] not in ("terminated", "terminating"):
            box["status"] = self.boot[min(box["looks"], len(self.boot) - 1)]
            box["ip"] = self.ip if box["status"] == "active" else None
        box["looks"] += 1
        return 200, {"data": box}

    def _terminate(self, ids: list[str]) -> tuple[int, dict[str, Any]]:
        if self.stubborn:
            self.stubborn -= 1
            return 200, {"data": {"terminated_instances": []}}
        known = [self.instances[one] for one in ids if one in self.instances]
        if not known:
            return 404, _error(404)
        for box in known:
            box["status"] = "terminated"
        return 200, {"data": {"terminated_instances": known}}

    def _answer(self, request: BaseHTTPRequestHandler, code: int, document: dict) -> None:
        content = json.dumps(document).encode()
        request.send_response(code)
        if code == 429:
            request.send_header("Retry-After", "0")
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


def _type(name: str) -> dict[str, Any]:
    cents, regions = TYPES[name]
    return {
        "instance_type": {"name": name, "description": f"{name} (GPU)",
                          "price_cents_per_hour": cents, "specs": {"vcpus": 30}},
        "regions_with_capacity_available": [{"name": one, "description": ""} for one in regions],
    }  # fmt: skip


def _error(code: int) -> dict[str, Any]:
    words = {401: "global/invalid-api-key", 404: "global/object-does-not-exist",
             429: "global/too-many-requests"}  # fmt: skip
    return {"error": {"code": words.get(code, "global/internal-error"), "message": f"HTTP {code}"}}
