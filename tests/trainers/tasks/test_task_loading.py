"""Where each set comes from, in which order, and what is said when one is not there."""

import os
import socket
import subprocess
import sys
import time
from collections import Counter

import pytest
from task_records import mbpp_record, write_lines

from trainers.config import TasksConfig
from trainers.errors import TaskError
from trainers.tasks import load_problems

OFFLINE = {"HF_HUB_OFFLINE": "1"}


def load(folder=None, env=OFFLINE, also=(), **config):
    return load_problems(TasksConfig(data_dir=folder, **config), env, also=also)


def test_mbpp_from_the_folder(data_folder):
    loaded = load(data_folder)
    assert [row.id for row in loaded.rows] == [f"mbpp/{n}" for n in (1, 11, 511, 602, 601)]
    assert [row.split for row in loaded.rows] == ["prompt", "test", "validation", "train", "train"]
    assert loaded.train_source == "mbpp"
    assert "601-974 train" in loaded.rule
    assert str(data_folder / "mbpp.jsonl") in loaded.notes[0]
    row = loaded.rows[3]
    assert (row.entry_point, row.metadata, row.stub) == ("add", {"sanitized": True}, "")
    assert row.visible_tests[0] == "assert add(0) == 602"
    assert row.reference.startswith("def add(x):\r\n")


def test_kent_data_goes_before_the_configuration(data_folder, tmp_path):
    loaded = load(tmp_path / "absent", {"KENT_DATA": str(data_folder)})
    assert loaded.train_source == "mbpp"


def test_the_seed_split_is_a_setting(data_folder):
    loaded = load(data_folder, mbpp_split="seed")
    assert {row.id: row.split for row in loaded.rows}["mbpp/602"] == "test"
    assert "501-974 test" in loaded.rule


def test_the_sanitized_subset(data_folder):
    loaded = load(data_folder, train="mbpp-sanitized")
    assert [row.id for row in loaded.rows] == ["mbpp/11", "mbpp/602"]


def test_the_built_in_set_where_nothing_else_is_there(tmp_path):
    loaded = load(tmp_path)
    assert loaded.train_source == "basics"
    assert loaded.notes[0].startswith("mbpp: not found: no mbpp.jsonl in")
    assert "HF_HUB_OFFLINE is set" in loaded.notes[0]
    counts = Counter(row.split for row in loaded.rows)
    assert min(counts["train"] / 60, counts["validation"] / 20, counts["test"] / 40) >= 1
    assert all(row.stub.startswith("def ") and len(row.visible_tests) == 1 for row in loaded.rows)


def test_basics_by_name_asks_no_one():
    loaded = load(env={"HF_ENDPOINT": "http://127.0.0.1:1"}, train="basics")
    assert len(loaded.notes) == 1


def test_humaneval_comes_from_its_package():
    loaded = load(train="basics", also=["humaneval"])
    found = [row for row in loaded.rows if row.source == "humaneval"]
    assert len(found) == 164
    assert {row.split for row in found} == {"test"}
    first = found[0]
    assert first.id == "humaneval/0"
    assert first.stub.startswith("from typing import List")
    assert first.stub.endswith(
        "def has_close_elements(numbers: List[float], threshold: float) -> bool:"
    )
    assert first.statement.startswith("Check if in given list of numbers")
    poly = next(row for row in found if row.id == "humaneval/32")
    assert "def poly" in poly.stub
    assert poly.stub.endswith("def find_zero(xs: list):")


@pytest.mark.parametrize(
    ("config", "also", "message"),
    [
        ({"train": "mbbp"}, (), r"tasks.train is 'mbbp', but known are auto, mbpp"),
        ({"train": "basics"}, ["human"], r"no set is called 'human'; known are humaneval"),
        ({"train": "mbpp"}, (), r"mbpp: not found: no data folder is named.*KENT_DATA"),
    ],
)
def test_what_cannot_be_loaded_is_said_with_the_remedy(config, also, message):
    with pytest.raises(TaskError, match=message):
        load(also=also, **config)


def test_an_absent_folder_is_refused(tmp_path):
    with pytest.raises(TaskError, match=r"tasks.data_dir names .*absent, which is no folder"):
        load(tmp_path / "absent")
    with pytest.raises(TaskError, match="KENT_DATA names"):
        load(env={"KENT_DATA": str(tmp_path / "absent")})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task_id": 975}, "between 1 and 974"),
        ({"test_list": []}, "test_list is empty"),
        ({"test_list": [3]}, "a list of texts"),
        ({"test_list": ["assert other(1) == 2"]}, "no test calls a function that the reference"),
        ({"code": "def add(x) return"}, "is no Python"),
    ],
)
def test_a_problem_that_makes_no_sense_is_refused(tmp_path, changes, message):
    write_lines(tmp_path / "mbpp.jsonl", [mbpp_record(3) | changes])
    with pytest.raises(TaskError, match=message):
        load(tmp_path)


def test_a_mute_hub_is_given_up_within_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun = time.monotonic()
        env = {"HF_ENDPOINT": f"http://127.0.0.1:{mute.getsockname()[1]}"}
        loaded = load(tmp_path, env)
        assert time.monotonic() - begun < 10
    assert "does not answer within 3 s" in loaded.notes[0]


def test_no_hub_when_it_is_switched_off(tmp_path):
    assert "tasks.hub is off" in load(tmp_path, {}, hub=False).notes[0]


def test_a_hub_that_fails_is_one_clear_error():
    code = "from trainers.tasks import hub; hub.fetch('mbpp')"
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": os.devnull + "/none"}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 1
    last = ran.stderr.strip().splitlines()[-1]
    assert last.startswith("trainers.errors.TaskError: the Hub's data set google-research-datasets")
