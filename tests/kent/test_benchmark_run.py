"""``kent benchmark``: all trainers on a frozen copy, compared, replayed, in one document."""

import json
import sys
from pathlib import Path

import pytest

from kent import benchmark_table
from kent.benchmark_runs import runs
from kent.cli import main
from memory.store import Store

sys.path.append(str(Path(__file__).parents[1] / "trainers" / "code_trainer"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    from code_rounds import TOML, fill

    (tmp_path / "kent.toml").write_text(TOML)
    with Store.open(tmp_path / "state" / "kent.db") as store:
        fill(store)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KENT_DATA", raising=False)
    return tmp_path


def measured(capsys, *arguments):
    code = main(["benchmark", "--part", "code", "--part", "ctm", "--json", *arguments])
    out = capsys.readouterr()
    assert code == 0, out.err
    return json.loads(out.out)


def figures(document):
    return [row for part in document["parts"].values() for row in part["rows"]]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_run_measures_goes_on_compares_and_replays(folder, capsys):
    before = (folder / "state" / "kent.db").stat().st_size
    first = measured(capsys, "--seed", "5", "--html", str(folder / "page.html"))
    assert first["parts"]["ctm"]["status"] == "failed"
    assert "`kent round ctm` trains one" in first["parts"]["ctm"]["error"]
    rows = figures(first)
    assert {row["mode"] for row in rows} == {"isolated", "shared_cache", "cold", "bm25"}
    for row in rows:
        assert {"value", "low", "high", "n", "mode", "set"} <= row.keys()
    assert first["previous"] is None
    assert first["contamination"]["pairs"] is not None
    compared = first["parts"]["code"]["comparisons"]["resolved"]
    assert compared["untrained"]["power"]["n"] == 4
    page = (folder / "page.html").read_text()
    assert "KENT benchmark run-0001" in page
    assert "resolved" in page

    # Nothing of the test set has reached the state directory but the document.
    with Store.open(folder / "state" / "kent.db", read_only=True) as store:
        assert not store.rounds()
        assert not store.repairs()
        (event,) = store.events()
        assert event["kind"] == "benchmark"
        assert event["data"]["run"] == "run-0001"
    assert (folder / "state" / "kent.db").stat().st_size <= before + 2**20

    again = measured(capsys, "--seed", "5")
    assert again["run"] == "run-0002"
    assert again["previous"] == "run-0001"
    assert figures(again) == rows  # one seed, the same figures
    previous = again["parts"]["code"]["comparisons"]["resolved"]["previous"]
    assert (previous["wins"], previous["losses"]) == (0, 0)

    replayed = measured(capsys, "--seed", "5", "--replay", "run-0001")
    assert figures(replayed) == rows
    with Store.open(folder / "state" / "benchmarks" / "run-0003" / "work" / "kent.db") as store:
        isolated = store.repairs(mode="benchmark, isolated")
        assert len(isolated) == 4  # what was stored was not solved again

    assert main(["benchmark", "--replay", "run-0009"]) == 1
    assert "no finished benchmark 'run-0009'" in capsys.readouterr().err
    assert [run.name for run in runs(folder / "state")] == ["run-0001", "run-0002", "run-0003"]
    assert "ctm" in "\n".join(benchmark_table.in_lines(again))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "nowhere.jsonl"], "is neither swebench-lite, swebench-verified nor a file"),
        (["--date-after", "soon"], "is no date like 2023-01-31"),
        (["--limit", "1"], "1 is not in the range"),
    ],
)
def test_bad_input_is_one_line(folder, arguments, said, capsys):
    assert main(["benchmark", *arguments]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
