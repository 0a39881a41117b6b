"""Scores: the yardstick is the library's, ours follow the formula, vectors estimate them."""

import numpy as np
import pytest

from memory.hologram.codebook import Codebook
from tests.trainers.code_trainer.small_repository import FILES, view_of
from trainers.code_trainer import scoring
from trainers.code_trainer.bm25 import bm25_scores
from trainers.code_trainer.encoder import (
    FUNCTION_LENGTH,
    CodeEncoder,
    saturated_weights,
    seen_through,
)
from trainers.code_trainer.tokens import tokens

ISSUE = "discount of a price\nthe DiscountRule is wrong"


def test_yardstick_equals_the_library_on_plain_tokens():
    import bm25s

    view = view_of()
    texts = [FILES[path] for path in view.paths]
    words = [tokens(text) or [""] for text in texts]
    library = bm25s.BM25()
    library.index(words, show_progress=False)
    known = {word for document in words for word in document}
    wanted = library.get_scores([word for word in tokens(ISSUE) if word in known])
    assert bm25_scores(view, ISSUE) == pytest.approx(wanted, abs=1e-5)


def test_path_tokens_help_the_yardstick():
    view = view_of()
    plain = bm25_scores(view, "mail sender")
    assert plain[view.number["shop/mail/sender.py"]] == 0
    assert int(np.argmax(bm25_scores(view, "mail sender", 3))) == view.number["shop/mail/sender.py"]


def test_saturation_by_hand():
    view = view_of()
    counts = scoring.term_counts(view, ["discount", "nowher"])
    weights = scoring.saturated(counts, np.full(counts.shape[0], 10.0))
    assert counts[:, 1].nnz == 0
    tf = counts.max()
    assert weights.max() == pytest.approx(tf * (scoring.K1 + 1) / (tf + scoring.K1))


def test_vectors_estimate_the_sparse_product():
    encoder = CodeEncoder(Codebook(10_000, seed=3))
    text = FILES["shop/prices.py"]
    issue = encoder.encode_issue(ISSUE)
    function = encoder.encode_function(text)
    assert encoder.encode_function(text) is function
    from trainers.code_trainer.issue import parse_issue
    from trainers.code_trainer.queries import weighted_queries

    query = weighted_queries(parse_issue(ISSUE))["all"]
    document = saturated_weights(text, FUNCTION_LENGTH)
    exact = sum(weight * document.get(name, 0.0) for name, weight in query.items())
    estimate = float(issue @ function) / encoder.codebook.dimensions
    noise = np.sqrt(
        sum(w**2 for w in query.values()) * sum(w**2 for w in document.values()) / 10_000
    )
    assert abs(estimate - exact) < 4 * noise


def test_seen_through_is_what_encoding_gives():
    encoder = CodeEncoder(Codebook(2_000, seed=1))
    document = saturated_weights(FILES["shop/basket.py"], FUNCTION_LENGTH)
    query = {"basket": 2.0, "item": 1.0, "unknown": 1.5}
    stems = sorted({*document, *query})
    weights = np.array([[query.get(name, 0.0)] for name in stems])
    seen = seen_through(encoder.codebook, stems, weights)
    folded = float(np.array([document.get(name, 0.0) for name in stems]) @ seen[:, 0])
    encoded = encoder.encode_weights(query) @ encoder.encode_weights(document) / 2_000
    assert folded == pytest.approx(float(encoded), rel=1e-4)


def test_empty_issue_encodes_to_zeros():
    assert not CodeEncoder(Codebook(100)).encode_issue("").any()
