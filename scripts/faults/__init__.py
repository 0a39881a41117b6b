"""Faults on purpose: what ``make chaos`` does to a daemon, and how it counts what was lost."""
