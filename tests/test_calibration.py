"""What a knowledge base learns from asking itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.calibration import SCALES, Asked, Calibration, calibrate
from bot.knowledge.lexical import LexicalIndex

ARTICLES = 12


def questions(seed: int, count: int, clarity: float) -> tuple[Asked, Asked]:
    """Questions whose own article stands out as far as `clarity` says, and without it."""
    random = np.random.default_rng(seed)
    evidence = random.uniform(0.0, 0.3, (count, ARTICLES, 3)).astype(np.float32)
    evidence[:, :, 0] += 0.6
    right = random.integers(0, ARTICLES, count)
    nobody = evidence.copy()
    n = np.arange(count)
    evidence[n, right] += clarity * random.uniform(0, 1, (count, 1)).astype(np.float32)
    nobody[n, right] = 0
    ones = np.ones(count)
    return (
        Asked.of(evidence * SCALES, right, ones),
        Asked.of(nobody * SCALES, np.full(count, -1), ones),
    )


def calibrated(clarity: float, count: int = 300) -> Calibration:
    return calibrate([questions(1, count, clarity)], example_questions=True)


def test_no_kind_of_evidence_counts_against_an_article() -> None:
    for clarity in (0.0, 0.3, 0.8):
        found = calibrated(clarity)
        assert (found.weights >= 0).all()
        assert (found.slopes >= 0).all()


@given(st.integers(0, 1000), st.integers(0, 2), st.floats(0, 3))
def test_more_evidence_for_an_article_never_makes_it_less_probable(
    seed: int, kind: int, more: float
) -> None:
    found = calibrated(0.5, 60)
    evidence = np.random.default_rng(seed).uniform(0, 3, (ARTICLES, 3)).astype(np.float32)
    place = int(found.order(evidence).argmax())
    before = found.probability(evidence, found.order(evidence), place)
    evidence[place, kind] += more
    after = found.probability(evidence, found.order(evidence), place)
    assert 0 <= before <= after + 1e-9 <= 1 + 1e-9


def test_the_bar_rises_with_the_precision_that_is_asked_for() -> None:
    found = calibrated(0.5)
    bars = [found.bar(precision) for precision in (0.6, 0.8, 0.9, 0.95, 0.99)]
    assert bars == sorted(bars)
    assert bars[0] < bars[-1]


def test_without_any_question_the_usual_values_serve() -> None:
    found = calibrate([], example_questions=False)
    assert found.bar(0.9) == pytest.approx(0.9)
    assert (found.weights > 0).all()


def test_people_who_say_that_answers_are_wrong_lower_the_confidence() -> None:
    own = questions(1, 100, 0.5)
    evidence = own[0].evidence[:50]
    wrong = Asked(evidence, np.full(50, -1), np.full(50, 1.0))
    before = calibrate([own], example_questions=True)
    after = calibrate([own], [wrong], example_questions=True)
    one, place = own[0].evidence[60], int(own[0].right[60])
    assert after.probability(one, after.order(one), place) < before.probability(
        one, before.order(one), place
    )


def test_the_share_of_words_found_leaves_out_what_the_question_itself_brought() -> None:
    index = LexicalIndex([["refund", "money", "refund", "days"], ["delivery", "days"], ["bike"]])
    assert index.score_without(["refund", "refund"], ["refund", "money", "refund", "days"]) == 0
    assert index.score_without(["refund"], ["refund", "money", "refund", "days"]) > 0
    scores = index.scores(["refund", "days", "unknown"])
    assert 0 <= scores.min() <= scores.max() < 1
    assert scores.argmax() == 0
    assert (index.scores(["unknown"]) == 0).all()
