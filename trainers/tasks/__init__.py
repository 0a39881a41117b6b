"""Where problems come from and how they are split."""

from trainers.tasks.loading import FURTHER_SETS, TRAIN_SETS, Loaded, load_problems

__all__ = ["FURTHER_SETS", "TRAIN_SETS", "Loaded", "load_problems"]
