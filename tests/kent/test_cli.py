"""The face: help everywhere, one line an error, exit codes, and JSON that is nothing but JSON."""

import json
import re

import click
import pytest
from box import ROOT, Box
from click.testing import CliRunner

from kent.cli import cli, main
from kent.cli_app import App


def commands(group: click.Group, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*at, name))
        if isinstance(command, click.Group):
            found += commands(command, (*at, name))
    return found


@pytest.mark.parametrize("words", commands(cli), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, [*words, "--help"], obj=App())
    assert done.exit_code == 0
    assert len(done.output.splitlines()) > 4
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert (command.help or "").strip().endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_commands_of_the_design_are_there() -> None:
    known = {" ".join(words) for words in commands(cli)}
    assert known >= {
        "init", "doctor", "model list", "model pull", "model verify", "model versions",
        "model promote", "model rollback", "daemon start",
        "daemon stop", "daemon restart", "daemon status", "daemon logs", "daemon unit", "round",
        "report", "tasks list", "tasks show", "tasks import", "state backup", "state verify",
        "state export samples", "benchmark sandbox", "benchmark critic", "solve",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["daemn"], 2, "No such command 'daemn'"),
        (["daemon", "start", "--rounds", "0"], 2, "--rounds"),
        (["report", "--jsn"], 2, "--jsn"),
        (["--config", "absent.toml", "doctor"], 2, "no configuration file absent.toml"),
        (["--profile", "tpu", "doctor"], 2, "profile = 'tpu' (--profile): wants one of"),
        (["report"], 1, "does not exist"),
        (["tasks", "list"], 1, "does not exist"),
        (["tasks", "show", "x/1"], 1, "does not exist"),
        (["state", "backup", "copy.db"], 1, "does not exist"),
        (["model", "versions"], 1, "does not exist"),
        (["model", "promote", "critic", "1"], 1, "does not exist"),
        (["model", "promote", "critic"], 2, "Missing argument 'VERSION'"),
        (["daemon", "logs"], 2, "no log"),
        (["round", "critik"], 2, "no stage 'critik' (did you mean 'critic'?)"),
        (["init"], 2, "kent.toml exists"),
        (["--state", "kent.toml", "daemon", "start"], 1, "cannot write in"),
        (["--state", "kent.toml", "round"], 1, "cannot write in"),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(
    box: Box,
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(box.folder)
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    [line] = printed.err.splitlines()
    assert line.startswith("kent: error: ")
    assert said in line


def test_every_line_of_a_broken_configuration_is_told(box: Box) -> None:
    box.write("profil = 'cpu'\nseed = -1\n")
    done = box.kent("daemon", "start")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 2


def test_debug_shows_where_an_error_comes_from(box: Box) -> None:
    assert "Traceback" not in box.kent("report").stderr
    assert "Traceback" in box.kent("--debug", "report").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["daemon", "status", "--json"],
        ["doctor", "--json"],
        ["report", "--json"],
        ["tasks", "list", "--json"],
        ["state", "verify", "--json"],
        ["model", "list", "--json"],
        ["model", "versions", "--json"],
    ],
    ids=" ".join,
)
def test_json_is_one_document_and_nothing_else(box: Box, arguments: list[str]) -> None:
    with box.store() as store:
        store.event("test", "a store is there")
    done = box.kent(*arguments)
    assert done.returncode in (0, 1), done.stderr
    json.loads(done.stdout)


def test_status_needs_nothing_and_makes_nothing(box: Box) -> None:
    empty = box.folder / "empty"
    document = json.loads(box.ok("--state", str(empty), "daemon", "status", "--json"))
    assert document["state"] == "stopped"
    assert not empty.exists()


def test_init_writes_where_it_is_told(box: Box) -> None:
    assert box.kent("--config", "other.toml", "init").returncode == 0
    assert (box.folder / "other.toml").read_text().startswith("# KENT")
    assert box.kent("init", "--force").returncode == 0


def test_a_unit_names_this_configuration(box: Box) -> None:
    text = box.ok("daemon", "unit")
    assert "KillMode=mixed" in text
    assert f'"--config" "{box.folder / "kent.toml"}"' in text
    assert '"daemon" "start" "--foreground"' in text


def test_a_round_prints_the_report_and_its_progress_beside_it(box: Box) -> None:
    done = box.kent("round")
    assert done.returncode == 0, done.stderr
    assert "KENT report" in done.stdout
    assert "TinyStage" in done.stderr
    assert "ready" not in done.stdout
    page = box.folder / "page.html"
    both = box.kent("report", "--json", "--html", str(page))
    assert json.loads(both.stdout)["rounds"][0]["status"] == "done"
    assert page.read_text().lstrip().lower().startswith("<!doctype html")
    assert box.ok("state", "verify").strip() == "clean"
    assert box.kent("state", "backup", "copy.db").returncode == 0
    assert box.kent("state", "backup", "copy.db").returncode == 1
    assert "tiny/1/0" in box.ok("tasks", "list", "--split", "train")
    assert "do it" in box.ok("tasks", "show", "tiny/1/0")
    assert box.kent("tasks", "show", "tiny/9/9").returncode == 1


def test_a_failed_round_exits_1(box: Box) -> None:
    box.plan(attempts=["error"])
    assert box.kent("round").returncode == 1


def test_the_readme_names_only_commands_and_options_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    named = re.findall(r"(?:^|`|&& )(?:\.venv/bin/)?kent ((?:[a-z][a-z-]* ?)+)", text, re.MULTILINE)
    assert len(named) > 5
    for line in named:
        command: click.Command = cli
        for word in line.split():
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, line
            command = command.commands[word]


def test_the_version_is_the_codes(box: Box) -> None:
    assert box.ok("--version").strip()
