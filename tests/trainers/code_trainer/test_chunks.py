"""Files are cut into chunks that share no line, also where they do not parse."""

import ast

from hypothesis import given
from hypothesis import strategies as st

from tests.trainers.code_trainer.small_repository import FILES
from trainers.code_trainer.chunks import MODULE, parse_file


def test_names_kinds_and_lines():
    parsed = parse_file(FILES["shop/prices.py"])
    found = [(c.name, c.kind, c.start, c.end) for c in parsed.chunks]
    assert parsed.parsed
    assert [name for name, *_ in found] == [
        MODULE, "add_tax", "DiscountRule", "DiscountRule.apply_discount", "DiscountRule.describe",
    ]  # fmt: skip
    lines = FILES["shop/prices.py"].split("\n")
    for name, kind, start, end in found[1:]:
        assert name.rpartition(".")[2] in lines[start - 1]
        assert kind == ("class" if name == "DiscountRule" else "function")
        assert end >= start
    assert parsed.constants == ("RATE",)


def test_class_chunk_lacks_its_methods_lines():
    chunks = {c.name: c.text for c in parse_file(FILES["shop/prices.py"]).chunks}
    assert "percent = 10" in chunks["DiscountRule"]
    assert "apply_discount" not in chunks["DiscountRule"]


def test_decorators_belong_to_their_function():
    text = "import a\n\n@a.b(\n    1)\n@c\ndef f():\n    return 1\n\n@d\nclass K:\n    pass\n"
    found = {c.name: (c.start, c.end) for c in parse_file(text).chunks}
    assert found["f"] == (3, 7)
    assert found["K"] == (9, 11)


def test_definition_inside_a_string_is_no_chunk():
    text = 'TEXT = """\ndef not_this():\n    pass\n"""\n\ndef real():\n    return TEXT\n'
    names = [c.name for c in parse_file(text).chunks]
    assert names == [MODULE, "real"]


def test_python_2_is_cut_by_indentation():
    text = (
        "class A:\n    def f(self):\n        print 'x'\n\n    def g(self):\n        pass\n\ny = 1\n"
    )
    parsed = parse_file(text)
    assert not parsed.parsed
    found = {c.name: (c.start, c.end) for c in parsed.chunks}
    assert found["A.f"] == (2, 3)
    assert found["A.g"] == (5, 6)


def test_imports():
    text = "import os.path\nfrom ..a import b, c as d\nfrom x import *\n"
    found = [(i.module, i.names) for i in parse_file(text).imports]
    assert found == [("os.path", ()), ("..a", ("b", "c")), ("x", ())]


@given(st.lists(st.sampled_from([*FILES.values(), "x = 1\n", "@d\ndef q():\n  pass\n"])))
def test_blocks_give_what_the_whole_file_gives(parts):
    text = "\n".join(parts)
    parsed = parse_file(text)
    names = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    assert sorted(c.name.rpartition(".")[2] for c in parsed.chunks[1:]) == sorted(names)
    tops = {node.name: node.end_lineno for node in ast.parse(text).body if hasattr(node, "name")}
    last = {c.name: c.end for c in parsed.chunks if "." not in c.name and c.kind != "module"}
    assert last == tops


@given(st.text(max_size=200))
def test_any_text_is_cut(text):
    assert parse_file(text).chunks[0].name == MODULE
