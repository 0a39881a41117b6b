"""How much faster is the CTM's core than the papers' way to write it? Both sides in one run.

Run: python scripts/bench_ctm.py [core long memory backbone] [--repeat 5] [--threads 1]

Sides alternate and the least CPU time of each counts, so that a busy machine slows both; only
ratios are results. Forward, loss and backward are timed. The reference is
``trainers.ctm.reference``, which tests hold to the same values and gradients. One JSON document
goes to standard output, progress to standard error.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from trainers.ctm.batch import Batch
from trainers.ctm.config import CTMConfig, preset
from trainers.ctm.losses import two_ticks
from trainers.ctm.model import ContinuousThoughtMachine
from trainers.ctm.modules.backbone import LocalConvolution, neighbours
from trainers.ctm.reference import (
    DenseConvolution,
    ReferenceCTM,
    ReferenceThoughts,
    dense_grid,
    packed_cells,
)

_CHECKPOINT = 8
_NATURAL = 104  # cells of a sample: 3.3 % of 64 x 48


def main() -> None:
    """Measure what is asked for, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parts: dict[str, Callable[[int], dict[str, Any]]] = {
        "core": core,
        "long": long_run,
        "memory": memory,
        "backbone": backbone,
    }
    parser.add_argument("parts", nargs="*", default=list(parts), help=", ".join(parts))
    parser.add_argument("--repeat", type=int, default=5, help="of each side")
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    print(json.dumps({name: parts[name](asked.repeat) for name in asked.parts}, indent=2))


def core(repeat: int) -> dict[str, Any]:
    """32 ticks, batch 16, 256 cells, 2,048 pieces."""
    return _compared(_Sides(_config(32, 2048), samples=16, cells=256), repeat)


def long_run(repeat: int) -> dict[str, Any]:
    """64 ticks, batch 8, 256 cells, 32,768 pieces."""
    return _compared(_Sides(_config(64, 32768), samples=8, cells=256), repeat)


def memory(_repeat: int) -> dict[str, Any]:
    """Bytes that forward leaves for backward at the sizes of ``core``, weights and inputs apart."""
    sides = _Sides(_config(32, 2048), samples=16, cells=256)
    segments = _Sides(_config(32, 2048, _CHECKPOINT), samples=16, cells=256)
    found = {
        "reference": _saved(sides, sides.reference_loss),
        "fast": _saved(sides, sides.fast_loss),
        "fast, bf16": _saved(sides, sides.fast_loss, bf16=True),
        f"fast, checkpoint every {_CHECKPOINT}": _saved(segments, segments.fast_loss),
    }
    whole = found["reference"]
    return {
        "saved_mb": {name: round(size / 1e6, 1) for name, size in found.items()},
        "reference_over": {name: round(whole / size, 1) for name, size in found.items()},
    }


def backbone(repeat: int) -> dict[str, Any]:
    """Two 3 x 3 layers of 384 over 64 x 48, batch 8, as full as functions fill it."""
    config = preset("spec", backbone_width=384)
    batch = _batch(config, samples=8, cells=_NATURAL)
    layers = [LocalConvolution(config.d_model, 384) for _ in range(2)]
    dense = [DenseConvolution(layer) for layer in layers]
    features = torch.randn(batch.size, batch.cells, config.d_model)

    def packed_pass() -> Tensor:
        around = neighbours(batch, config)
        cells = features.flatten(0, 1).requires_grad_()
        for layer in layers:
            cells = layer(cells, around)
        return cells.square().mean()

    def dense_pass() -> Tensor:
        cells = features.clone().requires_grad_()
        grid, filled = dense_grid(cells, batch, config.grid_height, config.grid_width)
        for layer in dense:
            grid = layer(grid, filled)
        return packed_cells(grid, batch).square().mean()

    found = {}
    for name, bf16 in (("fp32", False), ("bf16", True)):
        times = _least(
            {"dense": _timed(dense_pass, bf16), "packed": _timed(packed_pass, bf16)}, repeat
        )
        found[name] = {**times, "ratio": round(times["dense"] / times["packed"], 1)}
    return found


class _Sides:
    """A fast model, a reference with its weights, and one batch for both."""

    def __init__(self, config: CTMConfig, samples: int, cells: int) -> None:
        self.config = config
        self.batch = _batch(config, samples, cells)
        self.fast = ContinuousThoughtMachine(config)
        self.reference = ReferenceCTM(self.fast)
        self.features = torch.randn(samples, cells, config.d_model, requires_grad=True)

    def fast_loss(self) -> Tensor:
        thoughts = self.fast.reason(self.features, self.batch)
        loss: Tensor = self.fast.loss_of(thoughts, self.batch).total
        return loss

    def reference_loss(self) -> Tensor:
        found: ReferenceThoughts = self.reference(self.features, self.batch)
        ticks = two_ticks(found.location_loss, found.certainty.t())
        return (found.location_loss + found.edit_loss).gather(0, ticks).mean()


def _config(ticks: int, pieces: int, checkpoint_every: int = 0) -> CTMConfig:
    """The specification's core without the workspace, which the papers do not have."""
    return preset(
        "spec",
        iterations=ticks,
        vocab_size=pieces,
        workspace=False,
        tick_weights="ctm",
        checkpoint_every=checkpoint_every,
    )


def _compared(sides: _Sides, repeat: int) -> dict[str, Any]:
    times = _least(
        {
            "reference": _timed(sides.reference_loss, False),
            "reference, bf16": _timed(sides.reference_loss, True),
            "fast": _timed(sides.fast_loss, False),
            "fast, bf16": _timed(sides.fast_loss, True),
        },
        repeat,
    )
    return {
        "ms": times,
        "fp32_ratio": round(times["reference"] / times["fast"], 2),
        "bf16_over_fp32_reference": round(times["reference"] / times["fast, bf16"], 2),
        "bf16_ratio": round(times["reference, bf16"] / times["fast, bf16"], 2),
        "gap_of_losses": _gap(sides),
    }


def _gap(sides: _Sides) -> float:
    with torch.no_grad():
        return float((sides.fast_loss() - sides.reference_loss()).abs())


def _timed(compute: Callable[[], Tensor], bf16: bool) -> Callable[[], float]:
    def once() -> float:
        begun = time.process_time()
        with _products(bf16):
            loss = compute()
        loss.backward()  # type: ignore[no-untyped-call]
        return time.process_time() - begun

    return once


def _least(sides: dict[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """Milliseconds of CPU time, the least of ``repeat`` alternating runs after a warm-up."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeat + 1):
        for name, once in sides.items():
            seconds = once()
            if turn:
                found[name].append(seconds)
        latest = {name: round(min(times) * 1e3) for name, times in found.items() if times}
        print(f"{turn}/{repeat} {latest}", file=sys.stderr, flush=True)
    return {name: round(min(times) * 1e3, 1) for name, times in found.items()}


def _products(bf16: bool) -> AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()


def _saved(sides: _Sides, compute: Callable[[], Tensor], *, bf16: bool = False) -> int:
    """Count bytes of storages that are alive for backward, each once.

    Tensors that autograd saves are seen by hooks; what Python holds for a recomputation (a
    segment's first state) is found among the objects that did not exist before.
    """
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    before = _storages(_python_tensors())
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), _products(bf16):
        loss = compute()
    after = _storages([*kept, *_python_tensors()])
    loss.backward()  # type: ignore[no-untyped-call]
    given = _storages([*_weights(sides.fast), *_weights(sides.reference), sides.features])
    return sum(size for place, size in after.items() if place not in before and place not in given)


def _python_tensors() -> list[Tensor]:
    gc.collect()
    return [found for found in gc.get_objects() if type(found) in (Tensor, nn.Parameter)]


def _weights(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _storages(tensors: list[Tensor]) -> dict[int, int]:
    """Address to bytes."""
    found = (tensor.untyped_storage() for tensor in tensors)
    return {storage.data_ptr(): storage.nbytes() for storage in found}


def _batch(config: CTMConfig, samples: int, cells: int) -> Batch:
    """Full grids of cells, one known replacement a sample."""
    draw = torch.Generator().manual_seed(1)
    at = torch.arange(cells).expand(samples, -1)
    full = torch.ones(samples, cells, dtype=torch.bool)
    width = 8  # cells of a row: functions have many short lines
    return Batch(
        tokens=torch.randint(1, config.vocab_size, (samples, cells), generator=draw),
        row=at // width,
        col=at % width,
        lexeme=full,
        valid=full,
        edit_cell=torch.randint(cells, (samples, 1), generator=draw),
        edit_op=torch.zeros(samples, 1, dtype=torch.int64),
        edit_token=torch.randint(1, config.vocab_size, (samples, 1), generator=draw),
        edit_pointer=torch.zeros(samples, 1, cells, dtype=torch.bool),
        edit_valid=torch.ones(samples, 1, dtype=torch.bool),
        weight=torch.ones(samples),
        notice=torch.zeros(samples, cells, dtype=torch.int64),
    )


if __name__ == "__main__":
    main()
