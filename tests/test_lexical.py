"""The share of a question's words that an article has."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.search.lexical import LexicalIndex

WORDS = st.sampled_from(["refund", "money", "days", "delivery", "bike", "tyre", "the", "ราคา"])
DOCUMENTS = st.lists(st.lists(WORDS, max_size=12), min_size=1, max_size=6)


def index(*documents: str) -> LexicalIndex:
    return LexicalIndex([Counter(document.split()) for document in documents])


def test_the_article_with_the_questions_rare_words_comes_first() -> None:
    scores = index("the refund of the money", "the delivery in days", "the bike").scores(
        ["the", "refund"]
    )
    assert scores.argmax() == 0
    assert scores[1] > 0, "it has one of the words"


@given(DOCUMENTS, st.lists(st.one_of(WORDS, st.text(max_size=5)), max_size=12))
def test_a_share_is_between_0_and_1_whatever_is_asked(
    documents: list[list[str]], tokens: list[str]
) -> None:
    scores = LexicalIndex([Counter(document) for document in documents]).scores(tokens)
    assert scores.shape == (len(documents),)
    assert (scores >= 0).all()
    assert (scores < 1).all()


def test_words_that_no_article_has_count_as_not_found() -> None:
    words = index("refund money", "delivery days")
    assert (words.scores(["zzz"]) == 0).all()
    assert words.scores(["refund", "zzz"])[0] < words.scores(["refund"])[0]


def test_saying_a_word_twice_says_no_more() -> None:
    words = index("refund money", "delivery days")
    assert words.scores(["refund", "refund"]) == pytest.approx(words.scores(["refund"]))


def test_articles_without_any_word_have_no_share() -> None:
    for words in (index(""), index("", ""), LexicalIndex([])):
        assert not words.scores(["refund"]).any()


@given(DOCUMENTS, st.lists(WORDS, max_size=4))
def test_nothing_left_out_leaves_the_share_as_it_is(
    documents: list[list[str]], tokens: list[str]
) -> None:
    words = LexicalIndex([Counter(document) for document in documents])
    for place, document in enumerate(documents):
        padded = Counter(document)
        kept = words.score_without([], padded)
        assert kept == 0, "no question, no share"
        padded.update(tokens)
        assert words.score_without(tokens, padded) == pytest.approx(
            float(words.scores(tokens)[place]), abs=1e-6
        )


def test_a_text_left_out_takes_its_words_and_its_length_with_it() -> None:
    question = ["refund", "days"]
    others = [Counter(["delivery", "days", "bike", "bike"]), Counter(["tyre", "money"])]
    body = Counter(["refund", "money", "days", "days", "tyre"])
    left_out = LexicalIndex([body + Counter(question), *others]).score_without(
        question, body + Counter(question)
    )
    # Two articles more: one keeps what is known of words, one the mean length.
    shorter = LexicalIndex([body, *others])
    assert left_out == pytest.approx(float(shorter.scores(question)[0]), abs=0.05)


def test_what_only_the_question_itself_brought_is_worth_nothing() -> None:
    document = Counter({"refund": 2, "money": 1, "days": 1})
    words = LexicalIndex([document, Counter(["bike"])])
    assert words.score_without(["refund", "refund"], document) == 0
    assert 0 < words.score_without(["refund"], document) < 1


def test_ten_thousand_articles_that_are_all_the_same_share_alike() -> None:
    words = LexicalIndex([Counter(["return", "it"])] * 10_000)
    scores = words.scores(["return", "it"])
    assert np.isfinite(scores).all()
    assert scores.min() == scores.max()
