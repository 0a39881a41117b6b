"""The tables of repair: SWE tasks, and what is remembered of them; their guards against leaks."""

# A key with a column that may be NULL is an index on expressions, since UNIQUE holds two NULLs for
# different.
TABLES = """
CREATE TABLE swe_tasks (
    id TEXT PRIMARY KEY, source TEXT NOT NULL, repo TEXT NOT NULL, base_commit TEXT,
    base_date REAL, issue TEXT NOT NULL,
    split TEXT NOT NULL CHECK (split IN ('train', 'validation', 'test')), rule TEXT NOT NULL,
    trees TEXT, body BLOB NOT NULL, imported_at REAL NOT NULL
) STRICT;
CREATE INDEX swe_tasks_split ON swe_tasks(split, source);
CREATE TABLE repair_pairs (
    id INTEGER PRIMARY KEY, problem_id TEXT NOT NULL REFERENCES problems(id),
    broken_sample INTEGER NOT NULL REFERENCES samples(id),
    fixed_sample INTEGER NOT NULL REFERENCES samples(id),
    similarity REAL NOT NULL, created_at REAL NOT NULL,
    UNIQUE (broken_sample, fixed_sample)
) STRICT;
CREATE INDEX repair_pairs_problem ON repair_pairs(problem_id);
CREATE TABLE patterns (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, operation TEXT NOT NULL,
    abstraction TEXT NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE TABLE pattern_evidence (
    id INTEGER PRIMARY KEY, pattern_id INTEGER NOT NULL REFERENCES patterns(id),
    task_id TEXT REFERENCES swe_tasks(id), pair_id INTEGER REFERENCES repair_pairs(id),
    context BLOB, details TEXT NOT NULL DEFAULT '{}',
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    UNIQUE (pattern_id, task_id), UNIQUE (pattern_id, pair_id),
    CHECK ((task_id IS NULL) <> (pair_id IS NULL))
) STRICT;
CREATE TABLE memories (
    name TEXT PRIMARY KEY, dimensions INTEGER NOT NULL CHECK (dimensions > 0),
    seed INTEGER NOT NULL, created_at REAL NOT NULL
) STRICT;
CREATE TABLE fact_labels (
    memory TEXT NOT NULL REFERENCES memories(name), value_index INTEGER NOT NULL,
    label TEXT NOT NULL,
    PRIMARY KEY (memory, value_index), UNIQUE (memory, label)
) STRICT, WITHOUT ROWID;
CREATE TABLE facts (
    id INTEGER PRIMARY KEY, memory TEXT NOT NULL, value_index INTEGER NOT NULL,
    key BLOB NOT NULL, key_hash TEXT NOT NULL,
    task_id TEXT REFERENCES swe_tasks(id), problem_id TEXT REFERENCES problems(id),
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    UNIQUE (memory, key_hash, value_index), CHECK ((task_id IS NULL) <> (problem_id IS NULL)),
    FOREIGN KEY (memory, value_index) REFERENCES fact_labels(memory, value_index)
) STRICT;
CREATE TABLE memory_versions (
    memory TEXT NOT NULL REFERENCES memories(name), version INTEGER NOT NULL,
    checkpoint TEXT NOT NULL, sha256 TEXT NOT NULL, last_fact INTEGER NOT NULL,
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    PRIMARY KEY (memory, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE constraints (
    id INTEGER PRIMARY KEY, context TEXT NOT NULL, operation TEXT NOT NULL,
    file_role TEXT NOT NULL, operator TEXT NOT NULL,
    partial_score REAL NOT NULL CHECK (partial_score BETWEEN 0 AND 1),
    task_id TEXT REFERENCES swe_tasks(id), problem_id TEXT REFERENCES problems(id),
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    CHECK ((task_id IS NULL) <> (problem_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX constraints_key ON constraints(
    coalesce(task_id, ''), coalesce(problem_id, ''), coalesce(stage_run_id, 0), context, operation,
    file_role, operator);
CREATE TABLE observations (
    id INTEGER PRIMARY KEY, context TEXT NOT NULL, pattern TEXT NOT NULL,
    success INTEGER NOT NULL CHECK (success IN (0, 1)),
    task_id TEXT REFERENCES swe_tasks(id), problem_id TEXT REFERENCES problems(id),
    stage_run_id INTEGER REFERENCES stage_runs(id), created_at REAL NOT NULL,
    CHECK ((task_id IS NULL) <> (problem_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX observations_key ON observations(
    coalesce(task_id, ''), coalesce(problem_id, ''), coalesce(stage_run_id, 0), context, pattern);
CREATE TABLE repairs (
    id INTEGER PRIMARY KEY, task_id TEXT NOT NULL REFERENCES swe_tasks(id), mode TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (
        outcome IN ('resolved', 'plausible', 'overfitted', 'unjudged', 'unrepaired', 'failed')),
    candidates INTEGER NOT NULL CHECK (candidates >= 0), patch TEXT NOT NULL,
    evidence TEXT NOT NULL, confidence REAL, seconds REAL NOT NULL,
    model_id TEXT REFERENCES models(id), stage_run_id INTEGER REFERENCES stage_runs(id),
    created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX repairs_key ON repairs(
    task_id, mode, coalesce(model_id, ''), coalesce(stage_run_id, 0));
CREATE TABLE training_tasks (
    model_id TEXT NOT NULL REFERENCES models(id), task_id TEXT NOT NULL REFERENCES swe_tasks(id),
    PRIMARY KEY (model_id, task_id)
) STRICT, WITHOUT ROWID;
"""

LEARNED_FROM_PROBLEMS = ("facts", "constraints", "observations")
LEARNED = ("pattern_evidence", *LEARNED_FROM_PROBLEMS)

# What is remembered is of train tasks and train problems only; no row can say otherwise, and the
# split of a task is never changed or removed, so that none can come to say otherwise.
GUARDS = (
    """
CREATE TRIGGER guard_swe_tasks_insert BEFORE INSERT ON swe_tasks
WHEN EXISTS (SELECT 1 FROM swe_tasks WHERE id = NEW.id AND split IS NOT NEW.split)
BEGIN SELECT RAISE(ABORT, 'split guard: the split of a task is never changed'); END;
CREATE TRIGGER guard_swe_tasks_update BEFORE UPDATE OF id, split ON swe_tasks
WHEN NEW.split IS NOT OLD.split OR NEW.id IS NOT OLD.id
BEGIN SELECT RAISE(ABORT, 'split guard: the split of a task is never changed'); END;
CREATE TRIGGER guard_swe_tasks_delete BEFORE DELETE ON swe_tasks
BEGIN SELECT RAISE(ABORT, 'split guard: a task is never removed'); END;
CREATE TRIGGER guard_repair_pairs BEFORE INSERT ON repair_pairs
WHEN (SELECT split FROM splits WHERE problem_id = NEW.problem_id) IS NOT 'train'
    OR (SELECT problem_id FROM samples WHERE id = NEW.broken_sample) IS NOT NEW.problem_id
    OR (SELECT problem_id FROM samples WHERE id = NEW.fixed_sample) IS NOT NEW.problem_id
BEGIN SELECT RAISE(ABORT, 'split guard: the pair is not of a train problem'); END;
CREATE TRIGGER guard_repair_pairs_update BEFORE UPDATE ON repair_pairs
BEGIN SELECT RAISE(ABORT, 'split guard: repair pairs are never changed'); END;
CREATE TRIGGER guard_training_tasks BEFORE INSERT ON training_tasks
WHEN (SELECT split FROM swe_tasks WHERE id = NEW.task_id) IS NOT 'train'
BEGIN SELECT RAISE(ABORT, 'split guard: the task is not a train task'); END;
CREATE TRIGGER guard_training_tasks_update BEFORE UPDATE ON training_tasks
BEGIN SELECT RAISE(ABORT, 'split guard: training tasks are never changed'); END;
"""
    + "".join(
        f"""
CREATE TRIGGER guard_{table} BEFORE INSERT ON {table}
WHEN NEW.task_id IS NOT NULL
    AND (SELECT split FROM swe_tasks WHERE id = NEW.task_id) IS NOT 'train'
BEGIN SELECT RAISE(ABORT, 'split guard: the task is not a train task'); END;
CREATE TRIGGER guard_{table}_update BEFORE UPDATE ON {table}
BEGIN SELECT RAISE(ABORT, 'split guard: what was learned is never changed'); END;"""
        for table in LEARNED
    )
    + "".join(
        f"""
CREATE TRIGGER guard_{table}_problem BEFORE INSERT ON {table}
WHEN NEW.problem_id IS NOT NULL
    AND (SELECT split FROM splits WHERE problem_id = NEW.problem_id) IS NOT 'train'
BEGIN SELECT RAISE(ABORT, 'split guard: the problem is not a train problem'); END;"""
        for table in LEARNED_FROM_PROBLEMS
    )
)
