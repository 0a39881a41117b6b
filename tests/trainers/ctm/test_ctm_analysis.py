"""What is drawn of a CTM: shares and weights that add up, and every class that is there."""

import json

import numpy as np
import pytest
import torch

from trainers.ctm.analysis import analyse, with_repairs
from trainers.ctm.comparison import differences, items, without_items
from trainers.ctm.config import preset
from trainers.ctm.data.dataset import Dataset
from trainers.ctm.editable import of_samples
from trainers.ctm.evaluate import evaluate, held_out
from trainers.ctm.models import build
from trainers.ctm.repair import Repairer


@pytest.fixture(scope="module")
def seen(built):
    data = Dataset(built)
    torch.manual_seed(0)
    shape = preset("tiny", vocab_size=data.tokenizer.size, iterations=4)
    model = build("ctm", shape.model_copy(update={"grid_height": 64, "grid_width": 48}))
    return model, held_out(data, "test_packages", 20, 0), data


def test_every_class_has_a_value_for_every_tick(seen):
    model, samples, data = seen
    found = analyse(model, samples, data)
    json.dumps(found)
    bugs = {one.facts.bug_class for one in samples if len(one.edit_at)}
    assert set(found["attention_on_place"]) == bugs
    assert sum(found["n"].values()) == 20
    for name in ("certainty", "located", "attention_on_place"):
        for row in found[name].values():
            assert len(row) == 4
            assert all(0 <= value <= 1 for value in row)
    patterns = found["synchronisation"]
    assert {len(row) for row in patterns["classes"].values()} == {len(patterns["pairs"])}
    assert with_repairs(found, {"fix_accuracy_by_tick": [], "reliability": []}).items() >= (
        found.items()
    )


def test_a_map_is_attention_over_the_cells_of_a_program(seen):
    model, samples, data = seen
    for one in analyse(model, samples, data)["maps"]:
        assert list(one["ticks"]) == ["1", "2", "4"]
        for weights in one["ticks"].values():
            assert len(weights) == len(one["row"]) == len(one["col"])
            assert sum(weights) == pytest.approx(1, abs=0.01)
        assert all(cell < len(one["row"]) for cell in one["right"])


def test_the_certainty_is_that_of_the_evaluation(seen):
    model, samples, data = seen
    found = analyse(model, samples, data)
    programs = of_samples(samples, data.tokenizer, data.height, data.width)
    repairs = Repairer(model, read="last").repair(programs, limit=0)
    mean = float(np.mean([one.certainty for one in repairs]))
    weights = [found["n"][name] * row[-1] for name, row in found["certainty"].items()]
    assert sum(weights) / 20 == pytest.approx(mean, abs=1e-3)


def test_differences_are_of_the_same_bugs(seen):
    model, samples, data = seen
    document = {"items": items(evaluate(Repairer(model), samples[:4], data))}
    fixed, edits = [1, 1, 0, 1, 0, 1], [1, 2, 1, 0, 3, 2]
    models = {
        "ctm": {"items": {"fixed": fixed, "edits": edits}},
        "encoder": {"items": {"fixed": [0, 1, 0, 0, 1, 0], "edits": edits}, "n": 6},
    }
    found = differences(models)["encoder"]
    assert found["bugs"]["fix_accuracy"]["n"] == 5
    assert found["bugs"]["fix_accuracy"]["value"] == pytest.approx(1 / 5)
    assert (found["bugs"]["only_ours"], found["bugs"]["only_theirs"]) == (2, 1)
    assert found["several_edits"]["fix_accuracy"]["n"] == 3
    assert found["bugs"]["p_better"] == pytest.approx(0.5)
    assert without_items(models)["encoder"] == {"n": 6}
    assert differences({"encoder": models["encoder"]}) == {}
    assert set(document["items"]) == {"fixed", "edits"}
