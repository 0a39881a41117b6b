"""What the machine is fast at: asked where a number format or a batch size depends on it."""

from pathlib import Path

import torch

_CPU_FACTS = Path("/proc/cpuinfo")
_BF16_FLAGS = ("avx512_bf16", "amx_bf16", " bf16")


def fast_bf16() -> bool:
    """Whether matrix products in bfloat16 are done by hardware: on a card, or on a CPU's units."""
    if torch.cuda.is_available():
        return True
    if not _CPU_FACTS.is_file():
        return False
    flags = _CPU_FACTS.read_text("utf-8", "replace")
    return any(flag in flags for flag in _BF16_FLAGS)
