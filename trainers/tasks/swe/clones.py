"""Local clones, from which the code of tasks that bring only a patch is read."""

from pathlib import Path

from trainers.errors import TaskError
from trainers.tasks.swe.patching import parse_patch
from trainers.tasks.swe.paths import MAX_BYTES
from trainers.tasks.swe.repository import GitTree, Repository, open_repository


class Clones:
    """The clones in a folder, as OWNER__NAME, OWNER/NAME or NAME, with or without ``.git``."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise TaskError(f"{folder} is no folder; name the one that holds the clones")
        self._folder = folder

    def code_before(self, repo: str, commit: str, patch: str) -> tuple[dict[str, str], float]:
        """Give the texts of the files that a patch changes, and the date of the commit.

        Raises:
            TaskError: there is no clone, it lacks the commit, or the patch is no diff.
        """
        repository = self._clone(repo)
        files = repository.tree(commit)
        paths = [one.old for one in parse_patch(patch) if one.old is not None]
        readable = [path for path in paths if path in files and files[path].size <= MAX_BYTES]
        texts = {path: repository.text(files[path].id) for path in readable}
        return texts, repository.commit_date(commit)

    def tree(self, repo: str, commit: str) -> GitTree | None:
        """Give the tree of a commit; None: there is no clone that has it."""
        try:
            repository = self._clone(repo)
            repository.commit_date(commit)
        except TaskError:
            return None
        return GitTree(repository.path, commit)

    def _clone(self, repo: str) -> Repository:
        owner, _, name = repo.rpartition("/")
        for stem in (f"{owner}__{name}", f"{owner}/{name}", name):
            for ending in ("", ".git"):
                path = self._folder / f"{stem}{ending}"
                if path.is_dir():
                    return open_repository(path.absolute())
        raise TaskError(
            f"{self._folder} has no clone of {repo}; "
            f"git clone https://github.com/{repo} {self._folder / f'{owner}__{name}'}"
        )
