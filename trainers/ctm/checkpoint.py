"""Checkpoints of a training run: weights, optimiser, counters and random state, whole or not there.

A checkpoint is a folder; it is written beside its place and moved there in one step. The two newest
are kept, so that one is left whatever happens while the next is written.
"""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.ctm.data.manifest import write_whole
from trainers.errors import CheckpointError

WEIGHTS, MOMENTS, STATE = "model.safetensors", "optimiser.safetensors", "state.json"
AVERAGE = "average.safetensors"
_KEPT = 2
_NAME = re.compile(r"step-\d{9}")
_RANDOM = "random"


@dataclass
class TrainState:
    """Where a run is.

    Attributes:
        stage: of the curriculum, from 0.
        step: finished steps of the stage.
        total: finished steps of the run.
        samples: seen in the run.
        epoch: of the stage's reader; with ``batch`` its position.
        batch: the batch that comes next.
        passes: how often the last stage was gone through.
        seconds: spent in training.
    """

    stage: int = 0
    step: int = 0
    total: int = 0
    samples: int = 0
    epoch: int = 0
    batch: int = 0
    passes: int = 0
    seconds: float = 0.0


def save_checkpoint(
    folder: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    state: TrainState,
    facts: dict[str, Any],
    average: nn.Module | None = None,
) -> Path:
    """Write a checkpoint below ``folder`` and remove all but the two newest.

    Args:
        folder: of the run.
        model: its weights are stored.
        optimiser: its moments are stored.
        generator: on the CPU; its state is stored.
        state: the counters.
        facts: what a run that goes on must agree with: configuration, vocabulary, seed.
        average: of the weights, where the run keeps one.

    Returns:
        The checkpoint's folder.
    """
    final = folder / f"step-{state.total:09d}"
    if final.exists():
        return final
    part = folder / f"{final.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    save_file(_plain(model.state_dict()), part / WEIGHTS)
    moments = {
        f"{number}.{name}": value
        for number, entries in optimiser.state_dict()["state"].items()
        for name, value in entries.items()
    }
    save_file(_plain({**moments, _RANDOM: generator.get_state()}), part / MOMENTS)
    if average is not None:
        save_file(_plain(average.state_dict()), part / AVERAGE)
    write_whole(part / STATE, json.dumps({"state": asdict(state), "facts": facts}, indent=1))
    part.replace(final)
    for old in checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(old)
    return final


def checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints of a run, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def read_state(checkpoint: Path) -> tuple[TrainState, dict[str, Any]]:
    """The counters and the facts of a checkpoint.

    Raises:
        CheckpointError: it is broken.
    """
    try:
        document = json.loads((checkpoint / STATE).read_text("utf-8"))
        return TrainState(**document["state"]), document["facts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _broken(checkpoint, error) from error


def restore(
    checkpoint: Path,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    average: nn.Module | None = None,
) -> None:
    """Put a checkpoint's weights, moments, random state and average into what a run has.

    Raises:
        CheckpointError: it is broken, or of another model.
    """
    try:
        model.load_state_dict(load_file(checkpoint / WEIGHTS))
        if average is not None:
            average.load_state_dict(load_file(checkpoint / AVERAGE))
        moments = load_file(checkpoint / MOMENTS)
        generator.set_state(moments.pop(_RANDOM))
        document = optimiser.state_dict()
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in moments.items():
            number, _, name = key.partition(".")
            entries.setdefault(int(number), {})[name] = value
        optimiser.load_state_dict({**document, "state": entries})
    except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise _broken(checkpoint, error) from error


def _plain(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in tensors.items()}


def _broken(checkpoint: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{checkpoint} cannot be read ({error}); remove it to go on from the one before, or remove "
        f"{checkpoint.parent} to train anew"
    )
