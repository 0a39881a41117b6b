"""Who may move a champion: the gate, a person, and the daemon that found a checkpoint damaged."""

# SQLite cannot loosen a CHECK, so the table is made anew, as for promotions by hand before.
TABLES = """
CREATE TABLE promotions_new (
    id INTEGER PRIMARY KEY, stage_run_id INTEGER REFERENCES stage_runs(id),
    kind TEXT NOT NULL, candidate TEXT NOT NULL REFERENCES models(id),
    champion TEXT REFERENCES models(id),
    decision TEXT NOT NULL CHECK (decision IN ('promoted', 'kept', 'rolled_back')),
    actor TEXT NOT NULL DEFAULT 'gate' CHECK (actor IN ('gate', 'hand', 'daemon')),
    effect REAL, low REAL, high REAL, p_value REAL, alpha REAL, looks INTEGER NOT NULL,
    n INTEGER NOT NULL, reason TEXT NOT NULL, alternative TEXT NOT NULL DEFAULT '{}',
    figures TEXT NOT NULL DEFAULT '{}', created_at REAL NOT NULL,
    UNIQUE (candidate, stage_run_id), CHECK (actor <> 'gate' OR stage_run_id IS NOT NULL)
) STRICT;
INSERT INTO promotions_new (id, stage_run_id, kind, candidate, champion, decision, actor, effect,
                            low, high, p_value, alpha, looks, n, reason, alternative, figures,
                            created_at)
SELECT id, stage_run_id, kind, candidate, champion, decision, actor, effect, low, high, p_value,
       alpha, looks, n, reason, alternative, figures, created_at
FROM promotions ORDER BY id;
DROP TABLE promotions;
ALTER TABLE promotions_new RENAME TO promotions;
"""
