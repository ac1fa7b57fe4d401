"""Left-out scores are those of a classifier that has never seen what is left out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.knowledge import classifier
from bot.knowledge.classifier import learn

Floats = NDArray[np.float64]


def texts(seed: int, count: int, articles: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(count, 16)).astype(np.float32)
    owners = np.sort(np.concatenate([np.arange(articles), random.integers(0, articles, count)]))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), owners[:count]


def learned_anew(vectors: Floats, owners: NDArray[np.int64], kept: NDArray[np.bool_]) -> Floats:
    """Ridge regression on the kernel, written down once more, for all texts."""
    units = vectors - vectors.mean(axis=0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    kernel = np.exp(2.0 * (units @ units.T - 1))
    wanted = np.eye(owners.max() + 1)[owners]
    ridge = kernel[np.ix_(kept, kept)] + 0.1 * np.eye(kept.sum())
    scores: Floats = kernel[:, kept] @ np.linalg.solve(ridge, wanted[kept])
    return scores


def test_a_text_left_out_is_scored_as_if_it_had_never_been_learned() -> None:
    vectors, owners = texts(1, 40, 6)
    _, left_out = learn(vectors, owners, owners.max() + 1, np.arange(40))
    assert left_out is not None
    for row in range(40):
        kept = np.arange(40) != row
        anew = learned_anew(vectors.astype(float), owners, kept)[row]
        assert left_out.without_text[row] == pytest.approx(anew, abs=1e-4)


def test_a_text_whose_article_is_left_out_is_scored_as_if_that_had_never_been_written() -> None:
    vectors, owners = texts(2, 40, 6)
    _, left_out = learn(vectors, owners, owners.max() + 1, np.arange(40))
    assert left_out is not None
    for row in range(40):
        anew = learned_anew(vectors.astype(float), owners, owners != owners[row])[row]
        anew[owners[row]] = 0
        assert left_out.without_article[row] == pytest.approx(anew, abs=1e-4)


def test_landmarks_say_nearly_what_all_texts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owners = texts(3, 60, 5)
    rows = np.arange(0, 60, 3)
    exact, exact_left_out = learn(vectors, owners, owners.max() + 1, rows)
    monkeypatch.setattr(classifier, "_MOST_EXACT", 10)
    monkeypatch.setattr(classifier, "_LANDMARKS", 60)
    through, left_out = learn(vectors, owners, owners.max() + 1, rows)
    assert exact_left_out is not None
    assert left_out is not None
    assert through.scores(vectors) == pytest.approx(exact.scores(vectors), abs=0.02)
    assert left_out.without_text == pytest.approx(exact_left_out.without_text, abs=0.02)
    assert left_out.without_article == pytest.approx(exact_left_out.without_article, abs=0.02)


def test_texts_that_are_all_the_same_give_numbers() -> None:
    vectors = np.full((12, 16), 0.25, dtype=np.float32)
    owners = np.repeat(np.arange(4), 3)
    found, left_out = learn(vectors, owners, 4, np.arange(12))
    assert left_out is not None
    assert np.isfinite(found.scores(vectors)).all()
    assert np.isfinite(left_out.without_text).all()
    assert np.isfinite(left_out.without_article).all()
