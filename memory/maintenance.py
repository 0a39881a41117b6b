"""Care of the store: what ``kent state verify`` finds wrong, and copies made while it is in use."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memory.connection import BUSY_TIMEOUT_S, connect, plain_errors
from memory.errors import StoreError
from memory.files import sha256_file, write_atomically
from memory.schema import migrations
from memory.schema_repair import LEARNED, LEARNED_FROM_PROBLEMS
from memory.store import COPY_CACHE_MB, Store, copy_database
from memory.upgrade import LISTING, known_migrations, wanted_schema

DATABASE_NAME = "kent.db"
MAX_FINDINGS = 20  # of one kind; a file that is all wrong is not listed row by row

# Each query lists rows that must not be, as one text each; `guard` triggers and unique indexes
# keep them out, so that what is found here came in past them.
_FORBIDDEN = (
    "SELECT 'split guard: model ' || t.model_id || ' was trained on sample ' || t.sample_id || "
    "' of ' || coalesce(x.problem_id, 'no problem') || ', which is ' || "
    "coalesce(s.split, 'in no split') FROM training_examples t "
    "LEFT JOIN samples x ON x.id = t.sample_id LEFT JOIN splits s ON s.problem_id = x.problem_id "
    "WHERE s.split IS NOT 'train'",
    "SELECT 'model ' || t.model_id || ': the verdict ' || t.verdict_id || ' is not on sample ' || "
    "t.sample_id FROM training_examples t LEFT JOIN samples x ON x.id = t.sample_id "
    "LEFT JOIN verdicts v ON v.id = t.verdict_id WHERE x.program_hash IS NOT v.program_hash "
    "OR v.id IS NULL",
    "SELECT 'problem ' || id || ' is in no split' FROM problems "
    "WHERE id NOT IN (SELECT problem_id FROM splits)",
    "SELECT count(*) || ' samples have the key ' || problem_id || ', ' || generator_id || ', ' || "
    "protocol || ', ' || params_hash || ', ' || idx FROM samples NOT INDEXED "
    "GROUP BY problem_id, generator_id, protocol, params_hash, idx HAVING count(*) > 1",
    "SELECT count(*) || ' verdicts have the key ' || program_hash || ', ' || tests_hash || ', ' || "
    "sandbox_version || ', ' || sandbox_level FROM verdicts NOT INDEXED "
    "GROUP BY program_hash, tests_hash, sandbox_version, sandbox_level HAVING count(*) > 1",
    "SELECT count(*) || ' models of kind ' || kind || ' are champion' FROM models NOT INDEXED "
    "WHERE status = 'champion' GROUP BY kind HAVING count(*) > 1",
    "SELECT 'model ' || id || ' is ' || status || ' and has no checkpoint' FROM models "
    "WHERE status IN ('candidate', 'champion') AND (checkpoint IS NULL OR sha256 IS NULL)",
    "SELECT 'split guard: model ' || t.model_id || ' was trained on task ' || t.task_id || "
    "', which is ' || coalesce(s.split, 'in no split') FROM training_tasks t "
    "LEFT JOIN swe_tasks s ON s.id = t.task_id WHERE s.split IS NOT 'train'",
    "SELECT 'split guard: repair pair ' || r.id || ' is of ' || r.problem_id || ', which is ' || "
    "coalesce(s.split, 'in no split') FROM repair_pairs r "
    "LEFT JOIN splits s ON s.problem_id = r.problem_id WHERE s.split IS NOT 'train'",
    *(
        f"SELECT 'split guard: row ' || l.id || ' of {table} was learned from ' || l.{column} || "
        f"', which is ' || coalesce(s.split, 'in no split') FROM {table} l "
        f"LEFT JOIN {splits} s ON s.{key} = l.{column} "
        f"WHERE l.{column} IS NOT NULL AND s.split IS NOT 'train'"
        for column, splits, key, tables in (
            ("task_id", "swe_tasks", "id", LEARNED),
            ("problem_id", "splits", "problem_id", LEARNED_FROM_PROBLEMS),
        )
        for table in tables
    ),
)


def verify(state_dir: Path) -> list[str]:
    """Look for damage in the database and the checkpoints; the daemon may go on meanwhile.

    Returns:
        One line for each defect: a page or key that is broken, a guard that is missing or
        changed, a row that a guard would have refused, a code that is not what its hash says, a
        checkpoint that is missing or changed. Empty when all is well.
    """
    findings: list[str] = []
    try:
        with Store.open(state_dir / DATABASE_NAME, read_only=True) as store:
            for check in (_pages, _references, _schema, _rows, _codes, _keys, _checkpoints):
                findings += _run(check, store)
    except StoreError as error:
        findings.append(str(error))
    return findings


def verify_file(path: Path) -> list[str]:
    """Look for damage in a database file alone, such as a backup; its checkpoints are elsewhere.

    One of an older version is looked at as it is: what its rows say, not how its tables are made.
    """
    findings: list[str] = []
    try:
        database = connect(path, "ro", BUSY_TIMEOUT_S)
        try:
            with plain_errors(path):
                found = database.conn.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall()
                applied = {one.name for one in migrations.applied(database)}
        finally:
            database.conn.close()
    except StoreError as error:
        return [str(error)]
    findings += [f"integrity: {text}" for (text,) in found if text != "ok"]
    if not applied:
        return [*findings, f"{path} is not a database of KENT"]
    if newer := sorted(applied - set(known_migrations())):
        return [*findings, f"a newer KENT wrote it (it has {', '.join(newer)}); update KENT"]
    if applied == set(known_migrations()):
        with Store.open(path, read_only=True) as store:
            for check in (_references, _schema, _rows, _codes, _keys):
                findings += _run(check, store)
    return findings


def backup(store_path: Path, target: Path, *, like: str | None = None) -> None:
    """Copy the database at one moment of its life to ``target``, also while others write to it.

    The copy is a single file that needs no log beside it; checkpoints are not in it.

    Args:
        store_path: the database.
        target: where the copy is to be.
        like: a pattern of the names of such copies: those that a killed process began are removed.

    Raises:
        StoreError: ``target`` exists, there is no space, or the database cannot be read.
    """
    with Store.open(store_path, read_only=True, cache_mb=COPY_CACHE_MB) as store:
        write_atomically(target, store.copy_into, overwrite=False, like=like)


def copy_file(source: Path, target: Path) -> None:
    """Copy a database of any version to a file that is not there, at one moment of its life.

    Raises:
        StoreError: it cannot be read, or the copy not be written.
    """
    database = connect(source, "ro", BUSY_TIMEOUT_S, COPY_CACHE_MB)
    try:
        copy_database(database.conn, target)
    finally:
        database.conn.close()


def _run(check: Callable[[Store], Iterator[str]], store: Store) -> list[str]:
    """The findings of one check; that it cannot read on is one more, and hides no other check."""
    findings: list[str] = []
    try:
        for finding in check(store):
            findings.append(finding)
    except StoreError as error:
        findings.append(str(error))
    return findings


def _pages(store: Store) -> Iterator[str]:
    # SQLite forgets the CHECK constraints on a connection that it opened for reading only.
    connection = connect(store.path, "rw", BUSY_TIMEOUT_S).conn
    try:
        with plain_errors(store.path):
            connection.execute("PRAGMA query_only=ON")
            found = connection.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall()
    finally:
        connection.close()
    yield from (f"integrity: {text}" for (text,) in found if text != "ok")


def _references(store: Store) -> Iterator[str]:
    for row in store.query("PRAGMA foreign_key_check")[:MAX_FINDINGS]:
        yield f"row {row['rowid']} of {row['table']} refers to a missing row of {row['parent']}"


def _schema(store: Store) -> Iterator[str]:
    """Compare the tables, indexes and triggers with those that the migrations make."""
    found = {row["what"]: row["sql"] for row in store.query(LISTING)}
    for what, sql in wanted_schema().items():
        if what not in found:
            yield f"{what} is missing"
        elif found[what] != sql:
            yield f"{what} was changed"


def _rows(store: Store) -> Iterator[str]:
    for sql in _FORBIDDEN:
        for row in store.query(f"{sql} LIMIT {MAX_FINDINGS}"):
            yield str(next(iter(row.values())))


def _codes(store: Store) -> Iterator[str]:
    """Compare each sample's code with its hash; integrity_check does not look into texts."""
    store_rows = _in_chunks(store, "SELECT id, code, program_hash FROM samples")
    wrong = (
        f"sample {row['id']}: its code is not what its program_hash says"
        for row in store_rows
        if hashlib.sha256(row["code"].encode()).hexdigest() != row["program_hash"]
    )
    for _, finding in zip(range(MAX_FINDINGS), wrong, strict=False):
        yield finding


def _keys(store: Store) -> Iterator[str]:
    """Compare each fact's key with its hash."""
    wrong = (
        f"fact {row['id']}: its key is not what its key_hash says"
        for row in _in_chunks(store, "SELECT id, key, key_hash FROM facts")
        if hashlib.sha256(row["key"]).hexdigest() != row["key_hash"]
    )
    for _, finding in zip(range(MAX_FINDINGS), wrong, strict=False):
        yield finding


def _in_chunks(store: Store, sql: str, size: int = 5000) -> Iterator[dict[str, Any]]:
    """The rows of a table by id, some thousand at a time: a large store is not held in memory."""
    last = -(2**63)
    while rows := store.query(f"{sql} WHERE id > ? ORDER BY id LIMIT {size}", (last,)):
        yield from rows
        last = rows[-1]["id"]


def _checkpoints(store: Store) -> Iterator[str]:
    """Compare with their hashes the files of models, the further ones that a model's configuration
    names, such as adapters, and the weights in use of memories.
    """
    listed = (
        "SELECT 'model ' || id AS what, checkpoint, sha256 FROM models "
        "WHERE checkpoint IS NOT NULL ORDER BY id",
        "SELECT 'model ' || m.id AS what, f.key AS checkpoint, f.value AS sha256 "
        "FROM models m, json_each(m.config, '$.files') f "
        "WHERE m.checkpoint IS NOT NULL ORDER BY m.id, f.key",
        "SELECT 'memory ' || memory AS what, checkpoint, sha256 FROM memory_versions v "
        "WHERE version = (SELECT max(version) FROM memory_versions WHERE memory = v.memory)",
    )
    for row in (row for sql in listed for row in store.query(sql)):
        path = store.path.parent / row["checkpoint"]
        try:
            if sha256_file(path) != row["sha256"]:
                yield f"{row['what']}: {path} is not what its SHA-256 says"
        except FileNotFoundError:
            yield f"{row['what']}: {path} is missing"
        except OSError as error:
            yield f"{row['what']}: {path} cannot be read: {error.strerror}"
