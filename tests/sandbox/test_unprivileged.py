"""The whole catalogue again as a user that owns nothing, at every level that works for it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_catalogue import CATALOGUE, TMP
from test_attacks import text_of

import sandbox

NOBODY = 65534
RUN = """
import json, sys
from pathlib import Path
from sandbox.attacks import run_attacks
from sandbox.errors import LevelError
try:
    print(json.dumps(run_attacks(Path(sys.argv[1]), level=sys.argv[2])))
except LevelError as error:
    print(json.dumps({"refused": str(error)}))
"""


def open_to_all(path):
    return all(p.stat().st_mode & 0o001 for p in [path, *path.parents])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The package, the attacks and an interpreter where another user can read them."""
    if os.geteuid() != 0:
        pytest.skip("not root: the other tests already run without privileges")
    candidates = [Path(sys.executable).resolve(), Path("/usr/bin/python3")]
    python = next((p for p in candidates if p.exists() and open_to_all(p.resolve())), None)
    version = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if python is None or subprocess.run(version, check=False).returncode:
        pytest.skip("no interpreter that another user can run")
    folder = Path("/var/tmp", f"kent-{os.getpid()}")
    shutil.copytree(Path(sandbox.__file__).parent, folder / "package" / "sandbox")
    (folder / "attacks").mkdir()
    for number, name in enumerate(CATALOGUE):
        text = text_of(name).encode("utf-8", "surrogatepass")
        (folder / "attacks" / f"{number:03}.py").write_bytes(text)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    yield folder, python
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["A", "A'", "B"])
def test_every_attack_is_contained(place, level):
    folder, python = place
    done = subprocess.run(
        [python, "-B", "-c", RUN, folder / "attacks", level],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
        env={"PYTHONPATH": str(folder / "package"), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=True,
        timeout=280,
    )
    found = json.loads(done.stdout)
    if "refused" in found:
        pytest.skip(found["refused"])
    names = list(CATALOGUE)
    broken = {}
    for entry in found["programs"]:
        name = names[int(entry["name"])]
        bad = entry["broken"]
        if level == "B" and name in TMP:
            bad = [b for b in bad if b != "verdict error"]
        if bad:
            broken[name] = bad
    assert broken == {}
    assert found["tried"] == len(CATALOGUE)
