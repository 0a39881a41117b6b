"""The table of what stage runs used of the machine."""

# What could not be measured is NULL: a run without a card has no card's figures.
TABLES = """
CREATE TABLE resource_use (
    stage_run_id INTEGER PRIMARY KEY REFERENCES stage_runs(id),
    wall_s REAL NOT NULL CHECK (wall_s >= 0), cpu_s REAL NOT NULL CHECK (cpu_s >= 0),
    peak_memory_mb REAL, card TEXT, card_busy_s REAL, card_peak_memory_mb REAL, card_energy_j REAL,
    created_at REAL NOT NULL
) STRICT;
"""
