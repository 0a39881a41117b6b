"""Loads a transformers model with its tokenizer, and says whether it is a decoder or an encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch

from trainers.errors import WeightsError

Kind = Literal["decoder", "encoder"]


def load_config(name: str | Path) -> Any:
    """The configuration of a folder, or of a name on the Hub where that can be reached.

    Raises:
        WeightsError: there is no model there, or one of an unknown kind.
    """
    from transformers import AutoConfig

    with _as_weights_error(name):
        return AutoConfig.from_pretrained(name, local_files_only=_is_local(name))


def kind_of(name: str | Path, config: Any) -> Kind:
    """Tell a BERT-like encoder from a decoder by what the model was made for.

    Raises:
        WeightsError: it is neither.
    """
    from transformers.models.auto import modeling_auto as known

    kind = config.model_type
    if not getattr(config, "is_encoder_decoder", False):
        if kind in known.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
            return "encoder"
        if kind in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
            return "decoder"
    raise WeightsError(
        f"{name} is a {kind} model, which is neither a decoder nor a BERT-like encoder; name one "
        "such as a Qwen2 or BERT folder"
    )


def load_model(
    name: str | Path,
    dtype: torch.dtype,
    device: str,
    attention: str | None = None,
    layers: int = 0,
) -> tuple[Any, Any]:
    """The model without its output layer or pooler, in evaluation mode, and its tokenizer.

    ``attention`` of None takes what the model does best; packed rows want ``sdpa``, whose masks
    are of bool. ``layers`` above 0: at most so many are loaded, from the first.

    Raises:
        WeightsError: the weights or the tokenizer cannot be read.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it reports the unused output layer
    config = load_config(name)
    if layers and layers < config.num_hidden_layers:
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]
    with _as_weights_error(name):
        local = _is_local(name)
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=local)
        model = AutoModel.from_pretrained(
            name, config=config, dtype=dtype, local_files_only=local, attn_implementation=attention
        )
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # unused, and in many checkpoints without trained weights
    return model.eval().to(device), tokenizer


def default_device() -> str:
    """The graphics card where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def free_memory() -> None:
    """Give back what a dropped model held on the graphics card."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _is_local(name: str | Path) -> bool:
    return isinstance(name, Path) or Path(name).is_dir()


@contextmanager
def _as_weights_error(name: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"{name} is not a model that transformers can load ({why}); name a folder with "
            "config.json, safetensors and tokenizer, or a Hub name where the Hub answers"
        ) from error
