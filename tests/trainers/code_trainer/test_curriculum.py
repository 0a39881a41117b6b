"""The curriculum: difficulty by the truth's shape, and shares that follow what is open."""

from hypothesis import given
from hypothesis import strategies as st

from trainers.code_trainer.curriculum import DIFFICULTIES, CodeCurriculum, Record, difficulty
from trainers.tasks.swe.types import SWETask

LINES = [f"a{i} = {i}\n" for i in range(20)]


def task(name: str, before: dict[str, str], after: dict[str, str]) -> SWETask:
    return SWETask(name, "r", "issue", before, after, split="train")


def changed(*at: int) -> str:
    return "".join(f"b{i} = 0\n" if i in at else line for i, line in enumerate(LINES))


EASY = task("easy", {"a.py": "".join(LINES)}, {"a.py": changed(3)})
MEDIUM = task("medium", {"a.py": "".join(LINES)}, {"a.py": changed(3, 9)})
LONG = task("long", {"a.py": "".join(LINES)}, {"a.py": changed(3, 4, 5, 6)})
HARD = task("hard", {"a.py": "x\n", "b.py": "y\n"}, {"a.py": "z\n", "b.py": "z\n"})


def test_difficulty_is_by_files_regions_and_lines():
    assert [difficulty(one) for one in (EASY, MEDIUM, LONG, HARD)] == [
        "easy", "medium", "medium", "hard",
    ]  # fmt: skip


def test_a_level_that_is_solved_always_gives_way_to_the_open_ones():
    curriculum = CodeCurriculum.of([EASY, MEDIUM, HARD])
    fresh = curriculum.shares({})
    assert fresh["easy"] > fresh["medium"] > fresh["hard"] > 0
    later = curriculum.shares({"easy": Record(200, 199), "medium": Record(50, 20)})
    assert later["medium"] > later["easy"] > 0


def test_the_least_tried_tasks_come_first_and_none_twice():
    tasks = [task(f"t{i}", EASY.code_before, EASY.code_after) for i in range(6)]
    curriculum = CodeCurriculum.of(tasks)
    chosen = curriculum.choose(4, {}, {"t0": 3, "t1": 1}, seed=1)
    assert {one.task_id for one in chosen} == {"t2", "t3", "t4", "t5"}
    assert curriculum.choose(4, {}, {"t0": 3, "t1": 1}, seed=1) == chosen


@given(
    sizes=st.tuples(*[st.integers(0, 8)] * 3),
    count=st.integers(0, 30),
    solved=st.lists(st.integers(0, 10), min_size=3, max_size=3),
)
def test_as_many_as_asked_for_or_all_there_are(sizes, count, solved):
    kinds = (EASY, MEDIUM, HARD)
    tasks = [
        task(f"{kind.task_id}{i}", dict(kind.code_before), dict(kind.code_after))
        for kind, size in zip(kinds, sizes, strict=True)
        for i in range(size)
    ]
    records = {name: Record(10, won) for name, won in zip(DIFFICULTIES, solved, strict=True)}
    chosen = CodeCurriculum.of(tasks).choose(count, records, {}, seed=0)
    assert len({one.task_id for one in chosen}) == len(chosen) == min(count, len(tasks))
