"""The kind of edit that an issue asks for: a logistic line on its words and its best chunk."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from trainers.code_trainer.examples import Example
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.tables import Table

Floats = NDArray[np.float64]

_LEAST_TASKS = 5  # in which a stem must occur
_MOST_SHARE = 0.4  # of the tasks; a stem in more says nothing
_STRENGTH = 0.3  # inverse of the L2 penalty, chosen inside training folds
_DENSE = 0.2  # weight of the best chunk's columns against the words
_LENT = 0.3  # weight of a task whose issue is a commit message
_NAME = "operations"


@dataclass(frozen=True)
class OperationModel:
    """Chances of the six operations; ``stems`` are the known words with their rarity."""

    stems: dict[str, int]
    rarity: Floats
    mean: Floats
    scale: Floats
    weights: Floats  # (operations, stems + chunk columns)
    bias: Floats

    def probabilities(
        self, table: Table, repo: str = "", date: float | None = None
    ) -> dict[str, float]:
        """Chance by operation of the largest region, most likely first."""
        logits = self.weights @ self._inputs(table) + self.bias
        chances = np.exp(logits - logits.max())
        chances /= chances.sum()
        order = np.argsort(-chances, kind="stable")
        return {OPERATIONS[number]: float(chances[number]) for number in order}

    def _inputs(self, table: Table) -> Floats:
        words = np.zeros(len(self.stems))
        for stemmed, weight in table.query.items():
            column = self.stems.get(stemmed)
            if column is not None:
                words[column] = weight * self.rarity[column]
        words /= max(float(np.linalg.norm(words)), 1e-9)
        return np.concatenate([words, _DENSE * (best_chunk(table) - self.mean) / self.scale])

    def save(self, folder: Path) -> None:
        """Write ``operations.safetensors`` and ``operations.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        arrays = ("rarity", "mean", "scale", "weights", "bias")
        save_file(
            {name: torch.from_numpy(getattr(self, name).copy()) for name in arrays},
            folder / f"{_NAME}.safetensors",
        )
        (folder / f"{_NAME}.json").write_text(json.dumps({"stems": list(self.stems)}))

    @classmethod
    def load(cls, folder: Path) -> "OperationModel":
        """Read what ``save`` wrote. Raises OSError, ValueError or KeyError where it cannot."""
        tensors = load_file(folder / f"{_NAME}.safetensors")
        stems = json.loads((folder / f"{_NAME}.json").read_text())["stems"]
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        return cls(stems={stemmed: number for number, stemmed in enumerate(stems)}, **arrays)


def best_chunk(table: Table) -> Floats:
    """(chunk columns,) of the chunk that matches the issue best."""
    if not len(table.chunks):
        return np.zeros(len(table.chunk_columns))
    best = int(np.argmax(table.chunks[:, table.chunk_columns.index("chunk_all")]))
    return np.asarray(table.chunks[best], dtype=np.float64)


def fit_operations(examples: Sequence[Example]) -> OperationModel:
    """Learn from examples; with one kind of edit only, that kind is always foretold."""
    count: Counter[str] = Counter(stemmed for e in examples for stemmed in e.table.query)
    most = max(_LEAST_TASKS, _MOST_SHARE * len(examples))
    names = sorted(s for s, n in count.items() if _LEAST_TASKS <= n <= most)
    rarity = np.array([np.log(len(examples) / count[name]) for name in names])
    dense = np.stack([best_chunk(example.table) for example in examples])
    model = OperationModel(
        stems={name: number for number, name in enumerate(names)},
        rarity=rarity,
        mean=dense.mean(axis=0),
        scale=np.maximum(dense.std(axis=0), 1e-6),
        weights=np.zeros((len(OPERATIONS), len(names) + dense.shape[1])),
        bias=np.full(len(OPERATIONS), -20.0),
    )
    truth = np.array([OPERATIONS.index(example.operation) for example in examples])
    model.bias[np.unique(truth)] = 0.0
    if len(np.unique(truth)) > 1:
        _fit_line(model, examples, truth)
    return model


def _fit_line(model: OperationModel, examples: Sequence[Example], truth: NDArray[np.int64]) -> None:
    inputs = sparse.csr_matrix(np.stack([model._inputs(example.table) for example in examples]))
    weights = np.array([_LENT if example.lent else 1.0 for example in examples])
    line = LogisticRegression(C=_STRENGTH, max_iter=500).fit(inputs, truth, sample_weight=weights)
    if len(line.classes_) == 2:  # scikit-learn then gives the second class's line alone
        model.weights[line.classes_[1]], model.bias[line.classes_[1]] = (
            line.coef_[0],
            line.intercept_[0],
        )
        return
    model.weights[line.classes_], model.bias[line.classes_] = line.coef_, line.intercept_
