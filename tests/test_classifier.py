"""Left-out scores are those of a classifier that has never seen what is left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.knowledge.search import classifier
from bot.knowledge.search.classifier import learn

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]


def texts(seed: int, count: int, articles: int, dimensions: int = 16) -> tuple[Vectors, Rows]:
    """Vectors in a narrow cone, as a model of languages gives them, and whose they are."""
    random = np.random.default_rng(seed)
    topics = random.normal(size=(articles, dimensions))
    owners = np.sort(np.concatenate([np.arange(articles), random.integers(0, articles, count)]))
    vectors = 3 + topics[owners] + random.normal(size=(len(owners), dimensions))
    return _normalised(vectors), owners


def _normalised(vectors: NDArray[np.floating]) -> Vectors:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Written:
    """The same ridge regression, written down once more and learned anew each time."""

    def __init__(self, vectors: Vectors, owners: Rows) -> None:
        self._centre = vectors.astype(float).mean(axis=0)
        self._units = self._unit(vectors)
        self._owners = owners
        self._wanted = np.eye(owners.max() + 1)[owners]

    def _unit(self, vectors: Vectors) -> Scores:
        centred = vectors.astype(float) - self._centre
        return centred / np.linalg.norm(centred, axis=1, keepdims=True)

    def scores(self, vectors: Vectors, kept: NDArray[np.bool_]) -> Scores:
        def kernel(one: Scores) -> Scores:
            return np.exp(2.0 * (one @ self._units[kept].T - 1))

        ridge = kernel(self._units[kept]) + 0.1 * np.eye(kept.sum())
        return kernel(self._unit(vectors)) @ np.linalg.solve(ridge, self._wanted[kept])


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(0, 40))
def test_scores_are_those_of_a_ridge_regression_on_all_texts(
    seed: int, articles: int, count: int
) -> None:
    vectors, owners = texts(seed, count + 2, articles)
    found, _ = learn(vectors, owners, articles, np.arange(0))
    asked, _ = texts(seed + 1, 5, articles)
    everything = np.ones(len(owners), dtype=bool)
    anew = Written(vectors, owners).scores(asked, everything)
    assert found.scores(asked) == pytest.approx(anew, abs=1e-4)


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(0, 40))
def test_a_text_left_out_is_scored_as_if_it_had_never_been_learned(
    seed: int, articles: int, count: int
) -> None:
    vectors, owners = texts(seed, count + 2, articles)
    rows = np.arange(0, len(owners), 3)
    _, left_out = learn(vectors, owners, articles, rows)
    written = Written(vectors, owners)
    for place, row in enumerate(rows):
        anew = written.scores(vectors[[row]], np.arange(len(owners)) != row)[0]
        assert left_out.without_text[place] == pytest.approx(anew, abs=1e-4)


@given(st.integers(0, 1000), st.integers(1, 8), st.integers(0, 40))
def test_a_text_without_its_article_is_scored_as_if_that_had_never_been_written(
    seed: int, articles: int, count: int
) -> None:
    vectors, owners = texts(seed, count + 2, articles)
    rows = np.arange(0, len(owners), 3)
    _, left_out = learn(vectors, owners, articles, rows)
    written = Written(vectors, owners)
    for place, row in enumerate(rows):
        anew = written.scores(vectors[[row]], owners != owners[row])[0]
        anew[owners[row]] = 0
        assert left_out.without_article[place] == pytest.approx(anew, abs=1e-4)


def test_it_is_exact_where_texts_are_taken_in_several_goes() -> None:
    vectors, owners = texts(3, 2600, 40)
    rows = np.arange(5, len(owners), 1200)
    _, left_out = learn(vectors, owners, 40, rows)
    written = Written(vectors, owners)
    for place, row in enumerate(rows):
        anew = written.scores(vectors[[row]], np.arange(len(owners)) != row)[0]
        assert left_out.without_text[place] == pytest.approx(anew, abs=1e-3)


def test_landmarks_say_nearly_what_all_texts_say(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, owners = texts(3, 400, 10, dimensions=4)
    rows = np.arange(0, len(owners), 7)
    exact, exact_left_out = learn(vectors, owners, 10, rows)
    monkeypatch.setattr(classifier, "_MOST_EXACT", 10)
    monkeypatch.setattr(classifier, "_LANDMARKS", 150)
    through, left_out = learn(vectors, owners, 10, rows)
    assert len(through.landmarks) == 150
    for one, other in (
        (through.scores(vectors), exact.scores(vectors)),
        (left_out.without_text, exact_left_out.without_text),
        (left_out.without_article, exact_left_out.without_article),
    ):
        assert np.abs(one - other).max() < 0.1
        assert np.abs(one - other).mean() < 0.01


def test_with_every_text_a_landmark_left_out_scores_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors, owners = texts(3, 60, 5)
    rows = np.arange(0, len(owners), 3)
    _, exact = learn(vectors, owners, 5, rows)
    monkeypatch.setattr(classifier, "_MOST_EXACT", 10)
    monkeypatch.setattr(classifier, "_LANDMARKS", len(owners))
    _, through = learn(vectors, owners, 5, rows)
    assert through.without_text == pytest.approx(exact.without_text, abs=0.01)
    assert through.without_article == pytest.approx(exact.without_article, abs=0.01)


@pytest.mark.parametrize("articles", [1, 4, 12])
def test_texts_that_are_all_the_same_tell_no_article_from_another(articles: int) -> None:
    vectors = _normalised(np.tile(np.random.default_rng(0).normal(size=384), (24, 1)))
    owners = np.repeat(np.arange(articles), 24 // articles)
    found, left_out = learn(vectors, owners, articles, np.arange(24))
    asked, _ = texts(1, 5, 1, dimensions=384)
    for scores in (found.scores(vectors), found.scores(asked), left_out.without_text):
        assert np.isfinite(scores).all()
    assert np.ptp(found.scores(asked), axis=1) == pytest.approx(0, abs=1e-3)
    assert np.isfinite(left_out.without_article).all()
    assert np.abs(left_out.without_article).max() < 1


def test_a_thousand_times_the_same_text_in_one_article_is_left_out_exactly() -> None:
    vectors, owners = texts(5, 60, 6)
    vectors = np.concatenate([np.tile(vectors[:1], (1000, 1)), vectors])
    owners = np.concatenate([np.zeros(1000, dtype=np.int64), owners])
    rows = np.array([0, 999])
    _, left_out = learn(vectors, owners, 6, rows)
    anew = Written(vectors, owners).scores(vectors[:1], owners != 0)[0]
    anew[0] = 0
    assert left_out.without_article[0] == pytest.approx(anew, abs=0.01)


def test_with_the_only_article_left_out_nothing_is_left() -> None:
    vectors, owners = texts(5, 6, 1)
    _, left_out = learn(vectors, owners, 1, np.arange(7))
    assert not left_out.without_article.any()


def test_thousands_of_articles_and_few_landmarks_give_numbers() -> None:
    vectors, owners = texts(6, 0, 7000, dimensions=8)
    found, left_out = learn(vectors, owners, 7000, np.arange(0, 7000, 700))
    assert found.weights.size <= 6_000_000
    assert np.isfinite(found.weights).all()
    assert np.isfinite(left_out.without_text).all()
