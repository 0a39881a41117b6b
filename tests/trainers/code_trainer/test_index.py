"""The index keeps counts by content, on disk, and reads only what is new."""

import numpy as np
import pytest

from tests.trainers.code_trainer.small_repository import FILES, view_of
from trainers.code_trainer.index import RepositoryIndex
from trainers.code_trainer.tokens import pair_code, stem, tokens, tokens_of
from trainers.errors import TrainerError


def test_tokens():
    assert tokens_of("HTTPServerName") == ("httpservername", "http", "server", "name")
    assert tokens("apply_discount x2") == ["apply_discount", "apply", "discount", "x2", "x", "2"]
    assert stem("caches") == stem("cached") == stem("caching")
    assert stem("class") == "class"


def test_incremental_and_persistent(tmp_path):
    path = tmp_path / "a" / "index.db"
    index = RepositoryIndex(path)
    read = []
    texts = {f"id{n}": text for n, text in enumerate(FILES.values())}

    def text(content):
        read.append(content)
        return texts[content]

    assert index.add(list(texts)[:3], text) == 3
    assert index.add(texts, text) == len(texts) - 3
    assert sorted(read) == sorted(texts)
    counts = index.counts()
    index.close()
    again = RepositoryIndex(path)
    assert again.add(texts, text) == 0
    assert (again.counts().terms != counts.terms).nnz == 0
    assert (again.counts().pair_ids == counts.pair_ids).all()
    assert len(again) == len(texts)


def test_counts_are_the_texts(tmp_path):
    view = view_of()
    counts = view.index.counts().terms.tocsr()
    in_file = np.asarray((view.file_sum @ counts[view.chunk_row]).todense())
    column = view.index.vocabulary["discount"]
    wanted = tokens(FILES["shop/prices.py"]).count("discount")
    assert in_file[view.number["shop/prices.py"], column] == wanted
    assert pair_code("raise", "ValueError") in view.index.counts().pair_ids


def test_equal_chunks_are_stored_once():
    index = RepositoryIndex()
    text = FILES["shop/prices.py"]
    index.add(["a", "b"], {"a": text, "b": text + "\n\ndef more():\n    pass\n"}.__getitem__)
    shared = set(index.facts("a").rows.tolist()) & set(index.facts("b").rows.tolist())
    assert len(shared) >= 3


def test_broken_file_and_unknown_content(tmp_path):
    path = tmp_path / "index.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(TrainerError, match="delete it"):
        RepositoryIndex(path)
    with pytest.raises(TrainerError, match="add it first"):
        RepositoryIndex().facts("x")


def test_view_resolves_imports_and_definitions():
    view = view_of()
    at = view.number
    edges = view.imports.toarray()
    assert edges[at["shop/basket.py"], at["shop/prices.py"]] == 1
    assert edges[at["shop/mail/sender.py"], at["shop/basket.py"]] == 1
    (chunk,) = view.definitions["apply_discount"]
    assert view.chunk_names[chunk] == "DiscountRule.apply_discount"
    assert view.modules["shop"] == at["shop/__init__.py"]
