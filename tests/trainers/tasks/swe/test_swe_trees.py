"""Trees beside a task file: differences put together, texts read one at a time, faults told."""

import gzip
import hashlib
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from swe_files import AFTER, BEFORE, lines, shared_folder

from trainers.errors import TaskError
from trainers.tasks.swe.packs import open_pack
from trainers.tasks.swe.trees import OwnTree, SharedFolder, SharedTree


@pytest.fixture
def folder(tmp_path):
    return shared_folder(tmp_path / "data")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def tree(folder, cache, task_id="t-3"):
    return SharedTree(SharedFolder(folder, cache), "owner/name", task_id)


def contents(tree):
    return {path: tree.text(path) for path in tree.files()}


def test_a_tree_is_put_together_from_its_differences(folder, cache):
    assert contents(tree(folder, cache, "t-1")) == {"pkg/a.py": BEFORE, "pkg/b.py": "b = 'é'\n"}
    assert contents(tree(folder, cache, "t-2")) == {"pkg/a.py": BEFORE, "pkg/c.py": ""}
    assert contents(tree(folder, cache, "t-3")) == {
        "pkg/a.py": AFTER, "pkg/b.py": BEFORE, "pkg/c.py": "",
    }  # fmt: skip


def test_a_content_id_is_the_texts_hash_in_all_trees(folder, cache):
    first, last = tree(folder, cache, "t-1").files(), tree(folder, cache, "t-3").files()
    assert first["pkg/a.py"] == last["pkg/b.py"] == hashlib.sha256(BEFORE.encode()).hexdigest()
    own = OwnTree({"pkg/a.py": BEFORE, "setup.cfg": "x", "pkg/new.py": ""})
    assert own.files() == {"pkg/a.py": first["pkg/a.py"]}
    assert own.text("pkg/a.py") == BEFORE


def test_recency_is_empty_where_it_is_not_known(folder, cache):
    assert tree(folder, cache, "t-1").recency() == {"pkg/a.py": 2.5}
    assert tree(folder, cache, "t-2").recency() == {}


def test_the_texts_are_unpacked_once_and_again_when_they_change(folder, cache):
    contents(tree(folder, cache))
    [made] = cache.iterdir()
    stamp = (made / "texts.bin").stat().st_mtime_ns
    contents(tree(folder, cache))
    assert (made / "texts.bin").stat().st_mtime_ns == stamp
    lines(
        folder / "repo_files" / "owner__name.jsonl.xz",
        [{"path": f"pkg/{name}.py", "versions": ["new\n", "newer\n"]} for name in "abc"],
    )
    assert contents(tree(folder, cache))["pkg/a.py"] == "newer\n"
    assert len(list(cache.iterdir())) == 2


def test_several_may_unpack_at_once(folder, cache):
    source, start = folder / "repo_files" / "owner__name.jsonl.xz", threading.Barrier(4)

    def read(_):
        start.wait()
        pack = open_pack(source, cache)
        return pack.text(pack.content_id("pkg/a.py", 1))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(read, range(4))) == [AFTER] * 4
    assert len(list(cache.iterdir())) == 1


def test_a_pack_works_in_a_forked_child(folder, cache):
    one = tree(folder, cache)
    one.files()
    child = os.fork()
    if child == 0:
        os._exit(0 if one.text("pkg/a.py") == AFTER else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_what_is_missing_is_told_when_it_is_asked_for(folder, cache):
    with pytest.raises(TaskError, match="no whole tree of t-9"):
        tree(folder, cache, "t-9").files()
    with pytest.raises(TaskError, match=r"tree of t-2 has no pkg/b.py"):
        tree(folder, cache, "t-2").text("pkg/b.py")
    source = folder / "repo_files" / "owner__name.jsonl.xz"
    lines(source, [{"path": "pkg/a.py", "versions": [BEFORE]}, '{"path": "pkg/b.py", "vers'])
    with pytest.raises(TaskError, match=r"lacks version 1 of pkg/a.py, .* line 2: not JSON"):
        tree(folder, cache).files()
    source.write_bytes(source.read_bytes()[:-30])
    with pytest.raises(TaskError, match=r"owner__name.jsonl.xz is no whole xz file"):
        tree(folder, cache).files()
    assert all("making" not in path.name for path in cache.iterdir())
    source.unlink()
    with pytest.raises(TaskError, match=r"owner__name.jsonl.xz cannot be read: No such file"):
        tree(folder, cache).files()


def test_a_cache_that_cannot_be_written_is_told_with_a_remedy(folder, cache):
    cache.write_text("in the way")
    with pytest.raises(TaskError, match=r"cache .* cannot be written: .* XDG_CACHE_HOME"):
        tree(folder, cache).files()


def test_a_damaged_cache_is_told(folder, cache):
    contents(tree(folder, cache))
    [made] = cache.iterdir()
    (made / "texts.bin").write_bytes(b"\0" * (made / "texts.bin").stat().st_size)
    with pytest.raises(TaskError, match=r"damaged .* remove the cache"):
        contents(tree(folder, cache))


def test_broken_rows_cost_only_the_trees_that_need_them(folder, cache):
    lines(
        folder / "repo_trees.jsonl.gz",
        [
            {"task_id": "t-1", "prev": None, "set": {"pkg/a.py": 0}, "drop": []},
            '{"task_id": "t-2", "prev": "t-1"}',
            {"task_id": "t-3", "prev": "t-2", "set": {}, "drop": []},
            {"task_id": "t-4", "prev": "t-4", "set": {}, "drop": []},
        ],
    )
    shared = SharedFolder(folder, cache)
    assert [shared.has_tree(f"t-{n}") for n in (1, 2, 3, 4)] == [True, False, False, False]
    [line] = shared.broken
    assert "repo_trees.jsonl.gz, line 2: lacks set, drop" in line


def test_the_shared_trees_hold_the_code_that_their_tasks_change(real_data, tmp_path):
    shared, seen = SharedFolder(real_data / "swe", tmp_path), 0
    with gzip.open(real_data / "swe" / "swe_tasks.jsonl.gz") as file:
        for line in file:
            if any(name in line[:120] for name in (b"pallets/", b"mwaskom/", b"psf/")):
                task = json.loads(line)
                tree = SharedTree(shared, task["repo"], task["task_id"])
                assert tree.files().keys() <= set(task["files"])
                for path, text in task["code_before"].items():
                    assert tree.text(path) == text
                assert tree.recency()
                seen += 1
    assert seen > 5
