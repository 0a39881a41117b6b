"""The logits of fine-tuned critics as a feature source: a column for each epoch's adapters."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from torch import Tensor

from trainers.critic.adapters import HEAD, content_hash, read_record, read_tensors
from trainers.critic.backbone import default_device, free_memory, kind_of, load_config
from trainers.critic.reader import ProgramReader, ScalarHead, template_of
from trainers.errors import CheckpointError
from trainers.generators.base import Message


class TunedScores:
    """Scores programs with one model under several adapters; a ``FeatureSource``.

    Args:
        folder: of the model that was tuned.
        adapters: folders that ``tune`` returned, in the order of the columns.
        model_name: the model's identity, which becomes part of ``id``.
        programs_a_pass: at most so many in a decoder's packed row.
        dtype: of the model's weights; adapters, heads and logits are float32.

    Raises:
        WeightsError: ``folder`` is no model.
        CheckpointError: an adapter folder is missing or not whole.
    """

    def __init__(
        self,
        folder: Path,
        adapters: Sequence[Path],
        model_name: str,
        *,
        programs_a_pass: int,
        dtype: torch.dtype,
    ) -> None:
        if not adapters:
            raise ValueError("TunedScores wants at least one adapter folder")
        self._folder, self._adapters = folder, list(adapters)
        self._programs, self._dtype = programs_a_pass, dtype
        self._records = [read_record(one) for one in adapters]
        contents = "".join(content_hash(one) for one in adapters)
        tuned = hashlib.sha256(contents.encode()).hexdigest()[:16]
        template = template_of(kind_of(folder, load_config(folder)))
        self.id = f"{model_name}/{template}/tuned-{tuned}/{str(dtype).removeprefix('torch.')}"
        self.dim = len(self._adapters)
        self._reader: ProgramReader | None = None
        self._adapted: Any = None
        self._heads: list[ScalarHead] = []

    def __enter__(self) -> Self:
        device = default_device()
        reader = ProgramReader(self._folder, dtype=self._dtype, device=device)
        try:
            self._adapted = _with_adapters(reader.model, self._adapters, device)
            self._heads = [_head(folder, reader.hidden, device) for folder in self._adapters]
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise CheckpointError(
                f"the adapters under {self._adapters[0].parent} do not fit {self._folder} "
                f"({str(error).splitlines()[0]}); name the model that they were tuned on"
            ) from error
        self._reader = reader
        return self

    def __exit__(self, *exc: object) -> None:
        self._reader = self._adapted = None
        self._heads = []
        free_memory()

    @torch.inference_mode()
    def extract(self, prompt: Sequence[Message], codes: Sequence[str]) -> Tensor:
        """(len(codes), adapters) float32 logits."""
        if self._reader is None:
            raise RuntimeError("enter the source first: with TunedScores(...) as source")
        columns = []
        for number, (record, head) in enumerate(zip(self._records, self._heads, strict=True)):
            self._adapted.set_adapter(_name(number), inference_mode=True)
            vectors = self._reader.in_batches(prompt, codes, record.pooling, self._programs)
            columns.append(head(vectors).cpu())
        return torch.stack(columns, dim=1)

    def columns(self, pooling: str) -> list[int]:
        """Every column, whatever ``critic.pooling`` says: pooling was settled by tuning."""
        return list(range(self.dim))


def _with_adapters(model: Any, folders: Sequence[Path], device: str) -> Any:
    """Put every folder's adapters into the model, under their numbers."""
    from peft import PeftModel

    first, *more = folders
    adapted = PeftModel.from_pretrained(model, first, adapter_name=_name(0), torch_device=device)
    for number, folder in enumerate(more, 1):
        adapted.load_adapter(folder, adapter_name=_name(number), torch_device=device)
    return adapted.eval()


def _head(folder: Path, hidden: int, device: str) -> ScalarHead:
    head = ScalarHead(hidden, device)
    head.load_state_dict(read_tensors(folder / HEAD))
    return head


def _name(number: int) -> str:
    return f"adapter{number}"
