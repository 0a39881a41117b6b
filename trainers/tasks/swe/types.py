"""What a SWE task is: the issue, the code before and after, the tree around it, and its judge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

TaskSplit = Literal["train", "validation", "test"]


class Tree(Protocol):
    """The ``.py`` files of a repository at one commit, tests left out; texts are read when asked.

    Raises of all methods: TaskError, the files beside the task, or the repository, lack it.
    """

    def files(self) -> Mapping[str, str]:
        """Content id by path. The same id is the same text, in all trees of one repository."""

    def text(self, path: str) -> str:
        """The text of one of ``files()``."""

    def recency(self) -> Mapping[str, float]:
        """How recently and often a path changed before the base commit; empty where not known."""


@dataclass(frozen=True)
class Judge:
    """How a repair is judged. Tests are the JSON form of ``sandbox.Tests``.

    ``kind`` ``program``: one file, judged by the sandbox; ``visible`` may be searched with,
    ``hidden`` only scores. ``kind`` ``project``: named pytest tests after ``test_patch``.
    """

    kind: Literal["program", "project"]
    visible: Mapping[str, Any] | None = None
    hidden: Mapping[str, Any] | None = None
    test_patch: str = ""
    fail_to_pass: tuple[str, ...] = ()
    pass_to_pass: tuple[str, ...] = ()


@dataclass(frozen=True)
class SWETask:
    """One repair task (seed: code trainer §2.2), with what the seed's five fields leave out.

    ``code_before`` and ``code_after``: text by path of the files that the truth changes.
    ``base_date``: of the base commit, in seconds since 1970. ``tree`` None: there is no repository,
    ``code_before`` is all.
    """

    task_id: str
    repo: str
    issue_text: str
    code_before: Mapping[str, str]
    code_after: Mapping[str, str]
    source: str = "swe"
    split: TaskSplit = "test"
    base_commit: str | None = None
    base_date: float | None = None
    patch: str = ""
    judge: Judge | None = None
    tree: Tree | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
