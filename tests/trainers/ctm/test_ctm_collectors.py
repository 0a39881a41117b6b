"""Collectors: git, ruff, Stack Exchange and the store, and what each leaves out."""

from collections import Counter
from pathlib import Path

import git
import pytest

from memory.repair_records import RepairPair, RepairPairRow
from trainers.ctm.data.collectors.git import git_pairs
from trainers.ctm.data.collectors.linters import lint_pairs
from trainers.ctm.data.collectors.pairs import store_pairs
from trainers.ctm.data.collectors.stack_exchange import code_blocks, stack_exchange_pairs
from trainers.ctm.data.corpus import Package
from trainers.errors import CTMDataError, TaskError

SOUND = '''class Box:
    def add(self, item):
        """Add."""
        if item in self.items:
            return False
        self.items.append(item)
        return True


def other(a):
    return a
'''


class History:
    """A repository that gets one commit after another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._repo = git.Repo.init(folder)
        with self._repo.config_writer() as config:
            config.set_value("user", "name", "a").set_value("user", "email", "a@b.c")

    def commit(self, message: str, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/").replace("_py", ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._repo.git.add(all=True)
        self._repo.index.commit(message)

    def close(self) -> None:
        self._repo.close()


@pytest.fixture
def history(tmp_path):
    found = History(tmp_path / "repo")
    yield found
    found.close()


def test_a_fix_of_one_function_is_a_pair_and_other_commits_are_not(history):
    broken = SOUND.replace("item in", "item not in")
    history.commit("Add a box", a_py=broken, LICENSE="MIT License\n\ntext")
    history.commit("Fix membership of a box", a_py=SOUND, tests__test_a_py="x = 1\n")
    history.commit("Fix typos", a_py=SOUND.replace("Add.", "Adds."))
    history.commit("Fix the docs", a_py=SOUND.replace("return a", "return  a"))
    history.commit("Change it all", a_py=SOUND.replace("return a", "return [a]"))
    two = SOUND.replace("return a", "return 1").replace("return True", "return 1")
    counts = Counter()
    history.commit("Fix two functions", a_py=two)
    (pair,) = git_pairs(history.folder, count=lambda reason: counts.update([reason]))
    assert pair.bug_class == "other"
    assert pair.broken.startswith("def add(self, item):\n    ")
    assert "item not in" in pair.broken
    assert "item in" in pair.fixed
    assert pair.group.endswith("a.py")
    assert pair.origin["licence"] == "MIT License"
    assert counts == {"not one function changed": 1}


def test_a_version_that_did_not_parse_is_a_syntax_pair(history):
    history.commit("Add a box", a_py=SOUND.replace("self.items:", "self.items"))
    history.commit("Fix error", a_py=SOUND)
    (pair,) = git_pairs(history.folder)
    assert pair.bug_class == "syntax"
    assert "if item in self.items\n" in pair.broken


def test_no_repository_is_one_clear_error(tmp_path):
    with pytest.raises(TaskError, match=r"no git repository|not a git"):
        list(git_pairs(tmp_path))


LINTED = """def pairs(one, two):
    for a, b in zip(one, two):
        warnings.warn(a)
    try:
        value = 1
    except ValueError as error:
        raise RuntimeError("x") from None
    return [one for one in two]


def none(x):
    if x == None:
        import os
        return f"text"
    return x
"""


def test_a_finding_with_a_fix_is_a_pair_of_the_function_around_it(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "a.py").write_text(LINTED)
    (tmp_path / "pack" / "b.py").write_text("def broken(:\n")
    package = Package("pack", "1", "MIT", tmp_path, ("pack/a.py", "pack/b.py"))
    counts = Counter()
    found = list(lint_pairs(package, package.files, count=lambda why: counts.update([why])))
    rules = {pair.origin["rule"] for pair in found}
    assert {"F401", "F541", "F841", "B007"} <= rules
    assert not {"B905", "B028"} & rules
    for pair in found:
        assert pair.bug_class == "lint"
        assert pair.broken != pair.fixed
        assert pair.broken.startswith("def ")
        assert pair.origin["licence"] == "MIT"
        assert pair.group == "pack/pack/a.py"


ASKED = (
    "&lt;p&gt;Why?&lt;/p&gt;&lt;pre&gt;&lt;code&gt;def f(items):&#xA;"
    "    for item in items&#xA;        print(item)&#xA;&lt;/code&gt;&lt;/pre&gt;"
)
ROW = (
    '<row Id="{id}" PostTypeId="{kind}" {more} OwnerUserId="7" ContentLicense="CC BY-SA 4.0" '
    'Body="{body}" />\n'
)


def posts(path: Path, *rows: str, end: str = "</posts>") -> Path:
    path.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<posts>\n{"".join(rows)}{end}')
    return path


def question(number=1, answer=2, tags="&lt;python&gt;", body=ASKED):
    more = f'AcceptedAnswerId="{answer}" Tags="{tags}"'
    return ROW.format(id=number, kind=1, more=more, body=body)


def answer(number=2, body=ASKED.replace("items&#xA;", "items:&#xA;")):
    return ROW.format(id=number, kind=2, more='ParentId="1"', body=body)


def test_code_of_a_question_and_its_accepted_answer_is_a_pair(tmp_path):
    path = posts(tmp_path / "Posts.xml", question(), answer(3), answer())
    (pair,) = stack_exchange_pairs(path)
    assert pair.bug_class == "syntax"
    assert pair.fixed == "def f(items):\n    for item in items:\n        print(item)\n"
    assert pair.origin["licence"] == "CC BY-SA 4.0"
    assert (pair.origin["question"], pair.origin["answer"]) == ("1", "2")
    assert pair.group == "question/1"


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([question(tags="|java|"), answer()], {}),
        ([question(), answer(body="&lt;pre&gt;&lt;code&gt;print(1)&lt;/code&gt;&lt;/pre&gt;")],
         {"no block of the question is like it": 1}),
        ([question(), answer(body=ASKED.replace("print(item)", "print(item"))],
         {"the answer's block does not parse": 1}),
        ([question(), answer(body=ASKED)], {"no block of the question is like it": 1}),
    ],
    ids=["java", "unlike", "unparsed", "same"],
)  # fmt: skip
def test_other_posts_give_no_pair_and_are_counted(tmp_path, rows, reasons):
    counts = Counter()
    path = posts(tmp_path / "Posts.xml", *rows)
    found = list(stack_exchange_pairs(path, count=lambda why: counts.update([why])))
    assert found == []
    assert counts == reasons


def test_a_cut_dump_gives_what_came_before_and_one_clear_error(tmp_path):
    path = posts(tmp_path / "Posts.xml", question(), answer(), end="<row Id=")
    pairs = stack_exchange_pairs(path)
    assert next(pairs).source == "stack_exchange"
    with pytest.raises(CTMDataError, match="no whole XML file"):
        next(pairs)
    with pytest.raises(CTMDataError, match="cannot be read"):
        next(stack_exchange_pairs(tmp_path / "none.xml"))


def test_only_code_in_pre_is_a_block():
    html = "<p><code>x</code></p><pre>no</pre><pre><code>a &lt; b\n</code></pre>"
    assert code_blocks(html) == ("a < b\n",)


def test_pairs_of_the_store_only_train():
    rows = [
        RepairPair(RepairPairRow("mbpp/601", 1, 2, 0.9, 5), "x = 1\n", "x = 2\n"),
        RepairPair(RepairPairRow("mbpp/602", 3, 4, 0.9, 6), "x = 1\n", "x = 1\n"),
    ]
    (pair,) = store_pairs(rows)
    assert pair.train_only
    assert pair.origin == {"problem": "mbpp/601", "broken_sample": 1, "fixed_sample": 2}
