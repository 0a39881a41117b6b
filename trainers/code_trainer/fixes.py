"""What earlier fixes of a repository say of a new issue: which files are mended, and for what."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]

_YEAR = 365.25 * 86_400  # seconds
_HALF_LIFE = 2 * _YEAR
_NEIGHBOURS = 10  # similar fixes that vote


class Files(Protocol):
    """Numbered paths, such as those of a ``TreeView``."""

    paths: list[str]
    number: dict[str, int]

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Fix:
    """One earlier repair: its date (seconds since 1970), what was asked, and what was edited.

    ``query`` is the issue's weight by stem; ``functions`` are (path, qualified name).
    """

    task_id: str
    repo: str
    date: float
    query: Mapping[str, float]
    paths: tuple[str, ...]
    functions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _History:
    fixes: list[Fix]
    dates: Floats
    vectors: sparse.csr_matrix
    columns: dict[str, int]


class FixMemory:
    """The fixes that were learned; a question sees those of its repository before its date only."""

    def __init__(self, fixes: Iterable[Fix]) -> None:
        by_repo: dict[str, list[Fix]] = {}
        for fix in fixes:
            by_repo.setdefault(fix.repo, []).append(fix)
        self._histories = {repo: _history(found) for repo, found in by_repo.items()}

    def all(self) -> list[Fix]:
        """Every fix, repository by repository, oldest first."""
        return [fix for repo in sorted(self._histories) for fix in self._histories[repo].fixes]

    def past(self, repo: str, date: float | None) -> list[Fix]:
        """The fixes of a repository before a date, oldest first; none where no date is known."""
        history = self._histories.get(repo)
        if history is None or date is None:
            return []
        return history.fixes[: int(np.searchsorted(history.dates, date))]

    def similar(
        self, repo: str, date: float | None, query: Mapping[str, float]
    ) -> list[tuple[Fix, float]]:
        """The past fixes most like a query by TF-IDF cosine, at most ten, best first."""
        known = len(self.past(repo, date))
        if not known:
            return []
        history = self._histories[repo]
        past = history.vectors[:known]
        found = np.bincount(past.indices, minlength=past.shape[1])
        idf = np.log((known + 1) / (found + 0.5)).clip(0.0)
        asked = np.zeros(past.shape[1])
        unknown = 0.0
        for stemmed, weight in query.items():
            column = history.columns.get(stemmed)
            if column is None or not found[column]:
                unknown += (weight * math.log((known + 1) / 0.5)) ** 2
            else:
                asked[column] = weight * idf[column]
        weighted = past.multiply(idf).tocsr()
        lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        norm = math.sqrt(float(asked @ asked) + unknown)
        cosines = (weighted @ asked) / np.maximum(lengths * norm, 1e-9)
        best = np.argsort(-cosines, kind="stable")[:_NEIGHBOURS]
        return [(history.fixes[n], float(cosines[n])) for n in best if cosines[n] > 0]

    def features(
        self, files: Files, repo: str, date: float | None, query: Mapping[str, float]
    ) -> dict[str, Floats]:
        """(files,) by name: how often and lately a file was fixed, and for similar issues.

        ``fix_prior`` decays with a half-life of two years; ``fix_folder`` is that of its folder;
        ``fix_similar`` is the best similar fix of the file, ``fix_votes`` the sum of ten.
        """
        prior, best, votes = (np.zeros(len(files)) for _ in range(3))
        for fix in self.past(repo, date):
            age = (date or 0.0) - fix.date
            for path in fix.paths:
                number = files.number.get(path)
                if number is not None:
                    prior[number] += 0.5 ** (age / _HALF_LIFE)
        for fix, cosine in self.similar(repo, date, query):
            for path in fix.paths:
                number = files.number.get(path)
                if number is not None:
                    best[number] = max(best[number], cosine)
                    votes[number] += cosine
        folders = _folder_means(files.paths, prior)
        return {
            "fix_prior": np.log1p(prior),
            "fix_folder": np.log1p(folders),
            "fix_similar": best,
            "fix_votes": votes,
        }

    def together(self, files: Files, repo: str, date: float | None, scores: Floats) -> Floats:
        """(files,): the scores of files that past fixes edited together with each file."""
        found = np.zeros(len(files))
        for fix in self.past(repo, date):
            numbers = [files.number[path] for path in fix.paths if path in files.number]
            for one in numbers:
                for other in numbers:
                    if one != other:
                        found[one] = max(found[one], scores[other])
        return found


def _history(fixes: list[Fix]) -> _History:
    fixes = sorted(fixes, key=lambda fix: (fix.date, fix.task_id))
    columns: dict[str, int] = {}
    rows, places, values = [], [], []
    for number, fix in enumerate(fixes):
        for stemmed, weight in fix.query.items():
            rows.append(number)
            places.append(columns.setdefault(stemmed, len(columns)))
            values.append(weight)
    vectors = sparse.csr_matrix((values, (rows, places)), shape=(len(fixes), len(columns)))
    return _History(fixes, np.array([fix.date for fix in fixes]), vectors, columns)


def _folder_means(paths: Sequence[str], values: Floats) -> Floats:
    """The mean of each path's folder."""
    folders = [path.rpartition("/")[0] for path in paths]
    names, places = np.unique(folders, return_inverse=True)
    sums = np.bincount(places, weights=values, minlength=len(names))
    counts = np.bincount(places, minlength=len(names))
    return (sums / np.maximum(counts, 1))[places] if len(paths) else values
