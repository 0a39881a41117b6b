"""The page in a real browser, where one is installed: nothing overflows, nothing complains."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kent.report import build, render_html
from memory.store import Store
from tests.kent.report.filling import add_round

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND", "--allow-file-access-from-files",
)  # fmt: skip
PROBE = """<iframe id="page" src="report.html" style="border:0;width:{width}px;height:800px">
</iframe><pre id="out"></pre><script>onload = () => {{
const root = document.getElementById("page").contentDocument.documentElement;
document.getElementById("out").textContent = `widths ${{root.scrollWidth}} ${{root.clientWidth}}`;
}}</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium on the PATH")
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_overflows_or_complains(store: Store, tmp_path: Path, width: int):
    long = "<script>alert(1)</script>" + "w" * 400
    for _ in range(3):
        add_round(store, decision="kept", reason=long, problem_set=long, code_version=long)
    add_round(store, end="failed", error=long)
    (tmp_path / "report.html").write_text(render_html(build(store)), encoding="utf-8")
    probe = tmp_path / "probe.html"
    probe.write_text(PROBE.format(width=width), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={tmp_path}/profile", "--dump-dom", probe.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r"widths (\d+) (\d+)</pre>", done.stdout)
    assert found, done.stderr
    assert int(found[1]) <= int(found[2])
    assert "CONSOLE" not in done.stderr
