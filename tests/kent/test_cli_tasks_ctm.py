"""``kent tasks build-ctm``: what it builds, tells and refuses."""

import json

import git
import pytest
from box import Box

from kent.cli import main
from trainers.ctm.data.dataset import Dataset


@pytest.fixture
def kent(box: Box, monkeypatch, capsys):
    """Run a command in the box, in this process; its code, output and errors."""
    monkeypatch.chdir(box.folder)
    monkeypatch.delenv("KENT_DATA", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--state", str(box.folder / "state"), *words])
        done = capsys.readouterr()
        return code, done.out, done.err

    return run


def few(*words: str) -> tuple[str, ...]:
    return ("tasks", "build-ctm", "--out", "data", "--samples", "40", "--functions", "300",
            "--vocabulary", "1536", *words)  # fmt: skip


def test_it_builds_a_set_tells_what_was_kept_and_goes_on(kent, box):
    code, out, err = kent(*few("--json", "--seed", "5", "--source", "synthetic"))
    assert code == 0
    document = json.loads(out)
    assert document["samples"]["train"] == 40
    assert sum(one["samples"] for one in document["kept"]) == sum(document["samples"].values())
    assert {"class", "reason", "source", "pairs"} == set(document["dropped"][0])
    assert "samples of train: 0 of 40" in err
    assert len(Dataset(box.folder / "data").split("train")) == 40

    code, out, _ = kent(*few("--seed", "5", "--source", "synthetic"))
    assert code == 0
    assert f"train 40, validation {document['samples']['validation']}" in out
    assert "synthetic" in out

    code, _, err = kent(*few("--seed", "6", "--source", "synthetic"))
    assert code == 1
    assert "another seed" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--source", "git"), 2, "--repo DIR"),
        (("--source", "stack-exchange"), 2, "--posts Posts.xml"),
        (("--source", "web"), 2, "'web' is not one of"),
        (("--repo", "none"), 2, "does not exist"),
        (("--vocabulary", "20"), 1, "ids, not 20"),
        (("--samples", "0"), 2, "x>=1"),
    ],
)
def test_wrong_use_is_one_line(kent, words, code, said):
    got, out, err = kent(*few(*words))
    assert got == code
    assert said in err.splitlines()[-1]
    assert not out


def test_a_repository_without_commits_and_a_broken_dump_are_one_line(kent, box):
    git.Repo.init(box.folder / "empty").close()
    code, _, err = kent(*few("--source", "git", "--repo", "empty"))
    assert code == 1
    assert err.splitlines()[-1].startswith("kent: error:")
    (box.folder / "Posts.xml").write_text("<posts><row")
    code, _, err = kent(*few("--source", "git", "--repo", "empty", "--posts", "Posts.xml"))
    assert code == 1
    assert "another sources" in err.splitlines()[-1]
