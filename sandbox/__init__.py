"""Runs untrusted Python programs and says how they did, by verdicts that no program can forge.

A small warm interpreter (the zygote) walls itself in once and forks a child for each program. In
*data* mode only inputs go in and only plain data comes out; what is expected stays outside, where
it is compared. In *split* mode the tests run in a second walled process and call the candidate by
messages. CPU time decides a timeout.

Covers: programs that loop, crash, flood, exit early, lie about equality, look for answers in
memory, start processes or threads, read or write files, open sockets, or signal others. Does not
cover: faults of the kernel, and side channels by timing. docs/sandbox.md says more, per level.
"""

from sandbox.calibrate import calibrate
from sandbox.convert import from_asserts, from_check
from sandbox.errors import ConversionError, LevelError, SandboxError
from sandbox.levels import describe
from sandbox.project import ProjectLimits, ProjectRunner, ProjectTests, ProjectVerdict
from sandbox.sandbox import SANDBOX_VERSION, Sandbox
from sandbox.tests_json import tests_from_json, tests_hash, tests_to_json
from sandbox.types import (
    Call,
    CallTrace,
    Failure,
    Limits,
    Observed,
    Program,
    ProgramRunner,
    Tests,
    Verdict,
    Word,
)

__all__ = [
    "SANDBOX_VERSION",
    "Call",
    "CallTrace",
    "ConversionError",
    "Failure",
    "LevelError",
    "Limits",
    "Observed",
    "Program",
    "ProgramRunner",
    "ProjectLimits",
    "ProjectRunner",
    "ProjectTests",
    "ProjectVerdict",
    "Sandbox",
    "SandboxError",
    "Tests",
    "Verdict",
    "Word",
    "calibrate",
    "describe",
    "from_asserts",
    "from_check",
    "tests_from_json",
    "tests_hash",
    "tests_to_json",
]
