"""An interpreter that is none: it speaks the engine's protocol from a script, or breaks it."""

import stat
import sys
from pathlib import Path

_HEAD = """#!{python}
import json, os, sys, time

def send(**message):
    print(json.dumps(message), flush=True)

def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)

def answer(job, text="x", **changes):
    send(**{{"job": job["job"], "text": text, "tokens": 2, "logprob": -1.5,
            "finish_reason": "stop", **changes}})

def jobs():
    while True:
        message = read()
        if message["op"] == "job":
            yield message
        else:
            sys.stderr.write(message["op"] + "\\n")
            sys.stderr.flush()

boot = read()
"""

READY = "send(ready=True)\n"
ECHO = READY + "for job in jobs():\n    answer(job, json.dumps(job))\n"


def scripted_engine(folder: Path, script: str) -> str:
    """Write the script; the path of what is then run as if it were Python."""
    path = folder / "engine"
    path.write_text(_HEAD.format(python=sys.executable) + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)
