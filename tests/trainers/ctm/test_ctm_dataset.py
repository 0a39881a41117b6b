"""Data sets: built, killed and resumed, and without leaks between their splits."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import OPTIONS, packages

from trainers.ctm.data.build import build
from trainers.ctm.data.collectors.pair import Pair
from trainers.ctm.data.corpus import likeness
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.data.gather import read_functions
from trainers.ctm.data.make import BuildOptions
from trainers.ctm.data.manifest import SPLITS, load_manifest
from trainers.errors import CTMDataError


@pytest.fixture(scope="module")
def dataset(built):
    return Dataset(built)


def test_a_set_has_the_sizes_that_were_asked_for_and_enough_clean_programs(dataset):
    for split in SPLITS:
        data = dataset.split(split)
        assert len(data) == OPTIONS.size(split)
        clean = np.mean(data.edits == 0)
        assert 0.30 <= clean < 0.36
    counts = dataset.manifest.kept()
    assert {bug_class for _, bug_class in counts} == {
        "syntax", "simple_logic", "all_logic", "security", "clean"
    }  # fmt: skip
    assert dataset.manifest.drops()


def test_no_function_is_on_two_sides(built, dataset):
    placed = list(read_functions(built / "functions.jsonl"))
    files, alike = {}, {}
    for one in placed:
        assert files.setdefault((one.origin.package, one.origin.path), one.split) == one.split
        assert alike.setdefault(one.likeness, one.split) == one.split
        assert likeness(one.code) == one.likeness
        held_out = one.origin.package in dataset.manifest.test_packages
        assert held_out == (one.split == "test_packages")
    assert len(dataset.manifest.test_packages) == 4
    keys = []
    for split in SPLITS:
        data = dataset.split(split)
        for index in range(len(data)):
            sample = data.sample(index)
            keys.append(sample.key)
            assert placed[sample.facts.origin].split == split
            assert dataset.origin(sample)["licence"] == "PSF-2.0"
    assert len(set(keys)) == len(keys)


CHILD = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from conftest import OPTIONS, packages
from trainers.ctm.data.build import build
build(Path({out!r}), OPTIONS, packages())
"""


def test_a_build_that_was_killed_goes_on_to_the_same_set(built, tmp_path):
    out = tmp_path / "killed"
    code = CHILD.format(here=str(Path(__file__).parent), out=str(out))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
    while not list(out.glob("train-00001*")) and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not load_manifest(out).complete
    with pytest.raises(CTMDataError, match="not complete"):
        Dataset(out)
    manifest = build(out, OPTIONS, packages())
    assert manifest.shards == load_manifest(built).shards
    assert (
        Dataset(out).split("train").cells.tolist() == Dataset(built).split("train").cells.tolist()
    )


def test_a_finished_set_is_left_as_it_is_and_other_options_are_refused(built):
    before = (built / "manifest.json").stat().st_mtime_ns
    assert build(built, OPTIONS, packages()).complete
    assert (built / "manifest.json").stat().st_mtime_ns == before
    assert build(built, replace(OPTIONS, samples=10, functions=5), packages()).complete
    assert (built / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(CTMDataError, match="another seed, vocabulary"):
        build(built, replace(OPTIONS, seed=9, samples=10, vocabulary=1024), packages())


def test_a_finished_set_grows_in_train_alone_also_after_a_cut(built, copied):
    more = replace(OPTIONS, samples=OPTIONS.samples + 2 * OPTIONS.shard)
    known = json.loads((built / "manifest.json").read_text())

    def cut(phase, done, total):
        if done > OPTIONS.samples:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(copied, more, [], progress=cut)
    assert len(Dataset(copied).split("train")) == OPTIONS.samples + OPTIONS.shard
    grown = build(copied, more, [])
    assert grown.samples("train") == more.samples
    assert grown.options["samples"] == more.samples
    data, old = Dataset(copied), Dataset(built)
    for split in ("validation", "test_files", "test_packages"):
        assert (
            json.loads((copied / "manifest.json").read_text())["shards"][split]
            == (known["shards"][split])
        )
    keys = [data.split("train").sample(i).key for i in range(more.samples)]
    assert keys[: OPTIONS.samples] == [
        old.split("train").sample(i).key for i in range(OPTIONS.samples)
    ]
    assert len(set(keys)) == len(keys)
    assert data.tokenizer.version == old.tokenizer.version


def test_a_folder_with_other_files_and_no_functions_are_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CTMDataError, match="other files"):
        build(tmp_path, OPTIONS, packages())
    with pytest.raises(CTMDataError, match="no package"):
        build(tmp_path / "new", OPTIONS, [])


@pytest.fixture
def copied(built, tmp_path):
    return shutil.copytree(built, tmp_path / "copy")


@pytest.mark.parametrize(
    "harm",
    [
        lambda shard: (shard / "tokens.npy").write_bytes(b"\x00" * 40),
        lambda shard: (shard / "tokens.npy").unlink(),
        lambda shard: (shard / "names.json").write_text("{"),
        shutil.rmtree,
    ],
    ids=["bytes", "file", "names", "all"],
)
def test_a_broken_shard_is_one_error_that_names_it(copied, harm):
    harm(copied / "train-00001")
    with pytest.raises(CTMDataError, match="train-00001"):
        Dataset(copied).split("train")


def test_another_vocabulary_is_one_clear_error(copied):
    with pytest.raises(CTMDataError, match=r"vocabulary .* is not 0000"):
        Dataset(copied, vocabulary="0000")
    manifest = json.loads((copied / "manifest.json").read_text())
    (copied / "manifest.json").write_text(json.dumps({**manifest, "format": 7}))
    with pytest.raises(CTMDataError, match="format 7"):
        Dataset(copied)
    (copied / "manifest.json").write_text("[")
    with pytest.raises(CTMDataError, match="is broken"):
        Dataset(copied)
    with pytest.raises(CTMDataError, match="holds no data set"):
        Dataset(copied / "none")


def some_pairs(placed, drops):
    drops["git", "other", "large"] += 3
    trained = next(one for one in placed if one.split == "train")
    tested = next(one for one in placed if one.split == "test_packages")
    for number, one in enumerate((trained, tested)):
        broken = one.code.replace("(", "(self, ", 1)
        yield Pair(broken, one.code, "other", "mined", "git", f"group {number}")
        yield Pair("def f(:\n", "def g(:\n", "other", "mined", "git", f"group {number}")
    yield Pair(tested.code + "\n# x", tested.code, "other", "mined", "repair_pairs", "p", True)


def test_collected_pairs_go_to_the_side_of_what_they_are_like(tmp_path):
    options = BuildOptions(
        samples=40, held_out=10, vocabulary=1024 + 512, shard=20, sources=("git",), functions=400
    )
    manifest = build(tmp_path / "out", options, packages(), collect=some_pairs)
    drops = manifest.drops()
    assert drops["git", "other", "large"] == 3
    assert drops["git", "other", "fixed does not compile"] >= 1
    assert {source for source, _ in manifest.kept()} <= {"git", "synthetic"}
    given = sum(n for (source, _), n in manifest.kept().items() if source == "git")
    lost = sum(
        n for (source, _, reason), n in drops.items() if source == "git" and reason != "large"
    )
    assert given + lost == 4  # that of the store is like a test function, and trains nothing
    assert not [key for key in manifest.kept() if key[0] == "repair_pairs"]


def test_a_function_that_a_collector_mends_is_not_given_as_sound(built, tmp_path):
    everywhere = list(read_functions(built / "functions.jsonl"))
    mended = {one.likeness for one in everywhere[::2]}

    def collect(placed, drops):
        for one in placed:
            if one.likeness in mended:
                yield Pair(
                    one.code, one.code.replace("(", "(self, ", 1), "lint", "lint", "ruff", "g"
                )

    options = replace(OPTIONS, sources=("ruff", "synthetic"))
    build(tmp_path / "out", options, packages(), collect=collect)
    data = Dataset(tmp_path / "out")
    placed = list(read_functions(tmp_path / "out" / "functions.jsonl"))
    for split in SPLITS:
        samples = (data.split(split).sample(i) for i in range(len(data.split(split))))
        sound = [placed[one.facts.origin].likeness for one in samples if not len(one.edit_at)]
        assert sound
        assert not mended & set(sound)


def test_benchmark_programs_are_left_out(built, tmp_path):
    placed = list(read_functions(built / "functions.jsonl"))
    known = frozenset(one.likeness for one in placed[::2])
    few = replace(OPTIONS, samples=20, held_out=5, functions=200)
    manifest = build(tmp_path / "out", few, packages(), exclude=known)
    left = {one.likeness for one in read_functions(tmp_path / "out" / "functions.jsonl")}
    assert not left & known
    assert manifest.corpus["in a benchmark"] > 0
