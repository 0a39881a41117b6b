"""The verbs of gpu_box.py against a server that speaks the documented API, also when it fails."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from box import ROOT, wait_for
from gpu_account import Account, guards
from lambda_server import KEY

from kent.errors import RemoteError
from kent.remote.guard import end, guard
from kent.remote.lambda_cloud import LambdaCloud, Unanswered


def test_a_launch_without_a_limit_is_refused(account: Account) -> None:
    code, _, err = account.run("launch", "--type", "gpu_1x_a10", "--ssh-key", "laptop")
    assert (code, account.server.asked) == (2, [])
    assert "--max-hours" in err


def test_a_box_from_launch_to_termination(account: Account) -> None:
    said = account.ok("launch", "--type", "gpu_1x_a10", "--ssh-key", "laptop", "--max-hours", "2")
    assert "us-west-1" in said
    assert "1.50 USD at most" in said
    [record] = account.records.all()
    assert record.deadline - record.launched_at == 7200
    assert guards(account.records.folder)
    assert "active at 127.0.0.1" in account.ok("wait", "--poll-s", "0.01")
    assert account.records.read(record.name).ip == "127.0.0.1"
    line = account.ok("list")
    assert record.name in line
    assert "2.0 h left" in line
    assert "given back" in account.ok("terminate")
    assert account.statuses() == ["terminated"]
    assert account.records.all() == []
    wait_for(lambda: not guards(account.records.folder))


def test_the_types_are_listed_with_price_and_place(account: Account) -> None:
    lines = account.ok("list", "--types").splitlines()
    assert [line.split()[0] for line in lines] == ["gpu_1x_a10", "gpu_1x_a100", "gpu_8x_h100"]
    assert "0.75 USD/h  us-west-1, us-east-1" in lines[0]
    assert "none free" in lines[2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--type", "gpu_9x"], "no type 'gpu_9x'; known: gpu_1x_a10"),
        (["--type", "gpu_8x_h100"], "no gpu_8x_h100 is free; free: none"),
        (["--type", "gpu_1x_a100", "--region", "us-west-1"], "free in us-west-1; free: us-east-1"),
        (["--type", "gpu_1x_a10", "--max-usd", "0.5"], "0.75 USD, more than --max-usd 0.5"),
        (["--type", "gpu_1x_a10", "--ssh-key", "other"], "no SSH key 'other'"),
        (["--type", "gpu_1x_a10", "--name", "../x"], "no name for a box"),
    ],
)
def test_what_cannot_be_had_is_not_launched(account: Account, words: list[str], said: str) -> None:
    code, _, err = account.run("launch", "--ssh-key", "laptop", "--max-hours", "1", *words)
    assert code == 1
    assert said in err
    assert account.server.instances == {}
    assert account.records.all() == []


def test_a_key_that_the_account_lacks_is_registered(account: Account) -> None:
    (account.folder / "id.pub").write_text("ssh-ed25519 BBBB me\n")
    account.launch("--ssh-key", "mine", "--identity", str(account.folder / "id"))
    assert account.server.keys["mine"] == "ssh-ed25519 BBBB me"
    assert account.records.read("box").identity == str(account.folder / "id")


@pytest.mark.parametrize("trouble", [[429, 429], [429, 429, 429, 429]])
def test_a_launch_over_the_rate_limit_is_asked_again(account: Account, trouble: list) -> None:
    account.server.troubles["/instance-operations/launch"] = trouble
    account.server.troubles["/instance-types"] = [429, 503]
    account.launch()
    assert len(account.server.instances) == 1


def test_a_launch_whose_answer_was_lost_is_found_and_not_repeated(account: Account) -> None:
    account.server.troubles["/instance-operations/launch"] = ["lost"]
    record = account.launch()
    assert list(account.server.instances) == [record.id]


def test_a_launch_that_nobody_answers_keeps_its_guard(account: Account) -> None:
    account.server.troubles["/instance-operations/launch"] = ["drop"]
    code, _, err = account.run("launch", "--type", "gpu_1x_a10", "--ssh-key", "laptop",
                               "--max-hours", "1", "--name", "box")  # fmt: skip
    assert code == 1
    assert "may have been launched or not" in err
    assert guards(account.records.folder)
    account.ok("terminate", "box")
    assert account.server.instances == {}


def test_a_launch_that_is_refused_leaves_nothing(account: Account) -> None:
    account.server.troubles["/instance-operations/launch"] = [400]
    code, _, err = account.run("launch", "--type", "gpu_1x_a10", "--ssh-key", "laptop",
                               "--max-hours", "1")  # fmt: skip
    assert code == 1
    assert "global/internal-error: HTTP 400" in err
    assert account.records.all() == []
    wait_for(lambda: not guards(account.records.folder))


@pytest.mark.parametrize(("keep", "status"), [([], "terminated"), (["--keep"], "booting")])
def test_a_box_that_never_becomes_active_is_given_back(
    account: Account, keep: list[str], status: str
) -> None:
    account.launch()
    account.server.boot = ["booting"]
    code, _, err = account.run("wait", "--timeout-minutes", "0.005", "--poll-s", "0.01", *keep)
    assert code == 1
    assert "still booting" in err
    assert account.statuses() == [status]
    assert bool(account.records.all()) == bool(keep)


def test_a_box_that_is_unhealthy_is_given_back_at_once(account: Account) -> None:
    account.launch()
    account.server.boot = ["booting", "unhealthy"]
    code, _, err = account.run("wait", "--poll-s", "0.01")
    assert code == 1
    assert "box is unhealthy" in err
    assert account.statuses() == ["terminated"]


def test_a_termination_is_repeated_until_the_box_is_gone(account: Account) -> None:
    record = account.launch()
    account.server.troubles["/instance-operations/terminate"] = [500, 429, "drop", 503]
    account.server.stubborn = 2
    with LambdaCloud(KEY, account.server.url, pause_s=0.001) as cloud:
        end(cloud, record, attempts=9, sleep=lambda seconds: None)
    assert account.statuses() == ["terminated"]
    with LambdaCloud(KEY, account.server.url, pause_s=0.001) as cloud:
        end(cloud, record, attempts=1)  # again is no error


def test_a_box_that_cannot_be_terminated_is_told_and_stays_guarded(account: Account) -> None:
    record = account.launch()
    account.server.stubborn = 99
    with (
        LambdaCloud(KEY, account.server.url, pause_s=0.001) as cloud,
        pytest.raises(RemoteError, match=r"could not be terminated.*console"),
    ):
        end(cloud, record, attempts=3, sleep=lambda seconds: None)
    assert account.records.all()


def test_the_guard_ends_the_rent_at_the_limit(account: Account) -> None:
    account.launch()
    account.records.change("box", deadline=time.time() + 0.3)
    account.server.troubles["/instance-operations/terminate"] = [500]
    account.server.stubborn = 1
    with LambdaCloud(KEY, account.server.url, pause_s=0.001) as cloud:
        guard(account.records, "box", cloud, look_s=0.05, sleep=lambda s: time.sleep(min(s, 0.05)))
    assert account.statuses() == ["terminated"]
    assert account.records.all() == []


def test_a_guard_ended_with_its_machine_is_started_by_the_next_verb(account: Account) -> None:
    account.launch()
    [process] = guards(account.records.folder)
    process.kill()
    wait_for(lambda: not guards(account.records.folder))
    account.records.change("box", deadline=time.time() - 5)
    account.ok("list")
    wait_for(lambda: account.statuses() == ["terminated"], 240)
    wait_for(lambda: account.records.all() == [])


def test_the_key_is_needed_checked_and_never_shown(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMBDA_API_KEY", "wrong")
    code, _, err = account.run("list")
    assert (code, "global/invalid-api-key" in err, "wrong" in err) == (1, True, False)
    monkeypatch.delenv("LAMBDA_API_KEY")
    code, _, err = account.run("list")
    assert (code, "LAMBDA_API_KEY is not set" in err) == (1, True)
    with pytest.raises(RemoteError, match="not https"):
        LambdaCloud("k", "http://cloud.example/api/v1")


def test_a_server_that_speaks_something_else_is_told(account: Account) -> None:
    account.server.url += "/nothing"
    code, _, err = account.run("list")
    assert (code, "global/object-does-not-exist" in err) == (1, True)


def test_requests_keep_to_the_pace(account: Account) -> None:
    with LambdaCloud(KEY, account.server.url, pause_s=0.05) as cloud:
        for _ in range(4):
            cloud.instances()
    at = [one[2] for one in account.server.asked]
    assert at[-1] - at[0] > 0.13


def test_a_silent_server_is_given_up_after_some_tries(account: Account) -> None:
    account.server.troubles["/instances"] = ["drop"] * 20
    waits: list[float] = []
    with (
        LambdaCloud(KEY, account.server.url, pause_s=0.001, sleep=waits.append) as cloud,
        pytest.raises(Unanswered, match="does not answer GET /instances"),
    ):
        cloud.instances()
    assert len(account.server.asked) == 8
    assert max(waits) > 10 * min(waits)


def test_the_script_runs_from_anywhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "gpu_box.py"), "--help"], cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for verb in ("launch", "wait", "setup-ssh", "sync", "run", "logs", "terminate", "list"):
        assert f"\n  {verb}" in done.stdout
