"""LoRA fine-tuning of a decoder or an encoder to tell passing from failing programs."""

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainers.config import LoraConfig
from trainers.critic.adapters import (
    ADAPTER,
    HEAD,
    OPTIMISER,
    EpochRecord,
    epoch_folder,
    read_tensors,
    save_epoch,
)
from trainers.critic.backbone import default_device, free_memory
from trainers.critic.reader import ProgramReader, ScalarHead
from trainers.critic.tuning_data import TuneProblem, balanced, usable
from trainers.critic.tuning_loss import LossWeights, problem_loss
from trainers.errors import TrainerError
from trainers.generators.weights import identity
from trainers.stage import Progress

MAX_GRADIENT = 1.0  # the norm that an update's gradient is cut to


def tune(
    folder: Path,
    data: Sequence[TuneProblem],
    out: Path,
    config: LoraConfig,
    weights: LossWeights,
    *,
    dtype: torch.dtype,
    device: str = "",
    seed: int,
    check_stop: Callable[[], None] = lambda: None,
    progress: Progress | None = None,
) -> list[Path]:
    """Fine-tune adapters (Hu et al. 2021) and a scalar head; the model itself is frozen.

    A run is a folder under ``out`` that is named by all that shapes it; what it has finished is
    not done again, and a run that was cut goes on behind its last whole epoch as if uncut.

    Args:
        folder: a Hugging Face model folder.
        data: train problems; those that can teach nothing are left out.
        out: where runs are kept.
        config: how to tune.
        weights: of the parts of the loss.
        dtype: of the frozen weights; adapters and head are float32.
        device: empty for the graphics card where there is one.
        seed: of initial weights, dropout, and the order and choice of programs.
        check_stop: called before every update, may raise ``Stopped``.
        progress: counts problems.

    Returns:
        A folder for each epoch, for ``TunedScores``.

    Raises:
        WeightsError: ``folder`` is no model.
        CheckpointError: an earlier attempt's files are broken.
        TrainerError: no problem can teach anything, or the loss is no longer a number.
        StoreError: the disk is full.
    """
    problems = usable(data, config, weights, seed)
    if not problems:
        raise TrainerError(
            f"none of {len(data)} problems can teach the critic: each has programs of one outcome "
            "only; sample more programs or problems (critic.samples_per_problem)"
        )
    home = out / _fingerprint(folder, problems, config, weights, f"{seed}/{dtype}")
    folders = [epoch_folder(home, number) for number in range(1, config.epochs + 1)]
    done = next((i for i, one in enumerate(folders) if not one.exists()), len(folders))
    counter = progress or Progress()
    total = config.epochs * len(problems)
    counter.start("fine-tune", total, "problems", done=done * len(problems))
    if done < len(folders):
        on = device or default_device()
        with _own_randomness(on):
            run = _Run(folder, problems, config, weights, dtype=dtype, device=on, seed=seed)
            run.go(folders, done, check_stop, counter)
        del run
        free_memory()
    for one in folders:
        (one / OPTIMISER).unlink(missing_ok=True)
    return folders


class _Run:
    """The model, its adapters, head and optimiser in memory."""

    def __init__(
        self,
        folder: Path,
        problems: Sequence[TuneProblem],
        config: LoraConfig,
        weights: LossWeights,
        *,
        dtype: torch.dtype,
        device: str,
        seed: int,
    ) -> None:
        self._problems, self._config, self._weights = problems, config, weights
        self._device, self._seed = device, seed
        torch.manual_seed(_seed_of(seed, "weights"))
        self._reader = ProgramReader(folder, dtype=dtype, device=device)
        self._adapted = _with_adapters(self._reader.model, config, device)
        self._head = ScalarHead(self._reader.hidden, device)
        tuned = [one for one in self._adapted.parameters() if one.requires_grad]
        self._rates = (config.learning_rate, config.head_learning_rate)
        groups: list[dict[str, Any]] = [{"params": tuned}, {"params": [*self._head.parameters()]}]
        self._optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
        self._parameters = [one for group in groups for one in group["params"]]

    def go(
        self,
        folders: Sequence[Path],
        done: int,
        check_stop: Callable[[], None],
        progress: Progress,
    ) -> None:
        """Run all epochs but the ``done`` first ones, each into its folder."""
        if done:
            self._resume(folders[done - 1])
        for number in range(done, len(folders)):
            self._epoch(number, folders[number], check_stop, progress)

    def _resume(self, folder: Path) -> None:
        """Take up the state that an epoch ended with."""
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(self._adapted, read_tensors(folder / ADAPTER))
        self._head.load_state_dict(read_tensors(folder / HEAD))
        whole = self._optimiser.state_dict()
        for name, tensor in read_tensors(folder / OPTIMISER).items():
            number, key = name.split(".")
            whole["state"].setdefault(int(number), {})[key] = tensor
        self._optimiser.load_state_dict(whole)

    def _epoch(
        self, number: int, folder: Path, check_stop: Callable[[], None], progress: Progress
    ) -> None:
        """Pass once over the problems and save the result."""
        torch.manual_seed(_seed_of(self._seed, f"epoch {number}"))  # of dropout
        chance = random.Random(f"{self._seed}/epoch {number}")
        order = chance.sample(self._problems, len(self._problems))
        together = self._config.gradient_accumulation
        self._adapted.train()
        losses: list[float] = []
        for step, start in enumerate(range(0, len(order), together)):
            check_stop()
            chosen = order[start : start + together]
            self._set_rates(number * ceil(len(order) / together) + step)
            losses += self._update(chosen, chance)
            progress.advance(len(chosen))
        record = EpochRecord(
            number + 1, sum(losses) / len(losses), len(losses), self._config.pooling
        )
        last = number + 1 == self._config.epochs
        state = None if last else self._optimiser_tensors()
        save_epoch(folder, record, self._adapted, self._head.state_dict(), state)

    def _update(self, problems: Sequence[TuneProblem], chance: random.Random) -> list[float]:
        """One step of the optimiser; each problem's loss."""
        self._optimiser.zero_grad(set_to_none=True)
        losses = []
        for problem in problems:
            loss = self._loss(problem, chance)
            (loss / len(problems)).backward()  # type: ignore[no-untyped-call]
            losses.append(loss.item())
        if not all(map(isfinite, losses)):
            raise TrainerError(
                "the critic's fine-tuning diverged (its loss is not a number); lower "
                "critic.lora.learning_rate"
            )
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT)
        self._optimiser.step()
        return losses

    def _loss(self, problem: TuneProblem, chance: random.Random) -> Tensor:
        rows = balanced(problem.passed, self._config.programs_per_step, chance)
        codes = [problem.codes[row] for row in rows]
        vectors = self._reader.in_one_pass(problem.prompt, codes, self._config.pooling)
        passed, weights = (
            torch.tensor([values[row] for row in rows], device=self._device)
            for values in (problem.passed, problem.weights)
        )
        return problem_loss(self._head(vectors), passed, weights, self._weights)

    def _set_rates(self, step: int) -> None:
        """Rise linearly over the warmup, then fall linearly to 0 behind the last step."""
        a_pass = ceil(len(self._problems) / self._config.gradient_accumulation)
        total = a_pass * self._config.epochs
        warmup = ceil(self._config.warmup * total)
        factor = min(1.0, (step + 1) / max(warmup, 1)) * min(
            1.0, (total - step) / (total - min(warmup, total - 1))
        )
        for group, rate in zip(self._optimiser.param_groups, self._rates, strict=True):
            group["lr"] = factor * rate

    def _optimiser_tensors(self) -> dict[str, Tensor]:
        """The optimiser's state by parameter number and name, such as ``3.exp_avg``."""
        state = self._optimiser.state_dict()["state"]
        return {f"{i}.{key}": value for i, own in state.items() for key, value in own.items()}


def _with_adapters(model: Any, config: LoraConfig, device: str) -> Any:
    """Freeze the model and put float32 adapters into it."""
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model

    if config.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    adapted = get_peft_model(
        model,
        PeftConfig(
            task_type="FEATURE_EXTRACTION",
            r=config.rank,
            lora_alpha=config.alpha,
            lora_dropout=config.dropout,
            target_modules=config.target_modules,
        ),
    )
    return adapted.to(device)


@contextmanager
def _own_randomness(device: str) -> Iterator[None]:
    """Leave torch's generators as they were, whatever seeds are set within."""
    cards = [torch.cuda.current_device()] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=cards):
        yield


def _seed_of(seed: int, part: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{part}".encode()).digest()[:4], "big")


def _fingerprint(
    folder: Path,
    problems: Sequence[TuneProblem],
    config: LoraConfig,
    weights: LossWeights,
    how: str,
) -> str:
    """Name a run by all that shapes its result, 16 hexadecimal digits."""
    model = identity(str(folder), folder.parent)
    shape = [model, config.model_dump(), asdict(weights), how]
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode())
    for problem in problems:
        digest.update(json.dumps(asdict(problem)).encode())
    return digest.hexdigest()[:16]
