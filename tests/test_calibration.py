"""What a knowledge base learns from asking itself, and what its probabilities are then worth."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.knowledge.evaluation import measures
from bot.knowledge.search.calibration import SCALES, Asked, Calibration, Evidence, calibrate

ARTICLES = 12
NOTHING = np.zeros(0)


def questions(seed: int, count: int, clarity: float) -> tuple[Evidence, NDArray[np.int64]]:
    """Evidence of questions whose own article stands out as far as `clarity` says."""
    random = np.random.default_rng(seed)
    evidence = random.uniform(0.0, 0.3, (count, ARTICLES + 1, 3)).astype(np.float32)
    evidence[:, :, 0] += 0.6
    evidence[:, -1] = 0  # nothing says that it is none of them
    right = random.integers(0, ARTICLES, count)
    evidence[np.arange(count), right] += clarity * random.uniform(size=(count, 1))
    return evidence * SCALES, right


def asked(seed: int, count: int, clarity: float) -> tuple[Asked, Asked]:
    """The same as a knowledge base asks them: with their articles, and without."""
    evidence, right = questions(seed, count, clarity)
    without = evidence.copy()
    without[np.arange(count), right] = 0
    ones = np.ones(count)
    return Asked.of(evidence, right, ones), Asked.of(without, np.full(count, -1), ones)


@cache
def calibrated(clarity: float, count: int = 300) -> Calibration:
    return calibrate([asked(1, count, clarity)], example_questions=True)


def first(found: Calibration, evidence: Evidence) -> tuple[int, float]:
    """The article that comes first, and how probable it is."""
    order = found.order(evidence)
    place = int(order[:-1].argmax())
    return place, found.probability(evidence, order, place)


def confidence(found: Calibration, seed: int = 7) -> float:
    """The mean of some questions."""
    evidence, _ = questions(seed, 200, 0.5)
    return float(np.mean([first(found, each)[1] for each in evidence]))


@given(st.integers(0, 10_000), st.floats(0, 2), st.integers(1, 80), st.booleans())
def test_no_kind_of_evidence_counts_against_an_article(
    seed: int, clarity: float, count: int, example_questions: bool
) -> None:
    found = calibrate([asked(seed, count, clarity)], example_questions=example_questions)
    assert (found.weights >= 0).all()
    assert (found.slopes >= 0).all()


@given(st.integers(0, 10_000), st.floats(0, 1e6), st.sampled_from([0.0, 0.3, 0.8]))
def test_a_probability_is_between_0_and_1_whatever_the_evidence(
    seed: int, size: float, clarity: float
) -> None:
    shape = (ARTICLES + 1, 3)
    evidence = np.random.default_rng(seed).normal(size=shape).astype(np.float32) * np.float32(size)
    assert 0 <= first(calibrated(clarity), evidence)[1] <= 1


@given(st.integers(0, 10_000), st.integers(0, ARTICLES - 1), st.integers(0, 2), st.floats(0, 3))
def test_more_evidence_for_an_article_never_makes_it_less_probable(
    seed: int, place: int, kind: int, more: float
) -> None:
    found = calibrated(0.5, 60)
    evidence = np.random.default_rng(seed).uniform(0, 3, (ARTICLES + 1, 3)).astype(np.float32)
    before = found.probability(evidence, found.order(evidence), place)
    evidence[place, kind] += more
    assert found.probability(evidence, found.order(evidence), place) >= before - 1e-9


@given(st.integers(0, 10_000), st.integers(0, ARTICLES), st.integers(0, 2), st.floats(0, 3))
def test_more_evidence_for_something_else_never_makes_an_article_more_probable(
    seed: int, other: int, kind: int, more: float
) -> None:
    found = calibrated(0.5, 60)
    evidence = np.random.default_rng(seed).uniform(0, 3, (ARTICLES + 1, 3)).astype(np.float32)
    place = (other + 1) % ARTICLES
    before = found.probability(evidence, found.order(evidence), place)
    evidence[other, kind] += more
    assert found.probability(evidence, found.order(evidence), place) <= before + 1e-9


def test_the_bar_rises_with_the_precision_that_is_asked_for() -> None:
    for found in (calibrated(0.3), calibrated(0.5), calibrated(0.8)):
        bars = [found.bar(precision) for precision in np.linspace(0.5, 1, 51)]
        assert bars == sorted(bars)
        assert bars[0] < bars[-1]


def test_above_the_bar_its_own_questions_are_expected_to_be_right_as_often_as_asked() -> None:
    found = calibrated(0.8)
    for precision in (0.8, 0.9, 0.95):
        answered = found.expected[found.expected >= found.bar(precision)]
        assert len(answered)
        assert found.precision[len(answered) - 1] >= precision


def test_without_any_question_the_usual_values_serve() -> None:
    found = calibrate([], example_questions=True)
    assert found.bar(0.9) == pytest.approx(0.9)
    assert (found.weights > 0).all()
    assert (found.slopes > 0).all()


def test_a_few_questions_stay_near_the_usual_values_and_many_leave_them() -> None:
    usual = calibrate([], example_questions=True)

    def away(count: int) -> float:
        found = calibrate([asked(3, count, 1.5)], example_questions=True)
        return float(np.abs(found.weights - usual.weights).sum())

    assert away(5) < 0.2 * usual.weights.sum()
    assert away(5) < away(500)


def test_kinds_of_questions_count_the_same_whatever_their_number() -> None:
    def kind(seed: int, count: int, answered: bool) -> tuple[Asked, Asked]:
        answerable, unanswerable = asked(seed, count, 0.5)
        return (answerable, unanswerable) if answered else (unanswerable, unanswerable)

    def told(good: int, bad: int) -> float:
        kinds = [kind(1, good, True), kind(2, bad, False)]
        return confidence(calibrate(kinds, example_questions=False))

    assert told(300, 30) == pytest.approx(told(30, 300), abs=0.1)
    assert told(300, 300) == pytest.approx(told(30, 300), abs=0.1)


@pytest.mark.parametrize("example_questions", [True, False])
def test_people_who_judge_answers_move_the_confidence(example_questions: bool) -> None:
    own = asked(1, 100, 0.5)
    evidence, right = questions(5, 50, 0.5)

    def heard(right: NDArray[np.int64], weight: float = 1.0) -> float:
        judged = Asked.of(evidence, right, np.full(50, weight))
        return confidence(calibrate([own], [judged], example_questions=example_questions))

    nobody = confidence(calibrate([own], example_questions=example_questions))
    nothing_answers = np.full(50, -1)
    assert heard(nothing_answers) < heard(nothing_answers, 0.25) < nobody
    assert heard(right) > heard(nothing_answers)


def test_a_judgement_may_be_all_that_is_known() -> None:
    evidence, right = questions(5, 1, 0.5)
    judged = Asked.of(evidence, right, np.ones(1))
    for example_questions in (True, False):
        found = calibrate([], [judged], example_questions=example_questions)
        assert 0 < confidence(found) < 1
        assert 0 < found.bar(0.9) <= 1


def test_articles_that_nothing_tells_apart_give_numbers() -> None:
    evidence = np.ones((20, ARTICLES + 1, 3), dtype=np.float32)
    right = np.arange(20) % ARTICLES
    own = Asked.of(evidence, right, np.ones(20)), Asked.of(evidence, right * 0 - 1, np.ones(20))
    found = calibrate([own], example_questions=True)
    assert np.isfinite(found.weights).all()
    assert np.isfinite(found.slopes).all()
    place, probability = first(found, evidence[0])
    assert probability < 0.5
    assert 0 <= place < ARTICLES


def test_of_thousands_of_articles_the_right_one_is_never_lost() -> None:
    random = np.random.default_rng(0)
    evidence = random.uniform(size=(5, 3001, 3)).astype(np.float32)
    right = random.integers(0, 3000, 5)
    evidence[np.arange(5), right] = 0
    kept = Asked.of(evidence, right, np.ones(5))
    assert kept.evidence.shape[1] < 100
    assert not kept.evidence[np.arange(5), kept.right].any()


@pytest.mark.parametrize("intercept", [-4.0, -2.0, 0.0])
def test_where_the_model_holds_probabilities_are_the_shares_of_right_answers(
    intercept: float,
) -> None:
    """Customers' questions are drawn from it, clearer by the factor that ADR 0007 gives."""
    weights = calibrate([], example_questions=False).weights
    slopes, clearer = np.array([0.6, 0.5, 0.4]), 1.6
    own = Calibration(weights, slopes / clearer, intercept / clearer, NOTHING, NOTHING)
    customers = Calibration(weights, slopes, intercept, NOTHING, NOTHING)
    random = np.random.default_rng(4)

    def drawn(truth: Calibration, seed: int) -> tuple[Evidence, NDArray[np.int64]]:
        """Questions, and what answers them: the article that comes first, or none."""
        evidence, _ = questions(seed, 2000, 0.8)
        found = [first(truth, each) for each in evidence]
        answers = [place if random.uniform() < chance else -1 for place, chance in found]
        return evidence, np.array(answers)

    evidence, answers = drawn(own, 11)
    judged = Asked.of(evidence, answers, np.ones(len(answers)))
    fitted = calibrate([], [judged], example_questions=False)

    evidence, answers = drawn(customers, 12)
    confidences = np.array([first(fitted, each)[1] for each in evidence])
    error = measures.calibration_error(confidences, answers >= 0)
    assert error is not None
    assert error < 0.05
    answered = confidences >= fitted.bar(0.9)
    if answered.sum() > 100:
        assert (answers[answered] >= 0).mean() > 0.87
