"""A learned ranking of candidates from their features: listwise, a line and small networks.

The candidates of one task form a list; the loss is the cross entropy between the softmax of their
scores and the gold candidates (Cao et al. 2007, "Learning to Rank: From Pairwise Approach to
Listwise Approach", top-one form). A linear score and a one-layer network are summed and averaged
over several seeds.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainers.errors import CheckpointError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CLIP = 6.0  # standard deviations


@dataclass(frozen=True)
class RankerSettings:
    """How a ranker is trained. ``negatives``: candidates kept a list, the best by a quick score."""

    hidden: int = 32
    dropout: float = 0.3
    members: int = 6
    epochs: int = 60
    batch: int = 32
    learning_rate: float = 5e-3
    weight_decay: float = 2e-2
    seed: int = 0


@dataclass(frozen=True)
class RankingList:
    """One task's candidates: (n, features), which are gold, and the weight of the task."""

    features: Floats
    gold: Bools
    weight: float = 1.0


class _Member(nn.Module):
    """A linear score plus a small network's."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.line = nn.Linear(width, 1, bias=False)
        self.network = nn.Sequential(
            nn.Dropout(dropout / 3), nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout),
            nn.Linear(hidden, 1, bias=False),
        )  # fmt: skip
        nn.init.zeros_(self.line.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(..., width) -> (...) scores."""
        total: Tensor = self.line(features) + self.network(features)
        return total.squeeze(-1)


@dataclass
class Ranker:
    """Scores candidates; higher is likelier gold. See ``fit_ranker``.

    ``names`` are the features in the order of the columns; ``mean`` and ``scale`` standardise.
    """

    names: tuple[str, ...]
    settings: RankerSettings
    mean: Floats
    scale: Floats
    members: list[_Member] = field(repr=False)

    def scores(self, features: Floats) -> Floats:
        """(n,) of (n, features)."""
        with torch.inference_mode():
            inputs = self._inputs(features)
            return torch.stack([member(inputs) for member in self.members]).mean(0).double().numpy()

    def contributions(self, features: Floats) -> Floats:
        """(n, features): gradient times input: about how much each feature raises each score."""
        inputs = self._inputs(features).requires_grad_()
        total = torch.stack([member(inputs) for member in self.members]).mean(0).sum()
        (gradient,) = torch.autograd.grad(total, inputs)
        return (gradient * inputs).detach().double().numpy()

    def _inputs(self, features: Floats) -> Tensor:
        return torch.from_numpy(standardised(features, self.mean, self.scale))

    def save(self, folder: Path, name: str) -> None:
        """Write ``name.safetensors`` and ``name.json`` into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"mean": torch.from_numpy(self.mean), "scale": torch.from_numpy(self.scale)}
        for number, member in enumerate(self.members):
            tensors |= {f"{number}.{key}": value for key, value in member.state_dict().items()}
        save_file(tensors, folder / f"{name}.safetensors")
        about = {"names": self.names, "settings": vars(self.settings)}
        (folder / f"{name}.json").write_text(json.dumps(about, indent=1))

    @classmethod
    def load(cls, folder: Path, name: str) -> "Ranker":
        """Read what ``save`` wrote.

        Raises:
            CheckpointError: a file is missing or broken.
        """
        try:
            about = json.loads((folder / f"{name}.json").read_text())
            tensors = load_file(folder / f"{name}.safetensors")
            settings = RankerSettings(**about["settings"])
            members = []
            for number in range(settings.members):
                member = _Member(len(about["names"]), settings.hidden, settings.dropout)
                prefix = f"{number}."
                member.load_state_dict(
                    {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
                )
                members.append(member.eval())
            mean, scale = tensors["mean"].numpy(), tensors["scale"].numpy()
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RuntimeError,
            SafetensorError,
        ) as error:
            raise CheckpointError(
                f"the ranker {name} in {folder} cannot be read ({error}): train it again"
            ) from error
        return cls(tuple(about["names"]), settings, mean, scale, members)


def fit_ranker(
    lists: Sequence[RankingList], names: Sequence[str], settings: RankerSettings
) -> Ranker:
    """Train on lists that have a gold candidate; the others are left out.

    Raises:
        ValueError: no list has one.
    """
    lists = [one for one in lists if one.gold.any() and not one.gold.all()]
    if not lists:
        raise ValueError("no list with a gold candidate: there is nothing to learn from")
    stacked = np.concatenate([one.features for one in lists])
    mean, scale = stacked.mean(0), np.maximum(stacked.std(0), 1e-6)
    batch = _padded(lists, mean, scale)
    members = [_fit_member(batch, settings, settings.seed + n) for n in range(settings.members)]
    return Ranker(tuple(names), settings, mean, scale, members)


def standardised(features: Floats, mean: Floats, scale: Floats) -> NDArray[np.float32]:
    """Features less the mean over the scale, clipped."""
    return np.clip((features - mean) / scale, -_CLIP, _CLIP).astype(np.float32)


@dataclass(frozen=True)
class _Batch:
    features: Tensor  # (lists, longest, width)
    target: Tensor  # (lists, longest), sums to one
    mask: Tensor  # (lists, longest): True where there is a candidate
    weight: Tensor  # (lists,)


def _padded(lists: Sequence[RankingList], mean: Floats, scale: Floats) -> _Batch:
    longest = max(len(one.gold) for one in lists)
    features = torch.zeros(len(lists), longest, len(mean))
    target = torch.zeros(len(lists), longest)
    mask = torch.zeros(len(lists), longest, dtype=torch.bool)
    for number, one in enumerate(lists):
        size = len(one.gold)
        features[number, :size] = torch.from_numpy(standardised(one.features, mean, scale))
        target[number, :size] = torch.from_numpy(one.gold / one.gold.sum()).float()
        mask[number, :size] = True
    return _Batch(features, target, mask, torch.tensor([one.weight for one in lists]).float())


def _fit_member(batch: _Batch, settings: RankerSettings, seed: int) -> _Member:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        member = _Member(batch.features.shape[-1], settings.hidden, settings.dropout)
        rate = settings.learning_rate
        optimiser = torch.optim.AdamW(
            member.parameters(), lr=rate, weight_decay=settings.weight_decay
        )
        steps = settings.epochs * (-(-len(batch.weight) // settings.batch))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
        for _ in range(settings.epochs):
            for chosen in torch.split(torch.randperm(len(batch.weight)), settings.batch):
                scores = member(batch.features[chosen])
                scores = scores.masked_fill(~batch.mask[chosen], -1e9)
                losses = -(batch.target[chosen] * scores.log_softmax(-1)).sum(-1)
                loss = (losses * batch.weight[chosen]).sum() / batch.weight[chosen].sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        return member.eval()
