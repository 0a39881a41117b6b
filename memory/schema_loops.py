"""The tables of the fractal loop: how each task went, and what a repair pair changed."""

# A loop is recorded in every split; only what is learned from it is guarded.
TABLES = """
CREATE TABLE repair_loops (
    id INTEGER PRIMARY KEY, domain TEXT NOT NULL, mode TEXT NOT NULL CHECK (
        mode IN ('training', 'evaluation', 'resampling')),
    task TEXT NOT NULL, problem_id TEXT REFERENCES problems(id),
    outcome TEXT NOT NULL CHECK (outcome IN ('first', 'repaired', 'unsolved')),
    right INTEGER CHECK (right IN (0, 1)), tokens INTEGER NOT NULL CHECK (tokens >= 0),
    seconds REAL NOT NULL, program TEXT NOT NULL, trace TEXT NOT NULL,
    generator_id TEXT, model_id TEXT REFERENCES models(id),
    stage_run_id INTEGER NOT NULL REFERENCES stage_runs(id), created_at REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX repair_loops_key ON repair_loops(stage_run_id, domain, mode, task);
CREATE TABLE pair_changes (
    pair_id INTEGER PRIMARY KEY REFERENCES repair_pairs(id),
    first_line INTEGER NOT NULL, last_line INTEGER NOT NULL, change TEXT NOT NULL
) STRICT;
"""
