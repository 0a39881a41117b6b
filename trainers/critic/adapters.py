"""Adapters on disk: a folder an epoch, whole or not there, of safetensors and JSON only."""

import copy
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from memory.files import write_atomically
from trainers.critic.reader import Pooling
from trainers.errors import CheckpointError

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"  # peft's own names
HEAD, RECORD, OPTIMISER = "head.safetensors", "epoch.json", "optimiser.safetensors"


@dataclass(frozen=True)
class EpochRecord:
    """Facts of an epoch: its number from 1, and the mean loss of the problems seen in it."""

    epoch: int
    loss: float
    problems: int
    pooling: Pooling


def epoch_folder(home: Path, epoch: int) -> Path:
    """Where an epoch's adapters are under the folder of their run."""
    return home / f"epoch-{epoch}"


def save_epoch(
    folder: Path,
    record: EpochRecord,
    adapted: Any,
    head: Mapping[str, Tensor],
    optimiser: Mapping[str, Tensor] | None,
) -> None:
    """Write an epoch under another name and rename it when it is whole.

    Args:
        folder: is to be; must not exist.
        record: facts of the epoch.
        adapted: the peft model.
        head: the head's tensors.
        optimiser: what going on from here takes; None after the last epoch.

    Raises:
        StoreError: the disk is full or not writable.
    """
    from peft import get_peft_model_state_dict

    temporary = folder.with_name(f".{folder.name}.writing")
    shutil.rmtree(temporary, ignore_errors=True)
    write_atomically(temporary / ADAPTER, _packed(get_peft_model_state_dict(adapted)))
    write_atomically(temporary / ADAPTER_CONFIG, _config_json(adapted))
    write_atomically(temporary / HEAD, _packed(head))
    write_atomically(temporary / RECORD, json.dumps(asdict(record)).encode())
    if optimiser is not None:
        write_atomically(temporary / OPTIMISER, _packed(optimiser))
    temporary.rename(folder)


def read_record(folder: Path) -> EpochRecord:
    """The facts of a saved epoch.

    Raises:
        CheckpointError: they are missing or broken.
    """
    try:
        return EpochRecord(**json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{folder} holds no whole epoch of a fine-tuned critic ({error}); remove the folder "
            "and run the stage again"
        ) from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file of an epoch.

    Raises:
        CheckpointError: it is missing or broken.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} cannot be read ({error}); remove its folder and run the stage again"
        ) from error


def content_hash(folder: Path) -> str:
    """The SHA-256, in hexadecimal, over all that an epoch's scores depend on.

    Raises:
        CheckpointError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in (ADAPTER, ADAPTER_CONFIG, HEAD, RECORD):
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise CheckpointError(
                f"{folder} is not a whole epoch of a fine-tuned critic ({error}); remove it and "
                "run the stage again"
            ) from error
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _packed(tensors: Mapping[str, Tensor]) -> bytes:
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    content: bytes = save(own)
    return content


def _config_json(adapted: Any) -> bytes:
    """Peft's configuration, the same bytes wherever and whenever the same run is saved."""
    config = copy.copy(adapted.active_peft_config)
    config.base_model_name_or_path = Path(config.base_model_name_or_path or "").name
    config.inference_mode = True
    values = {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in config.to_dict().items()
    }
    return json.dumps(values, sort_keys=True, default=str).encode()
