"""The numbered migrations of ``kent.db``; a released one is never edited, a change is a new one."""

import sqlite3

from memory import schema_acts, schema_loops, schema_repair, schema_resources
from memory.sqlite import Database, Migrations

migrations = Migrations("kent")

_TABLES = """
CREATE TABLE problems (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, statement TEXT NOT NULL, entry_point TEXT NOT NULL,
    stub TEXT NOT NULL, visible_tests TEXT NOT NULL, tests TEXT NOT NULL, tests_hash TEXT NOT NULL,
    reference TEXT NOT NULL, metadata TEXT NOT NULL, imported_at REAL NOT NULL
) STRICT;
CREATE TABLE splits (
    problem_id TEXT PRIMARY KEY REFERENCES problems(id),
    split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test', 'prompt')),
    rule TEXT NOT NULL
) STRICT;
CREATE TABLE rounds (
    id INTEGER PRIMARY KEY, status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    started_at REAL NOT NULL, finished_at REAL, seed INTEGER NOT NULL, config TEXT NOT NULL,
    code_version TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_running_round ON rounds(status) WHERE status = 'running';
CREATE TABLE stage_runs (
    id INTEGER PRIMARY KEY, round_id INTEGER NOT NULL REFERENCES rounds(id), stage TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('running', 'done', 'stopped', 'failed', 'killed', 'skipped')),
    started_at REAL NOT NULL, finished_at REAL, heartbeat_at REAL, pid INTEGER, pid_start REAL,
    phase TEXT NOT NULL DEFAULT '', done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0, unit TEXT NOT NULL DEFAULT '', error TEXT,
    metrics TEXT NOT NULL DEFAULT '{}',
    UNIQUE (round_id, stage, attempt)
) STRICT;
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, problem_id TEXT NOT NULL REFERENCES problems(id),
    generator_id TEXT NOT NULL, protocol TEXT NOT NULL, params TEXT NOT NULL,
    params_hash TEXT NOT NULL, idx INTEGER NOT NULL, seed INTEGER NOT NULL,
    completion TEXT NOT NULL, code TEXT NOT NULL, program_hash TEXT NOT NULL,
    tokens INTEGER NOT NULL, logprob REAL, finish_reason TEXT NOT NULL,
    stage_run_id INTEGER NOT NULL REFERENCES stage_runs(id), created_at REAL NOT NULL,
    UNIQUE (problem_id, generator_id, protocol, params_hash, idx)
) STRICT;
CREATE INDEX samples_program ON samples(program_hash);
CREATE INDEX samples_run ON samples(stage_run_id, tokens);
CREATE TABLE verdicts (
    id INTEGER PRIMARY KEY, program_hash TEXT NOT NULL, tests_hash TEXT NOT NULL,
    sandbox_version TEXT NOT NULL, sandbox_level TEXT NOT NULL, verdict TEXT NOT NULL CHECK (
        verdict IN ('passed', 'failed', 'error', 'syntax_error', 'timeout', 'out_of_memory',
                    'crashed', 'violation')),
    failure TEXT, cpu_s REAL NOT NULL, wall_s REAL NOT NULL, peak_memory_mb REAL NOT NULL,
    output_head TEXT NOT NULL, output_tail TEXT NOT NULL,
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    UNIQUE (program_hash, tests_hash, sandbox_version, sandbox_level)
) STRICT;
CREATE INDEX verdicts_run ON verdicts(stage_run_id, verdict);
CREATE TABLE models (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL,
    parent TEXT REFERENCES models(id), config TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status IN ('training', 'candidate', 'champion', 'retired', 'rejected')),
    generator_id TEXT, checkpoint TEXT, sha256 TEXT, code_version TEXT NOT NULL,
    stage_run_id INTEGER NOT NULL REFERENCES stage_runs(id), created_at REAL NOT NULL,
    UNIQUE (kind, version)
) STRICT;
CREATE UNIQUE INDEX one_champion ON models(kind) WHERE status = 'champion';
CREATE TABLE training_examples (
    model_id TEXT NOT NULL REFERENCES models(id), sample_id INTEGER NOT NULL REFERENCES samples(id),
    verdict_id INTEGER NOT NULL REFERENCES verdicts(id),
    PRIMARY KEY (model_id, sample_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY, stage_run_id INTEGER NOT NULL REFERENCES stage_runs(id),
    model_id TEXT NOT NULL REFERENCES models(id), problem_set TEXT NOT NULL, split TEXT NOT NULL,
    protocol TEXT NOT NULL, metric TEXT NOT NULL, value REAL, low REAL, high REAL,
    n INTEGER NOT NULL, created_at REAL NOT NULL,
    UNIQUE (stage_run_id, model_id, problem_set, split, protocol, metric)
) STRICT;
CREATE TABLE promotions (
    id INTEGER PRIMARY KEY, stage_run_id INTEGER NOT NULL REFERENCES stage_runs(id),
    kind TEXT NOT NULL, candidate TEXT NOT NULL REFERENCES models(id),
    champion TEXT REFERENCES models(id),
    decision TEXT NOT NULL CHECK (decision IN ('promoted', 'kept')),
    effect REAL, low REAL, high REAL, p_value REAL, alpha REAL NOT NULL, looks INTEGER NOT NULL,
    n INTEGER NOT NULL, reason TEXT NOT NULL, created_at REAL NOT NULL,
    UNIQUE (candidate, stage_run_id)
) STRICT;
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, level TEXT NOT NULL, kind TEXT NOT NULL,
    message TEXT NOT NULL, round_id INTEGER REFERENCES rounds(id),
    stage_run_id INTEGER REFERENCES stage_runs(id), data TEXT NOT NULL
) STRICT;
CREATE INDEX events_level ON events(level);
CREATE TABLE processes (
    pid INTEGER NOT NULL, pid_start REAL NOT NULL, role TEXT NOT NULL, command TEXT NOT NULL,
    registered_at REAL NOT NULL, PRIMARY KEY (pid, pid_start)
) STRICT;
"""

# A model may only ever have learned from train problems, by the verdict on that very program. No
# row that says otherwise can come to be, and a problem that was learned from can never leave the
# train split: not by an update, a removal, or a REPLACE, which SQLite does as removal and insert.
_GUARDS = """
CREATE TRIGGER guard_training_examples BEFORE INSERT ON training_examples
WHEN (SELECT s.split FROM splits s JOIN samples x ON x.problem_id = s.problem_id
      WHERE x.id = NEW.sample_id) IS NOT 'train'
BEGIN SELECT RAISE(ABORT, 'split guard: the sample is not of a train problem'); END;
CREATE TRIGGER guard_training_examples_verdict BEFORE INSERT ON training_examples
WHEN (SELECT program_hash FROM samples WHERE id = NEW.sample_id)
    IS NOT (SELECT program_hash FROM verdicts WHERE id = NEW.verdict_id)
BEGIN SELECT RAISE(ABORT, 'label guard: the verdict is not on the program of the sample'); END;
CREATE TRIGGER guard_training_examples_update BEFORE UPDATE ON training_examples
BEGIN SELECT RAISE(ABORT, 'split guard: training examples are never changed'); END;
CREATE TRIGGER guard_splits_insert BEFORE INSERT ON splits
WHEN EXISTS (SELECT 1 FROM splits WHERE problem_id = NEW.problem_id AND split IS NOT NEW.split)
BEGIN SELECT RAISE(ABORT, 'split guard: the split of a problem is never changed'); END;
CREATE TRIGGER guard_splits_update BEFORE UPDATE ON splits
WHEN NEW.split IS NOT OLD.split OR NEW.problem_id IS NOT OLD.problem_id
BEGIN SELECT RAISE(ABORT, 'split guard: the split of a problem is never changed'); END;
CREATE TRIGGER guard_splits_delete BEFORE DELETE ON splits
BEGIN SELECT RAISE(ABORT, 'split guard: the split of a problem is never removed'); END;
CREATE TRIGGER guard_samples_insert BEFORE INSERT ON samples
WHEN EXISTS (SELECT 1 FROM samples WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'split guard: a sample is never replaced'); END;
CREATE TRIGGER guard_samples_update BEFORE UPDATE OF id, problem_id, code, program_hash ON samples
BEGIN SELECT RAISE(ABORT, 'split guard: a sample never changes its problem or its code'); END;
"""


@migrations()
def m001_initial(db: Database) -> None:
    """Problems, samples, verdicts, models, evaluations, rounds: all that the first stage needs."""
    for script in (_TABLES, _GUARDS):
        for statement in _statements(script):
            db.execute(statement)


_LIMITS = """
CREATE TABLE limits (
    tests_hash TEXT NOT NULL, sandbox_version TEXT NOT NULL, sandbox_level TEXT NOT NULL,
    cpu_s REAL NOT NULL, wall_s REAL NOT NULL, memory_mb INTEGER NOT NULL,
    PRIMARY KEY (tests_hash, sandbox_version, sandbox_level)
) STRICT, WITHOUT ROWID;
"""


@migrations()
def m002_limits(db: Database) -> None:
    """What a problem's programs may use, measured once from its reference solution."""
    for statement in _statements(_LIMITS):
        db.execute(statement)


_AGREEMENT = """
CREATE TABLE agreement_inputs (
    problem_id TEXT NOT NULL REFERENCES problems(id), inputs_hash TEXT NOT NULL,
    origin TEXT NOT NULL, inputs TEXT NOT NULL, generator_id TEXT, seed INTEGER NOT NULL,
    created_at REAL NOT NULL,
    PRIMARY KEY (problem_id, inputs_hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE behaviours (
    program_hash TEXT NOT NULL, inputs_hash TEXT NOT NULL, sandbox_version TEXT NOT NULL,
    sandbox_level TEXT NOT NULL, outcomes TEXT NOT NULL,
    PRIMARY KEY (program_hash, inputs_hash, sandbox_version, sandbox_level)
) STRICT, WITHOUT ROWID;
"""


@migrations()
def m003_agreement(db: Database) -> None:
    """Inputs without expected values, and what programs gave on them: no label is among it."""
    for statement in _statements(_AGREEMENT):
        db.execute(statement)


# SQLite cannot loosen a column, so the table is made anew, filled, and takes the old one's name.
# No table refers to it and it has no index or trigger of its own, so that foreign keys can stay
# on meanwhile: they check every row that is copied.
_PROMOTIONS_BY_HAND = """
CREATE TABLE promotions_new (
    id INTEGER PRIMARY KEY, stage_run_id INTEGER REFERENCES stage_runs(id),
    kind TEXT NOT NULL, candidate TEXT NOT NULL REFERENCES models(id),
    champion TEXT REFERENCES models(id),
    decision TEXT NOT NULL CHECK (decision IN ('promoted', 'kept', 'rolled_back')),
    actor TEXT NOT NULL DEFAULT 'gate' CHECK (actor IN ('gate', 'hand')),
    effect REAL, low REAL, high REAL, p_value REAL, alpha REAL, looks INTEGER NOT NULL,
    n INTEGER NOT NULL, reason TEXT NOT NULL, alternative TEXT NOT NULL DEFAULT '{}',
    figures TEXT NOT NULL DEFAULT '{}', created_at REAL NOT NULL,
    UNIQUE (candidate, stage_run_id), CHECK (actor = 'hand' OR stage_run_id IS NOT NULL)
) STRICT;
INSERT INTO promotions_new (id, stage_run_id, kind, candidate, champion, decision, effect, low,
                            high, p_value, alpha, looks, n, reason, created_at)
SELECT id, stage_run_id, kind, candidate, champion, decision, effect, low, high, p_value, alpha,
       looks, n, reason, created_at
FROM promotions ORDER BY id;
DROP TABLE promotions;
ALTER TABLE promotions_new RENAME TO promotions;
ALTER TABLE models ADD COLUMN stale TEXT;
"""


@migrations()
def m004_promotions_by_hand(db: Database) -> None:
    """A person may promote and roll back; what both sides measured is kept; models can be stale."""
    for statement in _statements(_PROMOTIONS_BY_HAND):
        db.execute(statement)


@migrations()
def m005_repair(db: Database) -> None:
    """SWE tasks and what is learned of them: patterns, facts, constraints, observations."""
    for script in (schema_repair.TABLES, schema_repair.GUARDS):
        for statement in _statements(script):
            db.execute(statement)


@migrations()
def m006_loops(db: Database) -> None:
    """The fractal coder's loops, and what a repair pair changed."""
    for statement in _statements(schema_loops.TABLES):
        db.execute(statement)


@migrations()
def m007_acts_of_the_daemon(db: Database) -> None:
    """The daemon may go back to a champion's predecessor, and the record says that it did."""
    for statement in _statements(schema_acts.TABLES):
        db.execute(statement)


@migrations()
def m008_resources(db: Database) -> None:
    """What stage runs used: CPU and wall seconds, peak memory, the card's time and energy."""
    for statement in _statements(schema_resources.TABLES):
        db.execute(statement)


def _statements(script: str) -> list[str]:
    """Cut a script into single statements; those of a trigger's body stay together."""
    statements, current = [], ""
    for line in script.strip().splitlines():
        current += line + "\n"
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
