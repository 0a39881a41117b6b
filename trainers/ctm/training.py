"""Trains a model stage by stage: resumable at any step, to the same weights as an unbroken run.

A step reads ``accumulate`` batches; a model that supervises itself several times on a batch (TRM)
has an update for each, in lockstep over the batches. What is random comes from one generator whose
state is part of the checkpoint, the data from the reader's position.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from trainers.ctm import checkpoint
from trainers.ctm.batch import Batch
from trainers.ctm.checkpoint import TrainState
from trainers.ctm.config import CTMConfig
from trainers.ctm.curriculum import CurriculumStage, stage_filter
from trainers.ctm.data.collate import collate
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.reader import BatchReader, Position
from trainers.ctm.data.sample import RepairSample
from trainers.ctm.losses import RepairLoss
from trainers.ctm.models import Kind, build
from trainers.ctm.optimiser import CLIP, make_optimiser, set_rate
from trainers.ctm.recipe import Budget, Recipe
from trainers.ctm.repair_model import RepairModel
from trainers.ctm.trm import exponential_average
from trainers.errors import CheckpointError, TrainerError


class CTMTrainer:
    """A run: a model, its optimiser, and where it is in curriculum and data.

    Args:
        kind: which model; ``ctm`` or a control.
        config: its shape; the stage sets the ticks.
        data: what it learns from.
        recipe: how.
        folder: of its checkpoints; a run that is there goes on. None: nothing is kept.
        seed: of weights, order and drawn ticks.
        extra: further training samples, such as the store's repair pairs.
        device: where it computes.

    Raises:
        CheckpointError: the folder holds a run of another model, vocabulary or seed.
    """

    def __init__(
        self,
        kind: Kind,
        config: CTMConfig,
        data: Dataset,
        recipe: Recipe,
        *,
        folder: Path | None = None,
        seed: int = 0,
        extra: Sequence[RepairSample] = (),
        device: str = "cpu",
    ) -> None:
        self.kind, self.data, self.recipe = kind, data, recipe
        self._folder, self._seed, self._extra, self._device = folder, seed, extra, device
        self._config = config
        self.state = TrainState()
        self._generator = torch.Generator().manual_seed(seed)
        found = checkpoint.checkpoints(folder) if folder else []
        if found:
            self.state, facts = checkpoint.read_state(found[-1])
            self._check(found[-1], facts)
        self.model = self._fresh()
        self._optimiser = make_optimiser(self.model, recipe.weight_decay)
        self._average = exponential_average(self.model, recipe.average) if recipe.average else None
        if found:
            checkpoint.restore(
                found[-1], self.model, self._optimiser, self._generator, self._average
            )
        self._reader = self._open()
        self._saved = time.monotonic()

    @property
    def averaged(self) -> RepairModel:
        """The model to use: the average of the weights where one is kept."""
        return self.model if self._average is None else cast(RepairModel, self._average.module)

    @property
    def stage(self) -> CurriculumStage:
        """The one it is in."""
        return self.recipe.stages[self.state.stage]

    @property
    def in_last_stage(self) -> bool:
        """Whether no further stage of this pass follows."""
        return self.state.stage + 1 == len(self.recipe.stages)

    @property
    def finished(self) -> bool:
        """Whether the last stage was gone through at least once."""
        return self.state.passes > 0

    def train(
        self,
        budget: Budget,
        *,
        between: Callable[[int], None] = lambda samples: None,
    ) -> list[float]:
        """Go on until the budget is spent or the stage's samples are; then keep a checkpoint.

        Args:
            budget: of this call.
            between: is told after each step how many samples it had; may raise to stop, which
                keeps a checkpoint too.

        Returns:
            The mean loss of each step.

        Raises:
            TrainerError: the loss is no number any more; the last good checkpoint is kept.
        """
        started, first, begun = time.monotonic(), self.state.samples, self.state.total
        losses: list[float] = []
        before = self.state.seconds
        try:
            while not self.stage_done and not budget.spent(
                time.monotonic() - started,
                self.state.samples - first,
                self.state.total - begun,
            ):
                seen = self.state.samples
                losses.append(self._step())
                self.state.seconds = before + time.monotonic() - started
                if time.monotonic() - self._saved > self.recipe.save_every_s:
                    self.save()
                between(self.state.samples - seen)
        except TrainerError:
            raise
        except BaseException:
            if self._whole:
                self.save()
            raise
        self.save()
        return losses

    @property
    def stage_done(self) -> bool:
        """Whether the stage's samples are spent."""
        return self.state.step >= self.stage.steps(self.recipe.samples_per_step)

    def next_stage(self) -> None:
        """Go to the next stage; after the last one it is gone through again, on other orders."""
        state = self.state
        if state.stage + 1 < len(self.recipe.stages):
            state.stage, state.epoch = state.stage + 1, 0
        else:
            state.passes, state.epoch = state.passes + 1, state.epoch + 1
        state.step = state.batch = 0
        for model in (self.model, self.averaged):
            model.config = self._ticking(model.config)
        self._reader = self._open()

    def save(self) -> Path | None:
        """Keep a checkpoint now; returns where."""
        self._saved = time.monotonic()
        if self._folder is None:
            return None
        facts = self._facts()
        return checkpoint.save_checkpoint(
            self._folder,
            self.model,
            self._optimiser,
            self._generator,
            self.state,
            facts,
            self._average,
        )

    _whole = True  # False while a step is half done: its state must not be kept

    def _step(self) -> float:
        """One step over ``accumulate`` batches; returns the mean loss."""
        self._whole = False
        batches = [
            part.to(self._device)
            for batch in self._batches()
            for part in batch.parts(self.recipe.most_cells)
        ]
        state = self.state
        set_rate(self._optimiser, self.recipe.rate(state.stage, state.step, state.passes))
        self.model.train()
        with self.autocast():
            runs = [self.model.supervision(batch, self._generator) for batch in batches]
            totals = list(self._updates(runs, [batch.size for batch in batches]))
        position = self._reader.position
        self.state.epoch, self.state.batch = position.epoch, position.batch
        self.state.step += 1
        self.state.total += 1
        self.state.samples += sum(batch.size for batch in batches)
        self._whole = True
        return sum(totals) / len(totals)

    def _updates(self, runs: list[Iterator[RepairLoss]], sizes: list[int]) -> Iterator[float]:
        """An update for each supervision that any of the batches still has; gives mean losses."""
        shares = {run: size / sum(sizes) for run, size in zip(runs, sizes, strict=True)}
        while runs:
            self._optimiser.zero_grad(set_to_none=True)
            going, values = [], []
            for run in runs:
                loss = next(run, None)
                if loss is not None:
                    share = shares[run]
                    (loss.total * share).backward()  # type: ignore[no-untyped-call]
                    values.append((float(loss.total.detach()), share))
                    going.append(run)
            if values:
                norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), CLIP))
                mean = sum(v * s for v, s in values) / sum(s for _, s in values)
                if not all(map(math.isfinite, (mean, norm))):
                    raise self._diverged()
                self._optimiser.step()
                if self._average is not None:
                    self._average.update_parameters(self.model)
                yield mean
            runs = going

    def _diverged(self) -> TrainerError:
        kept = checkpoint.checkpoints(self._folder) if self._folder else []
        told = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
        return TrainerError(
            f"the {self.kind}'s loss or gradient is no number at step {self.state.total} (stage "
            f"{self.state.stage + 1}); {told}: lower ctm.learning_rate_scale and run the round "
            "again, which goes on from there"
        )

    def _batches(self) -> list[Batch]:
        """Those of the next step."""
        recipe, step = self.recipe, self.state.total
        if len(self._extra) and recipe.extra_every and step % recipe.extra_every == 1:
            rng = np.random.default_rng([self._seed, step, 2])
            drawn = rng.integers(len(self._extra), size=(recipe.accumulate, recipe.batch_size))
            return [
                collate(
                    [self._extra[i] for i in row.tolist()],
                    rng,
                    height=self.data.height,
                    width=self.data.width,
                    tokenizer=self.data.tokenizer,
                )
                for row in drawn
            ]
        batches = iter(self._reader)
        return [next(batches) for _ in range(recipe.accumulate)]

    def autocast(self) -> AbstractContextManager[Any]:
        """Products in bf16 where the recipe says so."""
        if not self.recipe.bf16:
            return nullcontext()
        return torch.autocast(torch.device(self._device).type, torch.bfloat16)

    def _fresh(self) -> RepairModel:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            model = build(self.kind, self._config)
        model.config = self._ticking(model.config)
        return model.to(self._device)

    def _ticking(self, config: CTMConfig) -> CTMConfig:
        return config.model_copy(update={"iterations": self.stage.iterations})

    def _open(self) -> BatchReader:
        stage = self.recipe.stages[self.state.stage]
        return BatchReader(
            self.data.split("train"),
            stage_filter(self.recipe.stages, self.state.stage),
            self.recipe.batch_size,
            self._seed + self.state.stage,
            samples=stage.samples,
            position=Position(self.state.epoch, self.state.batch),
            height=self.data.height,
            width=self.data.width,
            tokenizer=self.data.tokenizer,
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "config": self._config.model_dump(mode="json"),
            "vocabulary": self.data.tokenizer.version,
            "seed": self._seed,
        }

    def _check(self, found: Path, facts: dict[str, Any]) -> None:
        asked = self._facts()
        differ = sorted(key for key in asked if asked[key] != facts.get(key))
        if differ:
            raise CheckpointError(
                f"{found} is of a run with another {', '.join(differ)}; remove {found.parent} to "
                "train anew, or set ctm back to what it was"
            )
