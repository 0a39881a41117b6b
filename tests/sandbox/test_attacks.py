"""The catalogue at every level that works here, each program followed by the common checks."""

import pytest
from sandbox_catalogue import CATALOGUE, TMP

from sandbox import LevelError, SandboxError
from sandbox.attacks import Range, load, run_attacks
from sandbox.levels import prove


def text_of(name):
    expected, code = CATALOGUE[name]
    first = "passed" if expected == "passed" else "not-passed"
    words = f" ({expected})" if expected not in ("", "passed") else ""
    return f"# expect: {first}{words}\n{code}"


@pytest.fixture(scope="module", params=["A", "A'", "B"])
def grounds(request):
    try:
        prove(request.param)
    except LevelError as error:
        pytest.skip(str(error))
    with Range(request.param) as place:
        yield place


@pytest.fixture(scope="module")
def attacks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attacks")
    for number, name in enumerate(CATALOGUE):
        text = text_of(name).encode("utf-8", "surrogatepass")
        (folder / f"{number:03}.py").write_bytes(text)
    return dict(zip(CATALOGUE, load(folder), strict=True))


@pytest.mark.parametrize("name", CATALOGUE)
def test_contained(grounds, attacks, name):
    outcome = grounds.run(attacks[name])
    if grounds.sandbox.level == "B" and name in TMP:
        outcome.broken = [b for b in outcome.broken if b != "verdict error"]
    assert outcome.contained, (outcome.broken, outcome.verdict)


def test_a_folder_of_programs(tmp_path):
    (tmp_path / "right.py").write_text(text_of("plain"))
    (tmp_path / "wrong.py").write_text("# expect: passed\ndef f(x): return 0\n")
    found = run_attacks(tmp_path)
    assert (found["tried"], found["contained"]) == (2, 1)
    assert [p["broken"] for p in found["programs"]] == [[], ["verdict failed"]]


def test_a_folder_that_says_nothing_is_refused(tmp_path):
    with pytest.raises(SandboxError, match="no program files"):
        load(tmp_path)
    (tmp_path / "a.py").write_text("def f(x): return 0\n")
    with pytest.raises(SandboxError, match="first line"):
        load(tmp_path)
