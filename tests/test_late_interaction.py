"""Each token of a question looks for its nearest in all texts of an article."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.knowledge.embedding.cache import Codes, Vectors
from bot.knowledge.search.late_interaction import TokenBags, directions, mean_direction, shifted

DIMENSIONS = 8
Bags = Sequence[Sequence[Codes]]
"""Tokens of the texts of each article."""


def text(random: np.random.Generator, tokens: int) -> Codes:
    """Directions in whole numbers, each as long as 127 allows."""
    return rounded(random.normal(size=(tokens, DIMENSIONS)))


def rounded(vectors: NDArray[np.float64]) -> Codes:
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    codes: Codes = np.rint(vectors * 127 / largest).astype(np.int8)
    return codes


def bags(articles: Bags) -> TokenBags:
    texts = [each for article in articles for each in article]
    owners = np.repeat(np.arange(len(articles)), [len(article) for article in articles])
    return TokenBags(texts, owners, len(articles))


def said(question: Codes, texts: Sequence[Codes]) -> float:
    """The same, written down once more: each token's largest cosine, and the mean of them."""

    tokens = [_unit(each.astype(np.float64)) for each in texts if len(each)]
    if not tokens or not len(question):
        return 0.0
    asked = _unit(question.astype(np.float64))
    everything = np.concatenate(tokens)
    return float(np.mean([max(float(mine @ each) for each in everything) for mine in asked]))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@st.composite
def articles_and_questions(draw: st.DrawFn) -> tuple[list[list[Codes]], list[Codes]]:
    """A few small articles, of which some texts have no token, and questions, the same."""
    random = np.random.default_rng(draw(st.integers(0, 10_000)))
    sizes = st.lists(st.integers(0, 3), min_size=1, max_size=4)
    articles = draw(st.lists(sizes, min_size=1, max_size=4))
    questions = draw(st.lists(st.integers(0, 3), max_size=4))
    return (
        [[text(random, size) for size in article] for article in articles],
        [text(random, size) for size in questions],
    )


@given(articles_and_questions())
def test_a_score_is_the_mean_of_the_largest_cosines(
    drawn: tuple[list[list[Codes]], list[Codes]],
) -> None:
    articles, questions = drawn
    found = bags(articles)
    for number, article in enumerate(articles):
        for question in questions:
            score = found.score(number, directions(question))
            assert score == pytest.approx(said(question, article), abs=1e-5)


@given(articles_and_questions())
def test_a_text_left_out_counts_as_if_it_had_never_been_written(
    drawn: tuple[list[list[Codes]], list[Codes]],
) -> None:
    articles, questions = drawn
    asked = [directions(each) for each in questions]
    found = bags(articles)
    row = 0
    for number, article in enumerate(articles):
        for place in range(len(article)):
            rest = [*article[:place], *article[place + 1 :]]
            # An article more, so that never everything is left out.
            anew = bags([*articles[:number], rest, *articles[number + 1 :], [article[place]]])
            scores = found.scores_without(number, asked, [row] * len(asked))
            assert scores == pytest.approx([anew.score(number, each) for each in asked], abs=1e-5)
            row += 1


@given(articles_and_questions(), st.integers(0, 10_000))
def test_several_questions_at_once_are_answered_as_one_at_a_time(
    drawn: tuple[list[list[Codes]], list[Codes]], seed: int
) -> None:
    articles, questions = drawn
    random, found = np.random.default_rng(seed), bags(articles)
    asked = [directions(each) for each in questions]
    first = 0
    for number, article in enumerate(articles):
        texts = [int(each) for each in random.integers(-1, len(article), len(asked))]
        texts = [first + each if each >= 0 else -1 for each in texts]
        together = found.scores_without(number, asked, texts)
        alone = [
            found.scores_without(number, [question], [left_out])[0]
            for question, left_out in zip(asked, texts, strict=True)
        ]
        assert together == pytest.approx(alone, abs=1e-6)
        first += len(article)


@given(articles_and_questions())
def test_with_nothing_left_out_the_score_is_what_it_is(
    drawn: tuple[list[list[Codes]], list[Codes]],
) -> None:
    articles, questions = drawn
    found = bags(articles)
    asked = [directions(each) for each in questions]
    for number in range(len(articles)):
        plain = [found.score(number, each) for each in asked]
        assert found.scores_without(number, asked, [-1] * len(asked)) == pytest.approx(plain)


@given(st.integers(0, 10_000))
def test_whole_numbers_say_nearly_what_the_vectors_say(seed: int) -> None:
    random = np.random.default_rng(seed)
    article, question = random.normal(size=(2, 6, 384))
    exact = _unit(question) @ _unit(article).T
    score = bags([[rounded(article)]]).score(0, directions(rounded(question)))
    assert score == pytest.approx(float(exact.max(axis=1).mean()), abs=0.01)


def test_a_text_finds_itself_and_an_article_without_it_finds_less() -> None:
    random = np.random.default_rng(0)
    mine, other, elsewhere = (text(random, 3) for _ in range(3))
    found = bags([[mine, other], [elsewhere]])
    asked = directions(mine)
    assert found.score(0, asked) == pytest.approx(1, abs=1e-6)
    without_mine, without_other = found.scores_without(0, [asked, asked], [0, 1])
    assert without_mine < 0.9
    assert without_other == pytest.approx(1, abs=1e-6)
    assert found.score(1, asked) < 0.9


@pytest.mark.parametrize("tokens", [0, 2])
def test_an_article_whose_only_text_is_left_out_says_nothing(tokens: int) -> None:
    random = np.random.default_rng(0)
    found = bags([[text(random, tokens)], [text(random, 2)]])
    asked = directions(text(random, 3))
    assert found.scores_without(0, [asked, asked], [0, 0]) == [0.0, 0.0]


def test_questions_and_articles_without_tokens_say_nothing() -> None:
    random = np.random.default_rng(0)
    nothing, something = text(random, 0), text(random, 2)
    found = bags([[nothing, nothing], [something, nothing], [nothing]])
    for number in range(3):
        assert found.score(number, directions(nothing)) == 0
        assert found.scores_without(number, [], []) == []
    assert found.score(0, directions(something)) == found.score(2, directions(something)) == 0
    assert found.score(1, directions(something)) == pytest.approx(1, abs=1e-6)
    assert bags([[nothing], [nothing]]).score(1, directions(something)) == 0


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_directions_are_of_length_one_and_point_where_they_pointed(seed: int, tokens: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(tokens, 64))
    found: Vectors = directions(rounded(vectors))
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(tokens), abs=1e-5)
    assert (np.einsum("td,td->t", found, _unit(vectors)) > 0.999).all()
    assert mean_direction(rounded(vectors)) == pytest.approx(found.mean(axis=0), abs=1e-6)


def test_a_token_without_direction_is_no_nearer_to_anything() -> None:
    random = np.random.default_rng(0)
    lost = np.zeros((1, DIMENSIONS), dtype=np.int8)
    assert not directions(lost).any()
    asked = text(random, 2)
    assert bags([[lost]]).score(0, directions(asked)) == 0
    assert bags([[asked]]).score(0, directions(lost)) == 0
    half = bags([[asked]]).score(0, directions(np.concatenate([asked[:1], lost])))
    assert half == pytest.approx(0.5, abs=1e-6)


def test_a_text_without_tokens_points_nowhere() -> None:
    nowhere = mean_direction(np.zeros((0, DIMENSIONS), dtype=np.int8))
    assert nowhere.shape == (DIMENSIONS,)
    assert not nowhere.any()


def test_shifted_directions_are_unit_vectors_moved_one_way() -> None:
    random = np.random.default_rng(1)
    before, shift = directions(text(random, 5)), random.normal(size=DIMENSIONS)
    after = shifted(before, shift)
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.ones(5))
    assert (after @ shift > before @ shift).all()
    assert shifted(before, 0.0) == pytest.approx(before)
