"""The messages between the pool and a zygote: fixed headers, then bytes.

Pool to zygote: ``JOB`` and its payloads, at most one job ahead of the one that runs. Zygote to
pool: one ``REPORT`` and its payloads for each job, in order, but for a job that is given back. What
a program itself wrote (its frames) is carried as opaque bytes.
"""

import struct
from typing import NamedTuple

MAGIC = 0x4B454E54

# magic, kind, cpu_s, wall_s, memory_mb, output cap, result cap, files, processes, file_mb, and the
# sizes of: the candidate's code, its tests' inputs, the tester's payload.
JOB = struct.Struct("<IIddIIIIIIIII")

DATA, SPLIT, SHARED, TRACED = range(4)
OBSERVED, SHARED_OBSERVED = 5, 6  # 4 is a role of SPLIT's second process, see zygote.py


class Job(NamedTuple):
    """A job's header, field by field."""

    magic: int
    kind: int
    cpu_s: float
    wall_s: float
    memory_mb: int
    output_bytes: int
    result_bytes: int
    open_files: int
    processes: int
    file_mb: int
    code_size: int
    inputs_size: int
    tester_size: int


# magic, why, wait status of the candidate and of the tester, CPU and wall seconds, peak KiB, and
# the sizes of: the candidate's frames, the tester's, output head, output tail.
REPORT = struct.Struct("<IIiiddIIIII")


class Report(NamedTuple):
    """A report's header, field by field."""

    magic: int
    why: int
    status: int
    tester_status: int
    cpu_s: float
    wall_s: float
    peak_kib: int
    frames_size: int
    tester_frames_size: int
    head_size: int
    tail_size: int


# Why a program ended: by itself, or stopped by the zygote for one of its limits. RETURNED is no
# end: the job that waited behind a long program comes back, for another zygote to take.
ENDED, CPU, WALL, RESULT_CAP, RETURNED = range(5)

RETURN_S = 0.05
"""How long a program runs before a job that waits behind it is given back."""

# Frames that a program or a tester writes: a tag, a length, a body.
FRAME = struct.Struct("<cI")
READY, VALUE, RAISED, SYNTAX, DONE, VERDICT = b"K", b"V", b"X", b"Y", b"Z", b"P"

# One of several programs that share a process: the CPU and wall seconds that it took and its
# frames, or nothing, where it must have a process of its own.
PROGRAM = b"G"
SPENT = struct.Struct("<dd")

# A line that a traced program reached: the number of the call (-1: at import) and of the line.
LINE = b"L"
LINE_AT = struct.Struct("<iI")
