"""The CTM as an editor: its edits come in order, each once, and only a promoted model edits."""

import pytest
import torch

from kent.ctm_editor import CTMEditor, open_ctm
from memory.store import Store
from trainers.ctm.config import preset
from trainers.ctm.data.grid import CTMGridEncoder
from trainers.ctm.data.program import Program
from trainers.ctm.data.tokenizer import CodeTokenizer
from trainers.ctm.models import build
from trainers.ctm.repair import Repairer
from trainers.fractal.python.localise import Evidence

SOURCES = [
    f"def {name}(a, b):\n    if a {sign} b:\n        return a + {number}\n    return [b, a]\n"
    for name, sign, number in (
        ("low", "<", 1),
        ("high", ">", 2),
        ("same", "==", 3),
        ("all", "<=", 4),
    )
]
CODE = "def f(a, b):\n    return a - b\n"


@pytest.fixture(scope="module")
def editor():
    tokenizer = CodeTokenizer.train((Program.of(code).values for code in SOURCES), 1024)
    torch.manual_seed(0)
    shape = preset("tiny", vocab_size=tokenizer.size, grid_height=16, grid_width=24, iterations=2)
    return lambda: CTMEditor(Repairer(build("ctm", shape)), CTMGridEncoder(tokenizer, 16, 24))


def test_asked_again_it_goes_on_and_never_gives_the_program_itself(editor):
    one = editor()
    first = one.edits(CODE, "Difference.", Evidence(), 3)
    rest = one.edits(CODE, "Difference.", Evidence(), 100)
    more = one.edits(CODE, "Difference.", Evidence(), 200)
    assert len(first) == 3
    assert rest
    assert len(more) > len(first) + len(rest)
    assert one.edits(CODE, "Difference.", Evidence(), 3) == []
    assert len({CODE, *first, *rest, *more}) == 1 + len(first) + len(rest) + len(more)


def test_what_does_not_parse_is_edited_and_what_is_too_large_is_not(editor):
    assert editor().edits("def f(a, b:\n    return a - b\n", "", Evidence(), 5)
    assert editor().edits("x = 1\n" * 500, "", Evidence(), 5) == []


def test_no_model_edits_before_one_was_promoted(tmp_path):
    with Store.open(tmp_path / "kent.db") as store:
        assert open_ctm(store, tmp_path) is None
