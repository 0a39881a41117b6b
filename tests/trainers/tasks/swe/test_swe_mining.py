"""Any local repository gives tasks: its fixes with tests, and a clear line where there are none."""

import time

import pytest
from swe_files import Git

from trainers.errors import TaskError
from trainers.tasks.swe.mining import mine
from trainers.tasks.swe.notes import Notes
from trainers.tasks.swe.patching import apply_patch
from trainers.tasks.swe.repository import GitTree, Repository


@pytest.fixture
def git(tmp_path):
    git = Git(tmp_path / "project")
    git.commit("Begin", {"pkg/a.py": "def f(x):\n    return x\n", "pkg/b.py": "b = 1\n"})
    return git


def mined(git, **given):
    notes = Notes()
    tasks = mine(getattr(git, "folder", git), notes=notes, **given)
    return tasks, notes.lines()


def test_a_fix_with_a_test_becomes_a_task(git):
    base = git("rev-parse", "HEAD")
    fix = git.fix(3, **{"docs/notes.txt": "more\n"})
    [task], notes = mined(git)
    assert task.task_id == f"git/project@{fix[:12]}"
    assert (task.repo, task.base_commit, task.split) == ("project", base, "train")
    assert task.base_date == git.now - 86400
    assert task.issue_text == "Fix f for 3\n\nIt was wrong."
    assert task.code_before == {"pkg/a.py": "def f(x):\n    return x\n"}
    assert task.code_after == {"pkg/a.py": "def f(x):\n    return x - 3\n"}
    assert apply_patch(task.patch, task.code_before) == task.code_after
    assert "tests/test_a.py" in task.judge.test_patch
    assert "notes.txt" not in task.patch + task.judge.test_patch
    assert task.tree.files().keys() == {"pkg/a.py", "pkg/b.py"}
    assert task.tree.text("pkg/b.py") == "b = 1\n"
    assert notes == []


OTHERS = {
    "another word": ("Add a feature", {}),
    "no test": ("Fix it", {"tests/test_a.py": ...}),
    "only a test": ("Fix it", {"pkg/a.py": ...}),
    "only comments": ("Fix it", {"pkg/a.py": "def f(x):  # why\n    return x\n"}),
    "too many files": ("Fix it", {f"pkg/m{n}.py": "m\n" for n in range(9)}),
    "too many lines": ("Fix it", {"pkg/a.py": "".join(f"x{n} = 1\n" for n in range(400))}),
    "a file goes": ("Fix it", {"pkg/b.py": None}),
    "only new files": ("Fix it", {"pkg/a.py": ..., "pkg/new.py": "x = 1\n"}),
    "a typo": ("Fix typo in f", {}),
    "a revert": ("Revert the fix", {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_fix_is_passed_over(git, name):
    message, files = OTHERS[name]
    standard = {"pkg/a.py": "def f(x):\n    return -x\n", "tests/test_a.py": "t = 1\n"}
    changes = {path: text for path, text in (standard | files).items() if text is not ...}
    git.commit(message, changes)
    tasks, notes = mined(git)
    assert tasks == []
    assert notes[0].startswith(f"{git.folder}: no commit is a fix with tests")


@pytest.mark.parametrize(
    ("message", "content", "said"),
    [
        ("Fix\n", b"# caf\xe9\nx = 2\n", "no UTF-8"),
        ("Fix\n", b"print 1\n", "this Python cannot parse"),
        ("Cc: The Fix <a@b.org>\n", b"x = 2\n", "says nothing beside its trailers"),
    ],
)
def test_a_fix_that_cannot_be_used_is_told_and_the_others_are_mined(git, message, content, said):
    git.commit(message, {"pkg/b.py": content, "tests/test_b.py": "t = 1\n"})
    git.fix(1)
    tasks, notes = mined(git)
    assert len(tasks) == 1
    assert any(said in note for note in notes)


def test_merges_are_passed_over_and_the_newest_come_first(git):
    git.fix(1)
    git("checkout", "-q", "-b", "side")
    git.fix(2, **{"pkg/b.py": "b = 2\n"})
    git("checkout", "-q", "main")
    git.commit("More", {"pkg/c.py": "c = 1\n"})
    git("merge", "-q", "--no-ff", "-m", "Fix by merge", "side")
    git.fix(4)
    tasks, _ = mined(git)
    assert [task.issue_text.split()[3] for task in tasks] == ["4", "2", "1"]
    assert [task.task_id for task in mined(git, limit=2)[0]] == [t.task_id for t in tasks[:2]]
    # Two days: from the side branch's fix on.
    assert len(mined(git, since=f"@{git.now - 3 * 86400 + 1}")[0]) < 3


def test_the_newest_fixes_are_test_unless_a_split_is_named(git):
    for number in range(1, 21):
        git.fix(number)
    splits = [task.split for task in mined(git)[0]]
    assert splits == ["test"] * 3 + ["validation"] * 3 + ["train"] * 14
    assert {task.split for task in mined(git, split="test")[0]} == {"test"}


def test_a_bare_and_a_shallow_clone_can_be_mined(git, tmp_path):
    for number in (1, 2, 3):
        git.fix(number)
    git("clone", "-q", "--bare", str(git.folder), str(tmp_path / "bare.git"))
    git("clone", "-q", "--depth", "2", f"file://{git.folder}", str(tmp_path / "shallow"))
    bare, _ = mined(tmp_path / "bare.git")
    assert len(bare) == 3
    assert bare[-1].tree.text("pkg/b.py") == "b = 1\n"
    shallow, notes = mined(tmp_path / "shallow")
    assert len(shallow) == 1
    assert "is a shallow clone" in notes[0]
    with pytest.raises(TaskError, match=r"lacks the commit .* git fetch --unshallow may bring it"):
        GitTree(tmp_path / "shallow", bare[-1].base_commit).files()


def test_a_remote_names_the_repository(git):
    git("remote", "add", "origin", "git@github.com:owner/name.git")
    git.fix(1)
    [task], _ = mined(git)
    assert task.repo == "owner/name"
    assert task.task_id.startswith("git/owner__name@")


def test_what_is_no_repository_is_one_line(tmp_path):
    for path, said in ((tmp_path, "is no git repository"), (tmp_path / "x", "does not exist")):
        with pytest.raises(TaskError, match=said) as caught:
            mine(path)
        assert "\n" not in str(caught.value)
    Git(tmp_path / "empty")
    with pytest.raises(TaskError, match="has no commits; commit something first"):
        mine(tmp_path / "empty")


def test_a_repository_that_goes_away_is_told_when_it_is_asked(git, tmp_path):
    git.fix(1)
    [task], _ = mined(git)
    tree = GitTree(tmp_path / "gone", task.base_commit)
    with pytest.raises(TaskError, match="gone does not exist"):
        tree.files()
    with pytest.raises(TaskError, match=r"has no pkg/none\.py"):
        task.tree.text("pkg/none.py")


def test_an_object_that_is_missing_costs_its_commit_only(git):
    git.fix(1)
    broken = git("rev-parse", "HEAD:pkg/a.py")
    git.fix(2)
    git.commit("Other", {"pkg/a.py": "def f(x):\n    return 0\n"})
    git.fix(9)
    (git.folder / ".git" / "objects" / broken[:2] / broken[2:]).unlink()
    tasks, notes = mined(git)
    assert [task.issue_text.split()[3] for task in tasks] == ["9"]
    assert any("need objects that the repository lacks" in note for note in notes)


def test_recency_counts_what_changed_lately(git):
    git.commit("b", {"pkg/b.py": "b = 2\n"}, days=100)
    git.fix(1)
    git.fix(2)
    tree = mined(git, limit=1)[0][0].tree
    recency = tree.recency()
    assert list(recency) == ["pkg/a.py", "pkg/b.py"]
    assert recency["pkg/b.py"] == pytest.approx(0.989 + 0.325, abs=0.01)
    assert recency["pkg/a.py"] == pytest.approx(1.0 + 0.325, abs=0.01)


def test_a_repository_of_a_hundred_thousand_files_does_not_stall(tmp_path):
    git = Git(tmp_path / "large")
    stream = [
        b"blob\nmark :1\ndata 6\nx = 1\n\nblob\nmark :2\ndata 6\nx = 2\n\n"
        b"commit refs/heads/main\nmark :3\ncommitter A <a@b.org> 1600000000 +0000\ndata 5\nBegin\n"
    ]
    stream += [b"M 100644 :1 d%d/p%d/m%d.py\n" % (n % 40, n % 37, n) for n in range(100_000)]
    stream += [
        b"\ncommit refs/heads/main\ncommitter A <a@b.org> 1600090000 +0000\ndata 8\nFix m1  \n"
        b"from :3\nM 100644 :2 d1/p1/m1.py\nM 100644 :2 tests/test_m.py\n\n"
    ]
    git("fast-import", "--quiet", stdin=b"".join(stream))
    begun = time.monotonic()
    [task], _ = mined(git)
    assert len(task.tree.files()) == 100_000
    assert task.tree.text("d1/p1/m1.py") == "x = 1\n"
    assert time.monotonic() - begun < 60


def test_a_repository_is_read_in_a_forked_way_of_its_own(git):
    repository = Repository(git.folder)
    blob = git("rev-parse", "HEAD:pkg/b.py")
    assert repository.text(blob) == "b = 1\n"
    repository.close()
    assert repository.text(blob) == "b = 1\n"
    repository.close()
