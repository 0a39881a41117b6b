"""The synthetic half of a round: a version is trained, gated once, and measured."""

from scripted import context_in
from tiny_synthetic import CONFIG

from trainers.clock import Clock
from trainers.config import TrainerSettings
from trainers.fractal.synthetic.part import run_synthetic
from trainers.fractal.synthetic.versions import newest

SETTINGS = TrainerSettings.model_validate({"fractal": {"synthetic": CONFIG.model_dump()}})


def test_a_round_trains_gates_and_measures_and_a_second_attempt_does_it_once(tmp_path):
    context = context_in(tmp_path, SETTINGS)
    found = run_synthetic(context, Clock())
    for name in ("pass1", "pass_loop", "resample_equal_budget", "localisation_top1"):
        assert found[name].keys() == {"value", "low", "high", "n"}
    assert found["pass_loop"]["value"] >= found["pass1"]["value"]
    (row,) = context.store.models("fractal")
    assert row.status in ("champion", "rejected")
    assert (found["model"], found["status"]) == (row.id, row.status)
    (promotion,) = context.store.query("SELECT * FROM promotions")
    assert "random weights" in promotion["reason"]
    assert promotion["decision"] == found["promotion"]["decision"]
    again = run_synthetic(context, Clock())
    assert again["promotion"] == {"candidate": row.id, "status": row.status}
    assert again["pass_loop"] == found["pass_loop"]
    assert len(context.store.models("fractal")) == 1
    assert newest(context).row.id == row.id
