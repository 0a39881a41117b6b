"""Which number type a product runs in under autocast, and which one sums keep."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def product_dtype(tensor: Tensor) -> torch.dtype:
    """Return autocast's type where it is on for the tensor's device, else the tensor's own."""
    device = tensor.device.type
    if torch.is_autocast_enabled(device) and tensor.dtype == torch.float32:
        return torch.get_autocast_dtype(device)
    return tensor.dtype


def full(tensor: Tensor) -> Tensor:
    """Widen half precision to float32; float32 and float64 stay.

    Sums of many small parts lose them in bf16: 64 increments onto 2.0 gave 2.99 for 2.64.
    """
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


@contextmanager
def full_precision(tensor: Tensor) -> Iterator[None]:
    """Turn autocast off for the tensor's device."""
    with torch.autocast(tensor.device.type, enabled=False):
        yield
