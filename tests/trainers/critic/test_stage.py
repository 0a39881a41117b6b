"""The stage as the daemon runs it: figures, rounds, gate, cuts anywhere."""

import itertools
import json
from dataclasses import replace

import pytest
from scripted import context_in
from scripted_stage import SETTINGS, basics_programs, scripted_stage

from memory.maintenance import verify
from trainers.critic.engines import open_features
from trainers.critic.pickers import PICKERS
from trainers.errors import GeneratorError, WeightsError
from trainers.stage import Stopped

FIGURES = (
    "baseline_pass1", "verifier_pass1", "oracle_passN", "gap_closed", "auc_within_problem", "ece",
    "ece_before",
)  # fmt: skip

EVALUATIONS = 2 * len(FIGURES) + len(PICKERS)  # of one critic on validation and on test


def run_round(folder, stage, settings=SETTINGS):
    context = context_in(folder, settings)
    metrics = stage.run(context).metrics
    context.store.end_stage_run(context.stage_run_id, "done", metrics=metrics)
    context.store.close_round(context.round_id, "done")
    return metrics, context.store


@pytest.fixture(scope="module")
def first(tmp_path_factory, tiny_folder):
    folder = tmp_path_factory.mktemp("state")
    stage, generator = scripted_stage(tiny_folder)
    return folder, *run_round(folder, stage), generator


def test_a_round_gives_every_figure_with_its_interval(first):
    _, metrics, _, _ = first
    json.dumps(metrics)
    for name in FIGURES:
        assert metrics[name].keys() == {"value", "low", "high", "n"}
        assert metrics["validation"][name]["n"] > 0
    assert metrics["baseline_pass1"]["value"] <= metrics["oracle_passN"]["value"]
    assert (metrics["n_problems"], metrics["n_samples"]) == (6, 24)
    assert metrics["train"]["n_samples"] == 24
    assert metrics["generator"] == "scripted/1"
    assert metrics["critic"] == "critic-0001"
    assert metrics["problem_set"] == "basics"
    assert metrics["seconds"].keys() == {
        "sample_label", "read", "execute", "features", "train", "gate", "evaluate",
    }  # fmt: skip
    assert metrics["tokens"] == 10 * (8 * 3 + 12 * 4)


def test_the_model_is_saved_gated_and_walks_back_to_its_samples(first):
    folder, metrics, store, _ = first
    (model,) = store.models("critic")
    assert model.status in ("champion", "rejected")
    assert metrics["critic_status"] == model.status
    assert (folder / model.checkpoint).exists()
    assert metrics["promotion"]["candidate"] == model.id
    assert metrics["promotion"]["looks"] == 1
    (record,) = store.query("SELECT figures, alternative FROM promotions")
    assert json.loads(record["figures"]).keys() == set(FIGURES)
    assert json.loads(record["alternative"]).keys() == {"verifier_pass1"}
    learned = store.query(
        "SELECT s.split, COUNT(*) AS n FROM training_examples t"
        " JOIN samples x ON x.id = t.sample_id"
        " JOIN splits s ON s.problem_id = x.problem_id GROUP BY s.split"
    )
    assert learned == [{"split": "train", "n": 24}]
    assert store.query("SELECT COUNT(*) AS n FROM evaluations")[0]["n"] == EVALUATIONS
    assert verify(folder) == []


def test_the_engine_is_left_before_the_features_are_computed(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder)
    opened = stage._engines.features
    seen = []

    def watched(context):
        seen.append(generator.entered)
        return opened(context)

    stage._engines = replace(stage._engines, features=watched)
    run_round(tmp_path, stage)
    assert seen == [0]


def test_a_second_round_adds_train_samples_and_reuses_the_others(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder)
    run_round(tmp_path, stage)
    generator.asked.clear()
    metrics, store = run_round(tmp_path, stage)
    assert sum(n for _, n in generator.asked) == 24
    assert len({n for _, n in generator.asked}) > 1
    assert metrics["train"]["n_samples"] == 48
    assert metrics["n_samples"] == 24
    assert metrics["promotion"]["looks"] == 2
    assert [model.id for model in store.models("critic")] == ["critic-0001", "critic-0002"]
    champions = [m.id for m in store.models("critic") if m.status == "champion"]
    assert metrics["critic"] == (champions[0] if champions else "critic-0002")


def test_the_cap_on_train_samples_holds_and_then_no_engine_is_started(tmp_path, tiny_folder):
    critic = SETTINGS.critic.model_copy(update={"max_samples_per_problem": 3})
    settings = SETTINGS.model_copy(update={"critic": critic})
    stage, generator = scripted_stage(tiny_folder)
    run_round(tmp_path, stage, settings)
    generator.asked.clear()
    metrics, _ = run_round(tmp_path, stage, settings)
    assert generator.asked == []
    assert metrics["train"]["n_samples"] == 24
    assert metrics["tokens_per_s"] is None


def test_all_pooled_states_can_be_used(tmp_path, tiny_folder):
    critic = SETTINGS.critic.model_copy(update={"pooling": "all"})
    stage, _ = scripted_stage(tiny_folder)
    _, mean = run_round(tmp_path / "mean", stage)
    _, all_ = run_round(tmp_path / "all", stage, SETTINGS.model_copy(update={"critic": critic}))
    wide, narrow = (s.models("critic")[0].config["spec"]["hidden"] for s in (all_, mean))
    assert wide == 2 * narrow


def test_the_scalar_facts_can_be_left_out(tmp_path, tiny_folder):
    critic = SETTINGS.critic.model_copy(update={"scalar_features": False})
    stage, _ = scripted_stage(tiny_folder)
    _, store = run_round(tmp_path, stage, SETTINGS.model_copy(update={"critic": critic}))
    assert store.models("critic")[0].config["spec"]["scalars"] == []


@pytest.mark.parametrize("outcome", [0, 2])
def test_one_outcome_only_trains_nothing_and_says_so(tmp_path, tiny_folder, outcome):
    programs = {key: [codes[outcome]] for key, codes in basics_programs(SETTINGS).items()}
    stage, _ = scripted_stage(tiny_folder, programs)
    metrics, store = run_round(tmp_path, stage)
    assert metrics["critic"] is None
    assert metrics["verifier_pass1"]["value"] is None
    assert metrics["baseline_pass1"]["value"] == (1.0 if outcome == 0 else 0.0)
    assert "no critic was trained" in metrics["notes"][0]
    assert store.models("critic") == []


def test_a_champion_of_another_generator_is_not_measured_against(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder)
    _, store = run_round(tmp_path, stage)
    store.set_model_status("critic-0001", "champion")
    generator.id = "scripted/2"
    metrics, store = run_round(tmp_path, stage)
    assert "random picking" in metrics["promotion"]["reason"]
    assert metrics["critic"] == "critic-0002"


def test_a_generator_that_dies_fails_the_attempt_and_the_next_goes_on(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder, dies_after=20)
    with pytest.raises(GeneratorError, match="the engine died"):
        run_round(tmp_path, stage)
    assert generator.entered == 0
    generator.dies_after = None
    metrics, store = run_round(tmp_path, stage)
    assert len(store.rounds()) == 1
    assert metrics["train"]["n_samples"] == 24
    assert metrics["tokens"] == 720


@pytest.mark.parametrize("polls", [3, 12, 16, 24, 33])
def test_a_stop_anywhere_is_taken_up_again(tmp_path, tiny_folder, polls):
    stage, _ = scripted_stage(tiny_folder)
    asked = itertools.count()
    context = context_in(tmp_path, SETTINGS, stop_requested=lambda: next(asked) >= polls)
    with pytest.raises(Stopped):
        stage.run(context)
    context.store.end_stage_run(context.stage_run_id, "stopped")
    metrics, store = run_round(tmp_path, stage)
    assert len(store.models("critic")) == 1
    assert metrics["train"]["n_samples"] == 24
    assert store.query("SELECT COUNT(*) AS n FROM evaluations")[0]["n"] == EVALUATIONS


def configured(**critic):
    return SETTINGS.model_copy(update={"critic": SETTINGS.critic.model_copy(update=critic)})


def test_the_baselines_train_nothing_and_are_gated_like_any_critic(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder)
    stage._engines = replace(stage._engines, features=open_features)
    metrics, store = run_round(tmp_path, stage, configured(kind="features"))
    assert metrics["promotion"]["candidate"] == "critic-0001"
    assert store.models("critic")[0].config["spec"]["feature_source"] == "none"
    assert not (tmp_path / "features").exists()


def test_an_encoder_can_be_the_critic(tmp_path, tiny_folder, tiny_bert_folder):
    stage, _ = scripted_stage(tiny_folder)
    stage._engines = replace(stage._engines, features=open_features)
    settings = configured(kind="encoder", encoder_model=str(tiny_bert_folder), tuning="frozen")
    metrics, store = run_round(tmp_path, stage, settings)
    assert metrics["verifier_pass1"]["value"] is not None
    assert "pair" in store.models("critic")[0].config["spec"]["feature_source"]


def test_an_encoder_that_is_not_named_is_one_clear_line(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder)
    stage._engines = replace(stage._engines, features=open_features)
    with pytest.raises(WeightsError, match=r"critic\.encoder_model"):
        run_round(tmp_path, stage, configured(kind="encoder", tuning="frozen"))


def test_a_tuned_critic_keeps_its_epochs_and_meets_a_champion_of_another_kind(
    tmp_path, tiny_folder
):
    stage, _ = scripted_stage(tiny_folder)
    _, store = run_round(tmp_path, stage)
    store.set_model_status("critic-0001", "champion")
    lora = SETTINGS.critic.lora.model_copy(update={"epochs": 2, "rank": 2})
    settings = configured(tuning="lora", feature_model=str(tiny_folder), lora=lora)
    metrics, store = run_round(tmp_path, stage, settings)
    tuned = store.model("critic-0002")
    assert tuned.config["spec"]["hidden"] == 2
    assert len(tuned.config["adapters"]) == 2
    assert all((tmp_path / folder).is_dir() for folder in tuned.config["adapters"])
    assert "the champion" in metrics["promotion"]["reason"]
    assert verify(tmp_path) == []
    (tmp_path / tuned.config["adapters"][0] / "head.safetensors").write_bytes(b"other weights")
    (found,) = verify(tmp_path)
    assert "critic-0002" in found and "head.safetensors is not what its SHA-256 says" in found


def test_a_champion_of_another_generator_is_marked_stale_and_not_used(tmp_path, tiny_folder):
    stage, generator = scripted_stage(tiny_folder)
    _, store = run_round(tmp_path, stage)
    store.set_model_status("critic-0001", "champion")
    generator.id = "scripted/2"
    metrics, store = run_round(tmp_path, stage)
    assert "scripted/2" in store.model("critic-0001").stale
    assert any("stale" in note for note in metrics["notes"])
    (event,) = [one for one in store.events(level="warning") if one["kind"] == "critic.stale"]
    assert "critic-0001" in event["message"]
    store.set_model_status(store.champion("critic").id, "retired")
    store.set_model_status("critic-0001", "champion")
    generator.id = "scripted/1"
    metrics, store = run_round(tmp_path, stage)
    assert store.model("critic-0001").stale is None
    assert not any("stale" in note for note in metrics["notes"])


def test_from_the_second_critic_on_hard_samples_weigh_more(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder)
    _, store = run_round(tmp_path, stage)
    store.set_model_status("critic-0001", "champion")
    run_round(tmp_path, stage)
    second, first = (one["message"] for one in store.events() if one["kind"] == "critic.trained")
    assert " 0 hard" in first
    assert " 0 hard" not in second


def test_each_protocol_has_a_champion_of_its_own(tmp_path, tiny_folder):
    stage, _ = scripted_stage(tiny_folder)
    run_round(tmp_path, stage)
    metrics, store = run_round(tmp_path, stage, configured(protocol="seed"))
    assert metrics["critic"] == "critic-seed-0001"
    assert metrics["pickers"]["visible"]["value"] is None
    assert [row.id for row in store.models("critic")] == ["critic-0001"]
