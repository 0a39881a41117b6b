"""Features on disk, once per distinct (prompt, program), in shards that appear whole or not."""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from memory.files import write_atomically
from trainers.critic.features import FeatureSource, extract_each
from trainers.generators.base import Message
from trainers.stage import StageContext

SHARD_PROGRAMS = 256  # programs a shard, unless the stage ends or waits before
SHARD_S = 20.0  # so that a cut loses no more than this
_KEY_BYTES = 32

Texts = Callable[[Iterable[str]], Mapping[str, str]]


@dataclass(frozen=True)
class Work:
    """A prompt and the distinct programs behind it: their feature keys, their texts' hashes."""

    prompt: Sequence[Message]
    programs: Mapping[str, str]


def feature_key(prompt: Sequence[Message], code: str) -> str:
    """Give the content key of a program behind a prompt, 64 hexadecimal digits."""
    text = json.dumps([[message.role, message.content] for message in prompt] + [code])
    return hashlib.sha256(text.encode()).hexdigest()


class FeatureCache:
    """The vectors of one feature source under ``folder``; float16 on disk, float32 in memory."""

    def __init__(self, folder: Path, source_id: str, dim: int) -> None:
        self._folder = folder / hashlib.sha256(source_id.encode()).hexdigest()[:16]
        self._source_id, self._dim = source_id, dim
        self._places: dict[str, tuple[Path, int]] = {}
        self.broken: list[Path] = []  # shards that could not be read; their programs are redone
        for shard in sorted(self._folder.glob("*.safetensors")):
            self._index(shard)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def add(self, keys: Sequence[str], features: Tensor) -> None:
        """Commit vectors as one shard; when this returns they survive a power loss."""
        if not keys:
            return
        # float16 ends at 65504; what a hidden state has beyond says no more than its sign.
        limit = torch.finfo(torch.float16).max
        tensors = {
            "keys": torch.tensor([list(bytes.fromhex(key)) for key in keys], dtype=torch.uint8),
            "features": features.clamp(-limit, limit).half().contiguous(),
        }
        name = hashlib.sha256("".join(keys).encode()).hexdigest()[:24]
        shard = self._folder / f"{name}.safetensors"
        write_atomically(shard, save(tensors, {"source": self._source_id}))
        self._index(shard)

    def load(self, keys: Sequence[str], columns: Sequence[int]) -> Tensor:
        """(len(keys), len(columns)) float32 of vectors that are all there.

        Raises:
            KeyError: one is not.
        """
        out = torch.empty(len(keys), len(columns))
        by_shard: dict[Path, list[tuple[int, int]]] = {}
        for i, key in enumerate(keys):
            shard, row = self._places[key]
            by_shard.setdefault(shard, []).append((i, row))
        for shard, places in by_shard.items():
            with safe_open(shard, framework="pt") as file:
                stored = file.get_tensor("features")  # (programs, dim)
            out[[i for i, _ in places]] = stored[[row for _, row in places]][:, columns].float()
        return out

    def _index(self, shard: Path) -> None:
        try:
            with safe_open(shard, framework="pt") as file:
                keys = file.get_tensor("keys")
                shape = file.get_slice("features").get_shape()
        except (SafetensorError, OSError):
            self.broken.append(shard)
            return
        if keys.shape != (shape[0], _KEY_BYTES) or shape[1] != self._dim:
            self.broken.append(shard)
            return
        for row, key in enumerate(keys.numpy()):
            self._places[key.tobytes().hex()] = (shard, row)


def fill(
    context: StageContext,
    cache: FeatureCache,
    source: FeatureSource,
    work: Sequence[Work],
    texts: Texts,
) -> int:
    """Make every program's features exist; the model is loaded only where one is missing.

    Args:
        context: progress, stop request.
        cache: where they are kept.
        source: who computes them.
        work: what is wanted.
        texts: reads the programs of one piece of work by their hashes, when it is their turn.

    Returns:
        How many were computed.

    Raises:
        Stopped: asked to stop; what was computed is committed.
    """
    _drop_broken(context, cache)
    total = sum(len(one.programs) for one in work)
    todo = [
        Work(one.prompt, {key: text for key, text in one.programs.items() if key not in cache})
        for one in work
    ]
    missing = sum(len(one.programs) for one in todo)
    context.progress.start("features", total, "programs", done=total - missing)
    if missing:
        with source:
            _compute(context, cache, source, [one for one in todo if one.programs], texts)
    return missing


def _compute(
    context: StageContext,
    cache: FeatureCache,
    source: FeatureSource,
    todo: Sequence[Work],
    texts: Texts,
) -> None:
    keys: list[str] = []
    vectors: list[Tensor] = []
    since = time.monotonic()

    def commit() -> None:
        nonlocal since
        if keys:
            cache.add(keys, torch.cat(vectors))
            context.progress.advance(len(keys))
        keys.clear()
        vectors.clear()
        since = time.monotonic()

    def units() -> Iterator[tuple[Sequence[Message], Sequence[str]]]:
        for one in todo:
            context.check_stop()
            found = texts(one.programs.values())
            yield one.prompt, [found[text] for text in one.programs.values()]

    try:
        for number, found in extract_each(source, units()):
            vectors.append(found)
            keys.extend(todo[number].programs)
            if len(keys) >= SHARD_PROGRAMS or time.monotonic() - since >= SHARD_S:
                commit()
    finally:
        commit()


def _drop_broken(context: StageContext, cache: FeatureCache) -> None:
    for shard in cache.broken:
        shard.unlink(missing_ok=True)
        context.store.event(
            "critic.features",
            f"{shard.name} was broken and is removed; its programs' features are computed again",
            level="warning",
            round_id=context.round_id,
            stage_run_id=context.stage_run_id,
        )
    cache.broken.clear()
