"""An account at the local server, the verbs of ``gpu_box.py`` with it, and its guards."""

from pathlib import Path

import psutil
import pytest
from lambda_server import KEY, LambdaServer

from kent.remote.cli import main
from kent.remote.records import BoxRecord, Records


class Account:
    """The server, the records, and the verbs."""

    def __init__(self, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self.server = LambdaServer()
        self.records = Records(folder / "boxes")
        self.folder = folder
        self._capture = capfdbinary

    def run(self, *words: str) -> tuple[int, str, str]:
        options = ["--records", str(self.records.folder), "--base-url", self.server.url]
        code = main([*options, "--pause-s", "0.01", *words])
        out, err = self._capture.readouterr()
        assert KEY.encode() not in out + err
        return code, out.decode(), err.decode()

    def ok(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert code == 0, err
        return out

    def launch(self, *more: str) -> BoxRecord:
        self.ok("launch", "--type", "gpu_1x_a10", "--ssh-key", "laptop", "--max-hours", "1",
                "--name", "box", *more)  # fmt: skip
        return self.records.read("box")

    def statuses(self) -> list[str]:
        return [box["status"] for box in self.server.instances.values()]


def guards(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "kent.remote.guard" in words and str(folder) in words:
            found.append(process)
    return [one for one in found if one.info["status"] != psutil.STATUS_ZOMBIE]
