"""Solutions beside the truth: ranks, operations, exact and equal patches, and the figures."""

from trainers.code_trainer.results import Solution, figures, gold_files, score
from trainers.tasks.swe.trees import OwnTree
from trainers.tasks.swe.types import Judge, SWETask

BEFORE = {"pkg/a.py": "def f(x):\n    return x + 1\n\n\ndef g(x):\n    return x\n"}
OTHERS = {"pkg/b.py": "x = 1\n"}
AFTER = {"pkg/a.py": "def f(x):\n    return x - 1\n\n\ndef g(x):\n    return x\n"}


class Repository:
    """A tree with more in it than the truth changes."""

    def files(self) -> dict[str, str]:
        return {path: path for path in BEFORE | OTHERS}

    def text(self, path: str) -> str:
        return (BEFORE | OTHERS)[path]

    def recency(self) -> dict[str, float]:
        return {}


def repository_task(**changes) -> SWETask:
    given = {"code_before": BEFORE, "code_after": AFTER, "tree": Repository()} | changes
    return SWETask("t", "r", "f is off by two", **given)


def program_task() -> SWETask:
    return SWETask("p", "r", "issue", BEFORE, AFTER, judge=Judge("program", {}, {}))


def test_a_gold_file_counts_only_within_the_first_k():
    task = repository_task()
    assert gold_files(task) == ["pkg/a.py"]
    near = Solution("t", files=("b.py", "pkg/a.py"), functions={"pkg/a.py": ("g", "f")})
    scored = score(task, near)
    assert (scored.file_rank, scored.function_rank) == (1, 1)
    found = figures([scored])
    assert [found[f"file_acc{k}"].value for k in (1, 3, 5)] == [0, 1, 1]
    assert [found[f"function_acc{k}"].value for k in (1, 5)] == [0, 1]
    assert score(task, Solution("t")).file_rank == float("inf")


def test_where_the_tree_is_what_the_truth_changes_there_is_no_file_to_find():
    scored = score(repository_task(tree=OwnTree(BEFORE)), Solution("t", files=("pkg/a.py",)))
    assert scored.file_rank is None
    assert figures([scored])["file_acc1"].n == 0


def test_all_gold_files_must_be_there():
    before = BEFORE | {"b.py": "x = 1\n"}
    task = repository_task(code_before=before, code_after=AFTER | {"b.py": "x = 2\n"})
    scored = score(task, Solution("t", files=("pkg/a.py", "c.py", "b.py")))
    assert scored.file_rank == 2


def test_a_patch_may_equal_the_truth_in_text_or_in_meaning():
    task = repository_task()
    exact = score(task, Solution("t", patches=(AFTER,)))
    assert (exact.exact, exact.normalised) == (True, True)
    spaced = {"pkg/a.py": AFTER["pkg/a.py"].replace("x - 1", "(x-1)  # less")}
    same = score(task, Solution("t", patches=({"pkg/a.py": "no"}, spaced)))
    assert (same.exact, same.normalised) == (False, True)
    assert score(task, Solution("t", patches=(BEFORE,))).normalised is False


def test_only_programs_that_tests_judge_are_repaired_or_resolved():
    judged = score(program_task(), Solution("p", outcome="overfitted", candidates=7))
    assert (judged.resolved, judged.passes_visible, judged.candidates) == (False, True, 7)
    assert judged.file_rank is None
    unjudged = score(repository_task(), Solution("t", outcome="unjudged"))
    assert (unjudged.resolved, unjudged.passes_visible, unjudged.candidates) == (None, None, None)
    found = figures([judged, unjudged])
    assert (found["resolved"].n, found["repaired"].n, found["file_acc1"].n) == (1, 1, 1)
    assert found["candidates_per_repair"].value == found["median_candidates"].value == 7


def test_figures_of_nothing_are_undefined():
    found = figures([])
    assert all(figure.value is None for figure in found.values())
