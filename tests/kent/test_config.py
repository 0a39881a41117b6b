"""Where settings come from, which of them wins, and how a wrong one is refused."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from kent.config import KentConfig, load_config, stored_config
from kent.config_fields import walk
from kent.config_file import config_text, write_config
from kent.errors import ConfigError
from kent.profiles import PRESETS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(toml: str = "", env: dict[str, str] | None = None) -> list[str]:
    Path("kent.toml").write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_config(env=env or {})
    return caught.value.problems


REFUSED = [
    ("[critic]\nepoch = 3",
     "unknown key critic.epoch (kent.toml line 2): did you mean critic.epochs?"),
    ("[generator]\nepochs = 3",
     "unknown key generator.epochs (kent.toml line 2): did you mean critic.epochs?"),
    ("[critics]\nepochs = 3", "unknown key critics (kent.toml line 1): did you mean critic?"),
    ("profil = 'cpu'", "unknown key profil (kent.toml line 1): did you mean profile?"),
    ("[sandbox]\nqqq = 1", "unknown key sandbox.qqq (kent.toml line 2): known here: "),
    ("critic.epoch = 3",
     "unknown key critic.epoch (kent.toml line 1): did you mean critic.epochs?"),
    ("profile = 'tpu'", "profile = 'tpu' (kent.toml line 1): wants one of 'cpu', 'gpu'"),
    ("\n\nprofile = 3", "profile = 3 (kent.toml line 3): wants one of 'cpu', 'gpu'"),
    ("[critic]\n\nepochs = 'many'",
     "critic.epochs = 'many' (kent.toml line 3): wants a whole number of 1 to 10000"),
    ("[critic]\nepochs = '3'", "wants a whole number of 1 to 10000"),
    ("[critic]\nepochs = 0",
     "critic.epochs = 0 (kent.toml line 2): wants a whole number of 1 to 10000"),
    ("[critic]\nepochs = 1.5", "critic.epochs = 1.5 (kent.toml line 2): wants a whole number"),
    ("[critic]\nepochs = true", "critic.epochs = true (kent.toml line 2): wants a whole number"),
    ("[critic]\nepochs = [1]", "critic.epochs = [1] (kent.toml line 2): wants a whole number"),
    ("[generator]\ntop_p = 0", "wants a number above 0 and at most 1"),
    ("[generator]\ntop_p = nan", "wants a number above 0 and at most 1"),
    ("[critic]\nalpha = 1", "wants a number above 0 and below 1"),
    ("[tasks]\nhub = 'yes'", "tasks.hub = 'yes' (kent.toml line 2): wants true or false"),
    ("[tasks]\nhub = 1", "tasks.hub = 1 (kent.toml line 2): wants true or false"),
    ("[tasks]\nmax_train = -1", "wants a whole number of at least 0"),
    ("[tasks]\ndata_dir = 3", "tasks.data_dir = 3 (kent.toml line 2): wants a path in quotes"),
    ("[generator]\nmodel = 7", "generator.model = 7 (kent.toml line 2): wants a text in quotes"),
    ("[generator]\nbackend = 'llama'", "wants one of 'auto', 'llama.cpp', "),
    ("critic = 3", "critic (kent.toml line 1) is a table: write [critic] and its keys beneath"),
    ("[stages]\nenabled = 'critic'", "wants a list of texts in quotes"),
    ("[stages]\nenabled = ['critik']", "no stage 'critik' (did you mean 'critic'?)"),
    ("[stages]\nenabled = []", "at least one stage"),
    ("[stages]\nenabled = ['critic', 'critic']", "none twice"),
    ("[daemon]\nheartbeat_s = 9\nheartbeat_timeout_s = 8",
     "daemon.heartbeat_timeout_s must be more than daemon.heartbeat_s"),
    ("[daemon]\nrounds = 1979-05-27",
     "daemon.rounds = '1979-05-27' (kent.toml line 2): wants a whole number"),
    ("[critic\nepochs = 3", "not valid TOML: "),
    ("[critic]\nepochs = ", "Invalid value (at the last line, 2)"),
    ("[critic]\nepochs = 3\nepochs = 4", "not valid TOML: Cannot overwrite a value"),
]  # fmt: skip


@pytest.mark.parametrize(("toml", "said"), REFUSED)
def test_a_wrong_file_is_refused_in_one_line(folder: Path, toml: str, said: str) -> None:
    problems = refusal(toml)
    assert len(problems) == 1
    assert said in problems[0]
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KENT_CRITIC__EPOCH", "3", "unknown key critic.epoch (KENT_CRITIC__EPOCH): did you mean"),
        ("KENT_CRITIC__EPOCHS", "x", "critic.epochs = 'x' (KENT_CRITIC__EPOCHS): wants a whole"),
        ("KENT_CRITIC__EPOCHS", "0", "critic.epochs = 0 (KENT_CRITIC__EPOCHS): wants a whole"),
        ("KENT_TASKS__HUB", "perhaps", "tasks.hub = 'perhaps' (KENT_TASKS__HUB): wants true"),
        ("KENT_PROFIL", "gpu", "unknown key profil (KENT_PROFIL): did you mean profile?"),
        ("KENT_PROFILE", "tpu", "profile = 'tpu' (KENT_PROFILE): wants one of"),
        ("KENT_CRITIC", "3", "critic (KENT_CRITIC) is a table"),
        (
            "KENT_CRITIC__EPOCHS__MORE",
            "3",
            "critic.epochs = {'more': '3'} (KENT_CRITIC__EPOCHS__MORE): wants",
        ),
        ("KENT_STAGES__ENABLED", "critic,critik", "no stage 'critik'"),
        ("KENT_CONFIG", "absent.toml", "no configuration file absent.toml"),
    ],
)
def test_a_wrong_variable_is_refused(folder: Path, variable: str, value: str, said: str) -> None:
    problems = refusal(env={variable: value})
    assert len(problems) == 1
    assert said in problems[0]


def test_every_problem_is_told_at_once(folder: Path) -> None:
    problems = refusal("profile = 'x'\n[critic]\nepochs = 0\nzzz = 1\n", {"KENT_SEED": "-1"})
    assert len(problems) == 4


def test_a_table_and_a_value_of_one_name_in_two_places(folder: Path) -> None:
    assert any("is a table" in line for line in refusal(
        "[critic]\nepochs = 3", {"KENT_CRITIC": "3", "KENT_CRITIC__ALPHA": "0.1"}))  # fmt: skip


def test_text_that_is_not_utf_8_is_refused(folder: Path) -> None:
    Path("kent.toml").write_bytes(b"profile = '\xff'")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_config(env={})


def test_a_named_file_must_exist(folder: Path) -> None:
    with pytest.raises(ConfigError, match="kent init"):
        load_config(Path("other.toml"), env={})


def test_later_sources_win_key_by_key(folder: Path) -> None:
    key = "KENT_CRITIC__SAMPLES_PER_PROBLEM"
    assert (
        load_config(env={}).critic.samples_per_problem
        == (PRESETS["cpu"]["critic"]["samples_per_problem"])
    )
    gpu = load_config(env={"KENT_PROFILE": "gpu"})
    assert gpu.critic.samples_per_problem == 50
    Path("kent.toml").write_text("profile = 'gpu'\n[critic]\nsamples_per_problem = 7\n")
    file = load_config(env={})
    assert (file.critic.samples_per_problem, file.critic.eval_samples_per_problem) == (7, 50)
    assert load_config(env={key: "8"}).critic.samples_per_problem == 8
    flags = {"critic.samples_per_problem": ("--n", 9), "profile": ("--profile", None)}
    top = load_config(env={key: "8", "KENT_PROFILE": ""}, flags=flags)
    assert (top.critic.samples_per_problem, top.profile) == (9, "gpu")


def test_variables_are_read_as_their_types(folder: Path) -> None:
    config = load_config(
        env={
            "KENT_TASKS__HUB": "false",
            "KENT_DAEMON__HEARTBEAT_S": "0.5",
            "KENT_STAGES__ENABLED": "critic, a.b:C",
            "KENT_GENERATOR__MODEL": "7",
        }
    )
    assert (config.tasks.hub, config.daemon.heartbeat_s) == (False, 0.5)
    assert config.stages.enabled == ("critic", "a.b:C")
    assert config.generator.model == "7"


def test_paths_start_at_the_file_or_at_the_folder_of_the_command(folder: Path) -> None:
    (folder / "sub").mkdir()
    file = folder / "sub" / "kent.toml"
    file.write_text("state_dir = 'mine'\n[tasks]\ndata_dir = '../data'\n")
    config = load_config(file, env={"KENT_WEIGHTS": "w"})
    assert config.state_dir == folder / "sub" / "mine"
    assert config.tasks.data_dir == folder / "data"
    assert config.weights_dir == folder / "w"
    plain = load_config(env={"KENT_DATA": "d", "KENT_STATE_DIR": "s"})
    assert plain.tasks.data_dir == folder / "d"
    assert (plain.state_dir, plain.weights_dir) == (folder / "s", folder / "weights")


def test_init_writes_every_key_and_changes_nothing(folder: Path) -> None:
    before = load_config(env={})
    write_config(Path("kent.toml"))
    assert load_config(env={}) == before
    text = Path("kent.toml").read_text()
    for dotted, _ in walk(KentConfig):
        assert f"\n# {dotted.rpartition('.')[2]} = " in text
    with pytest.raises(ConfigError, match="--force"):
        write_config(Path("kent.toml"))
    write_config(Path("kent.toml"), force=True)


def test_what_init_writes_is_right_when_uncommented(folder: Path) -> None:
    keys = re.sub(r"^# (\w+ = )", r"\1", config_text(), flags=re.MULTILINE)
    Path("kent.toml").write_text(keys)
    loaded = load_config(env={}).model_dump()
    loaded["tasks"]["data_dir"] = None
    default = KentConfig().model_dump()
    for name in ("state_dir", "weights_dir"):
        default[name] = folder / default[name]
    assert loaded == default


def test_both_profiles_hold_known_keys_and_allowed_values(folder: Path) -> None:
    known = dict(walk(KentConfig))
    for profile, tables in PRESETS.items():
        config = load_config(env={"KENT_PROFILE": profile})
        for key, value in leaves(tables):
            assert key in known
            assert reduce(getattr, key.split("."), config) == value


def leaves(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The keys of nested tables with dots between, and their values."""
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_a_stored_configuration_comes_back_with_this_machines_folders(folder: Path) -> None:
    began = load_config(env={"KENT_CRITIC__EPOCHS": "3", "KENT_STATE_DIR": "elsewhere"})
    now = load_config(
        env={"KENT_DAEMON__RETRIES": "5", "KENT_DATA": "d", "KENT_CLUSTER__SANDBOX_CPUS": "3"}
    )
    back = stored_config(began.model_dump(mode="json"), now)
    assert back.critic.epochs == 3
    assert (back.state_dir, back.daemon, back.tasks.data_dir) == (
        now.state_dir, now.daemon, now.tasks.data_dir,
    )  # fmt: skip
    assert back.cluster.sandbox_cpus == 3
    with pytest.raises(ConfigError, match="does not fit"):
        stored_config({**began.model_dump(mode="json"), "old": 1}, now)
