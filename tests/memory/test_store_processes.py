"""Several threads and processes at one file: nothing is lost, nothing is doubled, nobody fails."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from store_rows import RECIPE, SANDBOX, add_labelled, sample, verdict

from memory.errors import StoreError
from memory.maintenance import verify
from memory.store import Store

WRITER = Path(__file__).with_name("store_writer.py")


def start_writer(path: Path, *arguments: object) -> subprocess.Popen[str]:
    root = str(WRITER.parents[2])
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(path), *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_processes_that_start_at_once_make_one_database_and_share_the_work(tmp_path: Path):
    path = tmp_path / "state" / "kent.db"
    writers = [start_writer(path, "p/shared", 30, 0) for _ in range(4)]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    told = [json.loads(line) for output in outputs for line in output.splitlines()]
    with Store.open(path) as store:
        labelled = store.labelled(**RECIPE, **SANDBOX)
        assert len(labelled) == 30 * 5
        # Each row was new to one writer exactly, whoever came first.
        assert sum(batch["new_samples"] for batch in told) == len(labelled)
        assert sum(batch["new_verdicts"] for batch in told) == len(labelled)
        assert len(store.rounds()) == 1
        assert [run.attempt for run in store.stage_runs(1)] == [1, 2, 3, 4]
    assert verify(path.parent) == []


def test_a_heartbeat_thread_beats_while_the_main_thread_writes_and_reads(store: Store):
    stop, beats, errors = threading.Event(), [], []

    def beat() -> None:
        try:
            while not stop.is_set():
                store.beat(1, "sample", len(beats), 0, "samples")
                beats.append(1)
        except StoreError as error:
            errors.append(error)

    thread = threading.Thread(target=beat)
    thread.start()
    for number in range(50):
        rows = [sample("p/train", number * 20 + idx) for idx in range(20)]
        assert store.add_samples(rows) == 20
        assert store.add_verdicts([verdict(row) for row in rows]) == 20
        assert len(store.labelled(**RECIPE, **SANDBOX)) == (number + 1) * 20
    stop.set()
    thread.join()
    assert errors == []
    assert store.stage_runs(1)[0].done == len(beats) - 1 > 0


def test_a_signal_handler_that_writes_neither_hangs_nor_breaks_what_it_interrupts(store: Store):
    told, refused = [], []

    def handle(number: int, frame: object) -> None:
        try:
            store.event("signal", "asked to stop")
            told.append(number)
        except StoreError as error:
            refused.append(str(error))

    earlier = signal.signal(signal.SIGVTALRM, handle)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    try:
        for idx in range(300):
            assert store.add_samples([sample(idx=idx)]) == 1
            sum(range(100_000))  # so that some of the signals come between two writes
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, earlier)
    assert all("within a transaction" in line for line in refused), set(refused)
    assert len(store.events(limit=10_000)) == len(told) > 0
    assert len(store.query("SELECT id FROM samples")) == 300


def test_a_reader_sees_whole_transactions_only(store: Store):
    stop, torn = threading.Event(), []

    def read() -> None:
        with Store.open(store.path, read_only=True) as reader:
            while not stop.is_set():
                (row,) = reader.query("SELECT count(*) AS n FROM samples")
                torn.extend([row["n"]] if row["n"] % 50 else [])

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(40):
        store.add_samples([sample("p/train", number * 50 + idx) for idx in range(50)])
    stop.set()
    thread.join()
    assert torn == []


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_told_to_open_its_own(store: Store):
    add_labelled(store, "p/train")
    child = os.fork()
    if child == 0:
        try:
            store.rounds()
        except StoreError as error:
            os._exit(0 if "parent process" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(store.labelled(**RECIPE, **SANDBOX)) == 3
