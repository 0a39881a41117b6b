"""Errors of the trainers by boundary; each message says what is wrong and what to do."""


class TrainerError(Exception):
    """Something that a stage needs is missing or broken; the stage cannot go on."""


class TaskError(TrainerError):
    """A problem source is absent, broken or unknown."""


class CTMDataError(TrainerError):
    """Data of the CTM trainer is missing, broken, or made with another vocabulary."""


class GeneratorError(TrainerError):
    """A generator could not start, died, or answered garbage."""


class WeightsError(TrainerError):
    """A model's weights are missing, cut, or not what their hash says."""


class ClusterError(TrainerError):
    """The cluster cannot be reached, or no node of it can do the work."""


class CheckpointError(TrainerError):
    """A checkpoint is missing or is not what its hash says."""


class BenchmarkError(TrainerError):
    """There is nothing to measure: no trained model fits what was asked for."""


class PatchError(TrainerError):
    """A patch does not fit the text, or cannot be written as a diff."""


class ModelError(TrainerError):
    """A model's settings contradict each other, or a batch does not fit the model."""
