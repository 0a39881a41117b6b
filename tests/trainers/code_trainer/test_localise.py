"""Localisation learns, tells why, keeps what it learned, and sees no later fix."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainers.code_trainer.small_repository import DictTree, tasks
from trainers.code_trainer.calibration import fit_platt
from trainers.code_trainer.columns import STAGE
from trainers.code_trainer.evaluate_localisation import (
    by_folds,
    by_repository,
    detail_figures,
    file_figures,
    paired,
    score_parts,
    worst_rank,
)
from trainers.code_trainer.examples import make_examples
from trainers.code_trainer.fixes import Fix, FixMemory
from trainers.code_trainer.localise import Localiser
from trainers.code_trainer.model import ModelSettings
from trainers.code_trainer.ranker import RankerSettings
from trainers.code_trainer.regions import OPERATIONS
from trainers.code_trainer.tables import TableMaker
from trainers.errors import CheckpointError, TrainerError

QUICK = RankerSettings(members=1, epochs=15, hidden=8)
SETTINGS = ModelSettings(files=QUICK, chunks=QUICK, functions=QUICK)


@pytest.fixture(scope="module")
def fitted():
    localiser = Localiser(SETTINGS)
    localiser.fit(tasks())
    return localiser


def test_ranks_files_functions_and_operations(fitted):
    asked = replace(tasks()[0], issue_text="describe of DiscountRule is wrong", base_date=5000.0)
    result = fitted.rank(asked)
    assert result.files[0].path == "shop/prices.py"
    assert result.files[0].evidence
    assert len(result.files) == len(asked.tree.files())
    assert all(0 <= file.probability <= 1 for file in result.files)
    chances = [function.probability for function in result.functions]
    assert chances == sorted(chances, reverse=True)
    assert any(one.name == "DiscountRule.describe" for one in result.functions[:3])
    assert set(result.operations) == set(OPERATIONS)
    assert sum(result.operations.values()) == pytest.approx(1)
    assert result.similar


def test_saved_ranks_the_same(fitted, tmp_path):
    fitted.save(tmp_path)
    again = Localiser.load(tmp_path)
    assert again.rank(tasks()[3]) == fitted.rank(tasks()[3])
    (tmp_path / "files.safetensors").write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="train it again"):
        Localiser.load(tmp_path)


def test_fitting_twice_gives_the_same(fitted):
    other = Localiser(SETTINGS)
    other.fit(tasks())
    assert other.rank(tasks()[5]) == fitted.rank(tasks()[5])


def test_empty_issue_and_empty_tree(fitted):
    empty = replace(tasks()[0], issue_text="")
    assert len(fitted.rank(empty).files) == 6
    with pytest.raises(TrainerError, match="nothing to rank"):
        fitted.rank(replace(empty, tree=DictTree({})))
    with pytest.raises(TrainerError, match="no tree"):
        fitted.rank(replace(empty, tree=None))
    with pytest.raises(TrainerError, match="learned nothing"):
        Localiser().rank(empty)


def test_memory_is_past_only():
    fixes = [
        Fix("early", "r", 10.0, {"alpha": 1.0}, ("a.py",)),
        Fix("same", "r", 20.0, {"alpha": 1.0}, ("b.py",)),
        Fix("late", "r", 30.0, {"alpha": 1.0}, ("c.py",)),
        Fix("other", "q", 1.0, {"alpha": 1.0}, ("d.py",)),
    ]
    memory = FixMemory(fixes)
    assert [fix.task_id for fix in memory.past("r", 20.0)] == ["early"]
    assert {fix.task_id for fix, _ in memory.similar("r", 25.0, {"alpha": 1.0})} <= {
        "early",
        "same",
    }
    assert memory.past("r", None) == []


def test_a_task_without_a_tree_borrows_one():
    own = tasks()
    bare = replace(own[4], task_id="bare", tree=None)
    foreign = replace(own[4], task_id="foreign", repo="no/where", tree=None)
    said = []
    examples = make_examples([*own, bare, foreign], TableMaker(), say=said.append)
    assert [e.task_id for e in examples if e.lent] == ["bare"]
    assert len(said) == 1
    assert "foreign" in said[0]


def test_tables_are_kept(tmp_path):
    first = make_examples(tasks()[:2], TableMaker(), tmp_path)
    second = make_examples(tasks()[:2], TableMaker(), tmp_path)
    for one, other in zip(first, second, strict=True):
        assert (one.table.files == other.table.files).all()
        assert one.table.query == other.table.query
        assert one.functions == other.functions


def test_evaluation_scores_each_task_once_and_never_the_lent():
    own = tasks()
    bare = replace(own[4], task_id="bare", tree=None)
    examples = make_examples([*own, bare], TableMaker())
    plain = replace(SETTINGS, without=frozenset({STAGE}))
    variants = {"all": SETTINGS, "plain": plain}
    found = score_parts(examples, by_folds(3), variants, details="all")
    scored = found["all"]
    assert [one.task_id for one in found["plain"]] == [one.task_id for one in scored]
    assert sorted(one.task_id for one in scored) == sorted(task.task_id for task in own)
    figures = file_figures([one.worst for one in scored])
    assert figures["file_acc1"].value <= figures["file_acc5"].value
    assert "function_acc1" in detail_figures(scored)
    ranks = {one.task_id: one.worst for one in scored}
    assert paired(ranks, ranks)["file_acc1"].value == 0
    with pytest.raises(ValueError, match="no task"):
        score_parts(examples, by_repository, variants, whole_repository=True)


def test_strict_rank():
    scores = np.array([0.1, 0.9, 0.5])
    assert worst_rank(scores, np.array([True, True, False])) == 3
    assert worst_rank(scores, np.array([False, True, False])) == 1
    assert worst_rank(scores, np.array([False, False, False])) > 1000


def test_platt_recovers_a_line():
    generator = np.random.default_rng(0)
    odds = generator.normal(-2, 2, 4000)
    gold = generator.random(4000) < 1 / (1 + np.exp(-(0.5 * odds + 1)))
    line = fit_platt(-np.logaddexp(0, -odds), gold)
    assert line.slope == pytest.approx(0.5, abs=0.1)
    assert line.offset == pytest.approx(1, abs=0.2)
