"""Four cheats, planted on purpose: each must be caught, or bring nothing, in an isolated run."""

import sqlite3

import pytest
from honest_cheats import (
    TWINS,
    CarriesState,
    Dies,
    Fails,
    Honest,
    Make,
    StoresAnswers,
    WritesAFile,
    WritesThroughSQLite,
)

from memory.errors import StoreError
from memory.records import ModelRow, SampleRow, VerdictRow
from memory.store import Store
from memory.swe_tasks import SweTaskRow
from trainers.errors import BenchmarkError
from trainers.honest.audit import audit
from trainers.honest.isolation import Bench, run
from trainers.honest.snapshot import freeze
from trainers.samples import program_hash


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "weights.bin").write_bytes(b"plain!")
    Store.open(folder / "kent.db").close()
    return folder


@pytest.fixture
def snapshot(state, tmp_path):
    with Store.open(state / "kent.db") as store:
        return freeze(store, state, tmp_path / "snapshot")


def bench(snapshot, tmp_path, kind, *more):
    return Bench(Make(kind, more), snapshot, tmp_path / "scratch", seed=3)


def right(bench, mode):
    return sum(result["right"] for _, result in run(bench, mode, TWINS))


@pytest.mark.parametrize("cheat", [StoresAnswers, CarriesState])
def test_what_one_task_leaves_behind_reaches_no_other(snapshot, tmp_path, cheat):
    """Cheats 1 and 3: a memory that stores test answers, and state in a module's global."""
    cheating = bench(snapshot, tmp_path, cheat)
    assert right(cheating, "isolated") == 0
    assert right(cheating, "cold") == 0
    # Kept together, the second of each pair of twins is known: this is what leaking would give.
    assert right(cheating, "shared_cache") == len(TWINS) // 2


def test_a_solver_that_writes_into_the_snapshots_store_is_caught(snapshot, tmp_path):
    """Cheat 2, through SQLite: the file's mode is no wall for root, its stamp is."""
    (snapshot.folder / "kent.db").chmod(0o644)
    fresh = freeze_again(snapshot)
    cheating = bench(fresh, tmp_path, WritesThroughSQLite, str(snapshot.folder / "kent.db"))
    with pytest.raises(BenchmarkError, match=r"wrote into the frozen snapshot \(kent.db"):
        right(cheating, "isolated")


def test_a_solver_that_writes_a_checkpoint_and_sets_its_time_back_is_caught(snapshot, tmp_path):
    """Cheat 2, through a file: the time of the last change of status cannot be set."""
    cheating = bench(snapshot, tmp_path, WritesAFile, str(snapshot.folder))
    with pytest.raises(BenchmarkError, match="wrote into the frozen snapshot"):
        right(cheating, "isolated")
    with pytest.raises(BenchmarkError):
        snapshot.verify()


def test_the_snapshots_store_refuses_every_write(snapshot):
    with snapshot.open() as store:
        with pytest.raises(StoreError, match="readonly"):
            store.add_problems([], "x") or store.event("a", "b")
        with pytest.raises(StoreError):
            store.query("DELETE FROM problems")


def freeze_again(snapshot):
    """The same folder with the stamps that it has now."""
    with Store.open(snapshot.folder / "kent.db", read_only=True) as store:
        return freeze(store, snapshot.folder, snapshot.folder)


def test_a_training_row_of_the_test_split_is_refused(state):
    """Cheat 4: written past the trigger, as who edits the file can."""
    with Store.open(state / "kent.db") as store:
        fill(store)
        audit(store)
    with sqlite3.connect(state / "kent.db") as raw:
        sql = raw.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'guard_training_tasks'"
        ).fetchone()[0]
        raw.execute("DROP TRIGGER guard_training_tasks")
        raw.execute("INSERT INTO training_tasks VALUES ('code-0001', 'held')")
        raw.execute(sql)
    raw.close()
    with (
        Store.open(state / "kent.db") as store,
        pytest.raises(BenchmarkError, match=r"training_tasks holds 1 tasks .* \(held\)"),
    ):
        audit(store)


def test_a_training_sample_of_a_test_problem_is_refused(state):
    from scripted import adder

    with Store.open(state / "kent.db") as store:
        fill(store)
        store.add_problems([adder(1, "test")], "by hand")
        sample, verdict = row_of(adder(1), store)
        audit(store)
    with sqlite3.connect(state / "kent.db") as raw:
        raw.execute("DROP TRIGGER guard_training_examples")
        raw.execute("INSERT INTO training_examples VALUES ('code-0001', ?, ?)", (sample, verdict))
    raw.close()
    with (
        Store.open(state / "kent.db") as store,
        pytest.raises(BenchmarkError, match="training_examples holds 1 tasks"),
    ):
        audit(store)


def test_a_version_that_saw_the_solution_of_a_test_problem_is_refused(state):
    from scripted import adder

    with Store.open(state / "kent.db") as store:
        fill(store)
        shown, held = adder(1, "train"), adder(2, "test")
        store.add_problems([shown, held], "by hand")
        run_id = store.query("SELECT id FROM stage_runs")[0]["id"]
        more = {"generator_id": None, "parent": None, "stage_run_id": run_id, "code_version": "0"}
        store.begin_model("code", {"problems": [shown.id]}, **more)
        audit(store)
        store.begin_model("code", {"problems": [shown.id, held.id]}, **more)
        with pytest.raises(BenchmarkError, match="models holds 1 tasks"):
            audit(store)


def test_a_store_without_its_guards_is_refused(state):
    with sqlite3.connect(state / "kent.db") as raw:
        raw.execute("DROP TRIGGER guard_facts")
    raw.close()
    with (
        Store.open(state / "kent.db") as store,
        pytest.raises(BenchmarkError, match="lacks its split guards"),
    ):
        audit(store)


def test_a_task_that_was_learned_from_is_refused_whatever_its_split(state):
    with Store.open(state / "kent.db") as store:
        fill(store)
        store.add_training_tasks("code-0001", ["shown"])
        audit(store, ["held"])
        with pytest.raises(BenchmarkError, match="learned from, the first is shown"):
            audit(store, ["shown", "held"])


def test_each_task_has_a_process_and_an_empty_folder_of_its_own(snapshot, tmp_path):
    found = dict(run(bench(snapshot, tmp_path, Honest), "isolated", TWINS))
    assert len({one["pid"] for one in found.values()}) == len(TWINS)
    assert all(one["left"] == [] for one in found.values())
    assert list(found) != sorted(found)  # in random order,
    again = dict(run(bench(snapshot, tmp_path, Honest), "isolated", reversed(TWINS)))
    assert list(again) == list(found)  # which the seed fixes,
    chances = [{key: one["chance"] for key, one in each.items()} for each in (found, again)]
    assert chances[0] == chances[1]  # as it does what chance gives each task
    assert not list((tmp_path / "scratch").rglob("*.json"))


@pytest.mark.parametrize(
    ("kind", "said"), [(Dies, "ended with status 3"), (Fails, "ValueError: no idea")]
)
def test_a_solver_that_fails_is_told_by_its_task(snapshot, tmp_path, kind, said):
    with pytest.raises(BenchmarkError, match=said):
        right(bench(snapshot, tmp_path, kind), "isolated")


def fill(store: Store) -> None:
    body = {"code_before": {}, "code_after": {}, "patch": "", "judge": None, "metadata": {}}
    store.add_swe_tasks(
        SweTaskRow(name, "swe", "o/r", "An issue.", split, "by hand", body)
        for name, split in (("shown", "train"), ("held", "test"))
    )
    round_id = store.open_round(seed=1, config={}, code_version="0").id
    run_row = store.begin_stage_run(round_id, "code", pid=None, pid_start=None)
    model: ModelRow = store.begin_model(
        "code", {}, generator_id=None, parent=None, stage_run_id=run_row.id, code_version="0"
    )
    assert model.id == "code-0001"


def row_of(problem, store: Store) -> tuple[int, int]:
    code = "def add(x):\n    return x + 1"
    run_id = store.query("SELECT id FROM stage_runs")[0]["id"]
    store.add_samples([
        SampleRow(problem.id, "g", "p", {}, "h", 0, 1, code, code, program_hash(code), 3, None,
                  "stop", run_id)
    ])  # fmt: skip
    store.add_verdicts([
        VerdictRow(program_hash(code), problem.tests_hash, "1", "A", "passed", None, 0.1, 0.1, 1.0,
                   stage_run_id=run_id)
    ])  # fmt: skip
    ids = [store.query(f"SELECT id FROM {t}")[0]["id"] for t in ("samples", "verdicts")]
    return ids[0], ids[1]
