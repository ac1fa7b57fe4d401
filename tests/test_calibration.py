"""What a knowledge base learns from asking itself, and what its probabilities are then worth."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.knowledge.evaluation.measures import calibration_error
from bot.knowledge.search.calibration import (
    Asked,
    Calibration,
    Evidence,
    Logistic,
    Numbers,
    Places,
    calibrate,
)

ARTICLES = 12
CLASS, MAXSIM, WORDS = range(3)
NOTHING = np.zeros(0)


def questions(seed: int, count: int, clarity: float) -> tuple[Evidence, Places]:
    """Evidence of questions whose own article stands out as far as `clarity` says."""
    random = np.random.default_rng(seed)
    places = np.full((count, ARTICLES + 1), ARTICLES)
    places[:, :-1] = random.permuted(np.tile(np.arange(ARTICLES), (count, 1)), axis=1)
    kinds = random.uniform((-0.1, 0.2, 0.0), (0.2, 0.4, 0.2), (count, ARTICLES + 1, 3))
    right = random.integers(0, ARTICLES, count)
    stands_out = clarity * random.uniform(0, (0.8, 0.5, 0.6), (count, 3))
    kinds[np.arange(count), column_of(right, places)] += stands_out
    kinds[:, :, WORDS] = kinds[:, :, WORDS].clip(0, 1)
    return Evidence(places, kinds.astype(np.float32), random.uniform(5, 40, count)), right


def part(evidence: Evidence, rows: slice) -> Evidence:
    """That of some of the questions."""
    return Evidence(evidence.places[rows], evidence.kinds[rows], evidence.information[rows])


def column_of(articles: Places, places: Places) -> Places:
    """Where an article of each question stands."""
    columns: Places = (places == articles[:, None]).argmax(axis=1)
    return columns


def without(evidence: Evidence, articles: Places) -> Evidence:
    """Had an article of each question not been written."""
    n, columns = np.arange(len(articles)), column_of(articles, evidence.places)
    places, kinds = evidence.places.copy(), evidence.kinds.copy()
    places[n, columns], kinds[n, columns] = -1, 0
    return Evidence(places, kinds, evidence.information)


def self_asked(seed: int, count: int, clarity: float) -> tuple[Asked, Asked]:
    """Questions of a knowledge base to itself: with their articles, and without."""
    evidence, right = questions(seed, count, clarity)
    ones = np.ones(count)
    nobody = Asked(without(evidence, right), np.full(count, -1), ones)
    return Asked(evidence, right, ones), nobody


@cache
def calibrated(clarity: float, count: int = 300) -> Calibration:
    return calibrate([self_asked(1, count, clarity)], taught=True)


def probabilities(found: Calibration, evidence: Evidence) -> tuple[Numbers, Numbers]:
    """Of each question: that its first article answers, and that one of the first three does."""
    one_by_one = [part(evidence, slice(n, n + 1)) for n in range(len(evidence.places))]
    pairs = [found.probabilities(each, each.order(taught=True)) for each in one_by_one]
    first, among = np.array(pairs).T
    return first, among


def confidence(found: Calibration, seed: int = 7) -> float:
    """The mean of some questions."""
    return float(probabilities(found, questions(seed, 200, 0.5)[0])[0].mean())


def strange(seed: int, size: float) -> Evidence:
    """Of one question, of which anything may be the case; some articles may be left out."""
    random = np.random.default_rng(seed)
    places = np.where(random.uniform(size=(1, ARTICLES + 1)) < random.uniform(), -1, 0)
    places[places == 0] = np.arange((places == 0).sum())
    kinds = random.uniform((-size, -1, 0), (size, 1, 1), (1, ARTICLES + 1, 3))
    kinds[places < 0] = 0
    return Evidence(places, kinds.astype(np.float32), random.uniform(0, 1000, 1))


def with_more(evidence: Evidence, column: int, kind: int, more: float) -> Evidence:
    kinds = evidence.kinds.copy()
    kinds[0, column, kind] += np.float32(more)
    kinds[0, column, 1:] = kinds[0, column, 1:].clip(None, 1)  # a cosine, and a share
    return Evidence(evidence.places, kinds, evidence.information)


SEEDS = st.integers(0, 10_000)
KINDS = st.sampled_from([CLASS, MAXSIM, WORDS])


# The order.


def test_an_article_of_which_all_kinds_say_more_goes_ahead() -> None:
    evidence, right = questions(2, 50, 1.0)
    kinds = np.full_like(evidence.kinds, 0.2)
    kinds[np.arange(50), column_of(right, evidence.places)] = 0.4
    evidence = Evidence(evidence.places, kinds, evidence.information)
    for taught in (True, False):
        best = evidence.best(evidence.order(taught=taught))
        assert (best[:, 0] == column_of(right, evidence.places)).all()


def test_class_says_little_where_no_example_question_was_learned() -> None:
    kinds = np.zeros((1, ARTICLES + 1, 3), dtype=np.float32)
    kinds[0, 3, CLASS], kinds[0, 5, WORDS] = 0.9, 0.9
    evidence = Evidence(np.arange(ARTICLES + 1)[None], kinds, np.ones(1))
    assert evidence.best(evidence.order(taught=True))[0, 0] == 3
    assert evidence.best(evidence.order(taught=False))[0, 0] == 5


@given(SEEDS, st.floats(0, 100), st.booleans())
def test_three_articles_come_first_and_never_none_of_them(
    seed: int, size: float, taught: bool
) -> None:
    evidence = strange(seed, size)
    order = evidence.order(taught=taught)
    (best,) = evidence.best(order)
    assert len(set(best)) == 3
    assert ARTICLES not in best, "the last column stands for none"
    assert (np.diff(order[0, best]) <= 0).all()
    present = evidence.places[0, best] >= 0
    assert present.sum() == min(3, (evidence.places[0, :-1] >= 0).sum())
    assert (np.diff(present.astype(int)) <= 0).all(), "what there is not comes last"


# One question.


@given(SEEDS, st.floats(-1, 2), st.integers(1, 80), st.booleans())
def test_no_kind_of_evidence_counts_against_an_article(
    seed: int, clarity: float, count: int, taught: bool
) -> None:
    found = calibrate([self_asked(seed, count, clarity)], taught=taught)
    for each in (found.first, found.among):
        assert (each.slopes >= 0).all()
        assert np.isfinite([*each.slopes, each.intercept]).all()


@given(SEEDS, st.floats(0, 1e6), st.sampled_from([0.0, 0.3, 0.8]))
def test_a_probability_is_between_0_and_1_whatever_the_evidence(
    seed: int, size: float, clarity: float
) -> None:
    evidence = strange(seed, size)
    first, among = calibrated(clarity).probabilities(evidence, evidence.order(taught=True))
    assert 0 <= first <= among <= 1


@given(SEEDS, KINDS, st.floats(0, 3))
def test_more_evidence_for_the_first_article_never_makes_it_less_probable(
    seed: int, kind: int, more: float
) -> None:
    found, before = calibrated(0.5, 60), strange(seed, 1)
    order = before.order(taught=True)
    column = int(before.best(order)[0, 0])
    assume(before.places[0, column] >= 0)
    after = with_more(before, column, kind, more)
    assert after.best(after.order(taught=True))[0, 0] == column
    pairs = zip(
        found.probabilities(before, order),
        found.probabilities(after, after.order(taught=True)),
        strict=True,
    )
    assert all(later >= earlier - 1e-9 for earlier, later in pairs)


@given(SEEDS, st.integers(0, ARTICLES), KINDS, st.floats(0, 3))
def test_more_evidence_for_another_never_makes_the_first_article_more_probable(
    seed: int, other: int, kind: int, more: float
) -> None:
    found, before = calibrated(0.5, 60), strange(seed, 1)
    order = before.order(taught=True)
    column = before.best(order)[0, 0]
    assume(other != column and before.places[0, other] >= 0)
    after = with_more(before, other, kind, more)
    assume(after.best(after.order(taught=True))[0, 0] == column)
    earlier, _ = found.probabilities(before, order)
    later, _ = found.probabilities(after, after.order(taught=True))
    assert later <= earlier + 1e-9


# The bar.


@pytest.mark.parametrize("clarity", [0.0, 0.3, 0.5, 0.8, 1.5])
def test_the_bar_rises_with_the_precision_that_is_asked_for(clarity: float) -> None:
    found = calibrated(clarity)
    bars = [found.bar(precision) for precision in np.linspace(0.5, 1, 51)]
    assert bars == sorted(bars)
    assert bars[0] < bars[-1]


def test_above_the_bar_its_own_questions_are_expected_to_be_right_as_often_as_asked() -> None:
    found = calibrated(0.8)
    for precision in (0.8, 0.9, 0.95):
        answered = found.expected[found.expected >= found.bar(precision)]
        assert len(answered)
        assert found.precision[len(answered) - 1] >= precision


def test_no_single_answer_is_much_less_probable_than_the_precision() -> None:
    for clarity in (0.3, 0.8, 3.0):
        for precision in (0.5, 0.8, 0.9, 1.0):
            assert calibrated(clarity).bar(precision) >= precision - 0.25


# What it is fitted to.


@pytest.mark.parametrize("taught", [True, False])
def test_without_any_question_the_usual_values_serve(taught: bool) -> None:
    found = calibrate([], taught=taught)
    for precision in (0.5, 0.9, 1.0):
        assert found.bar(precision) == pytest.approx(precision)
    for each in (found.first, found.among):
        assert (each.slopes > 0).all()
    clear, _ = questions(3, 100, 1.0)
    assert probabilities(found, clear)[0].mean() > confidence(found)


def test_a_few_questions_stay_near_the_usual_values_and_thousands_leave_them() -> None:
    usual = calibrate([], taught=True)
    asked, _ = questions(9, 200, 1.0)

    def away(count: int) -> float:
        """From usual probabilities, where three in four answers are wrong that look right."""
        evidence, right = questions(3, count, 1.0)
        judged = Asked(evidence, np.where(right % 4, -1, right), np.ones(count))
        found = calibrate([], [judged], taught=True)
        gaps = probabilities(found, asked)[0] - probabilities(usual, asked)[0]
        return float(np.abs(gaps).mean())

    assert away(5) < 0.1
    assert away(3000) > 0.2


def test_kinds_of_questions_count_the_same_whatever_their_number() -> None:
    said, titles = self_asked(1, 30, 0.8), self_asked(2, 30, 0.1)
    many_said = calibrate([repeated(said), titles], taught=True)
    many_titles = calibrate([said, repeated(titles)], taught=True)
    assert confidence(many_said) == pytest.approx(confidence(many_titles), abs=1e-3)
    for alone in (said, titles):
        told = confidence(calibrate([alone], taught=True))
        assert abs(confidence(many_said) - told) > 0.05, "both are heard"


def repeated(pair: tuple[Asked, Asked]) -> tuple[Asked, Asked]:
    """The same questions ten times."""

    def ten(asked: Asked) -> Asked:
        places, kinds, information = (
            np.concatenate([each] * 10)
            for each in (asked.evidence.places, asked.evidence.kinds, asked.evidence.information)
        )
        return Asked(
            Evidence(places, kinds, information), np.tile(asked.right, 10), np.ones(len(places))
        )

    answerable, unanswerable = pair
    return ten(answerable), ten(unanswerable)


# What people have judged.


def judged(right: Places, weight: float = 1.0, *, only_first: bool = False) -> Asked:
    evidence, _ = questions(5, len(right), 0.5)
    return Asked(evidence, right, np.full(len(right), weight), only_first)


def heard(*judgements: Asked, taught: bool = True) -> Calibration:
    """Beside a hundred questions of the knowledge base itself."""
    return calibrate([self_asked(1, 100, 0.5)], judgements, taught=taught)


_, RIGHT = questions(5, 50, 0.5)
NONE_ANSWERS = np.full(50, -1)


@pytest.mark.parametrize("taught", [True, False])
def test_people_who_judge_answers_move_the_confidence(taught: bool) -> None:
    nobody = confidence(heard(taught=taught))
    wrong = judged(NONE_ANSWERS)
    a_little_wrong = judged(NONE_ANSWERS, 0.25)
    assert confidence(heard(wrong, taught=taught)) < confidence(
        heard(a_little_wrong, taught=taught)
    )
    assert confidence(heard(a_little_wrong, taught=taught)) < nobody
    first = places_of_first(judged(RIGHT).evidence, taught=taught)
    assert confidence(heard(judged(first), taught=taught)) > nobody


def places_of_first(evidence: Evidence, *, taught: bool) -> Places:
    best = evidence.best(evidence.order(taught=taught))
    return np.take_along_axis(evidence.places, best[:, :1], axis=1)[:, 0]


def test_that_the_first_answer_was_wrong_says_nothing_about_the_others() -> None:
    nobody, told = heard(), heard(judged(NONE_ANSWERS, only_first=True))
    asked, _ = questions(7, 200, 0.5)
    assert confidence(told) < confidence(nobody)
    assert told.among.slopes == pytest.approx(nobody.among.slopes)
    assert told.among.intercept == pytest.approx(nobody.among.intercept)
    assert probabilities(told, asked)[1].mean() > probabilities(told, asked)[0].mean() + 0.05


def test_that_no_article_answers_makes_the_offered_ones_less_probable_too() -> None:
    asked, _ = questions(7, 200, 0.5)
    nobody, told = heard(), heard(judged(NONE_ANSWERS))
    assert probabilities(told, asked)[1].mean() < probabilities(nobody, asked)[1].mean()


@pytest.mark.filterwarnings("error")
def test_a_judgement_without_weight_changes_nothing() -> None:
    nobody, told = heard(), heard(judged(NONE_ANSWERS[:1], 0.0))
    assert told.first.slopes == pytest.approx(nobody.first.slopes)
    assert told.bar(0.9) == nobody.bar(0.9)
    assert calibrate([], [judged(RIGHT[:1], 0.0)], taught=True).bar(0.9) == pytest.approx(0.9)


@pytest.mark.parametrize("only_first", [True, False])
def test_a_judgement_may_be_all_that_is_known(only_first: bool) -> None:
    for taught in (True, False):
        found = calibrate([], [judged(RIGHT[:1], only_first=only_first)], taught=taught)
        assert 0 < confidence(found) < 1
        assert 0 < found.bar(0.9) <= 1


# Strange knowledge bases.


def indistinguishable(articles: int, count: int) -> Evidence:
    places = np.tile(np.arange(articles + 1), (count, 1))
    places = np.pad(places, ((0, 0), (0, 3)), constant_values=-1)
    places[:, [articles, -1]] = places[:, [-1, articles]]  # none of them stands last
    kinds = np.full((*places.shape, 3), 0.5, dtype=np.float32)
    kinds[places < 0] = 0
    return Evidence(places, kinds, np.full(count, 10.0))


@pytest.mark.parametrize("articles", [1, 2, 12])
def test_articles_that_nothing_tells_apart_give_numbers(articles: int) -> None:
    evidence, right = indistinguishable(articles, 24), np.arange(24) % articles
    nobody = Asked(without(evidence, right), np.full(24, -1), np.ones(24))
    found = calibrate([(Asked(evidence, right, np.ones(24)), nobody)], taught=True)
    for each in (found.first, found.among):
        assert np.isfinite([*each.slopes, each.intercept]).all()
    first, among = probabilities(found, part(evidence, slice(1)))
    assert 0 < first < 0.75
    assert first <= among <= 1
    assert 0 < found.bar(0.9) <= 0.9


def test_a_question_that_finds_no_article_at_all_is_hardly_answered() -> None:
    nowhere = Evidence(
        np.array([[-1] * ARTICLES + [ARTICLES]]), np.zeros((1, ARTICLES + 1, 3), np.float32),
        np.array([20.0]),
    )  # fmt: skip
    assert probabilities(calibrated(0.8), nowhere)[0] < 0.05


def test_where_there_is_no_article_nothing_is_right() -> None:
    """With its only article left out a question has none, which is not to be taken for one."""
    evidence, right = indistinguishable(1, 100), np.zeros(100, dtype=np.int64)
    nobody = Asked(without(evidence, right), np.full(100, -1), np.ones(100))
    found = calibrate([(Asked(evidence, right, np.ones(100)), nobody)], taught=True)
    for chance in probabilities(found, part(nobody.evidence, slice(1))):
        assert chance < 0.1
    assert probabilities(found, part(evidence, slice(1)))[0] > 0.5


# What probabilities are worth.


def error(confidences: Numbers, right: NDArray[np.bool_]) -> float:
    found = calibration_error(confidences, right)
    assert found is not None
    return found


@pytest.mark.parametrize("intercept", [-9.0, -7.0, -5.0])
def test_where_the_model_holds_probabilities_are_the_shares_of_right_answers(
    intercept: float,
) -> None:
    slopes = np.array([5.0, 0.5, 2.0, 1.5])
    truth = Calibration(
        Logistic(slopes, intercept), Logistic(0.8 * slopes, intercept + 3), NOTHING, NOTHING
    )
    random = np.random.default_rng(4)

    def drawn(seed: int) -> tuple[Evidence, Places]:
        """Questions, and what answers them: the first article, the second, or none."""
        evidence, _ = questions(seed, 3000, 0.8)
        best = evidence.best(evidence.order(taught=True))
        first, among = probabilities(truth, evidence)
        chance = random.uniform(size=len(first))
        columns = np.where(chance < first, best[:, 0], best[:, 1])
        found = np.take_along_axis(evidence.places, columns[:, None], axis=1)[:, 0]
        return evidence, np.where(chance < among, found, -1)

    fitted = calibrate([], [Asked(*drawn(11), np.ones(3000))], taught=True)
    evidence, right = drawn(12)
    first, among = probabilities(fitted, evidence)
    is_first = offered_right(evidence, right)[:, 0]
    assert error(first, is_first) < 0.03
    assert error(among, right >= 0) < 0.03
    answered = first >= fitted.bar(0.9)
    if answered.sum() > 100:
        assert is_first[answered].mean() > 0.87


def traffic(seed: int, count: int, clarity: float) -> Sequence[tuple[Evidence, Places]]:
    """Half of it has no answer, and half of that is about something else altogether."""
    answerable, unanswerable = self_asked(seed, 2 * count, clarity)
    lacking = part(unanswerable.evidence, slice(count))
    elsewhere, _ = questions(seed + 1, count, 0.0)
    elsewhere.kinds[:] *= 0.5
    return [
        (answerable.evidence, answerable.right),
        (lacking, np.full(count, -1)),
        (elsewhere, np.full(count, -1)),
    ]


@pytest.mark.parametrize("clarity", [0.4, 0.6, 0.8, 1.2])
def test_what_a_knowledge_base_asks_itself_is_worth_as_much_with_customers(clarity: float) -> None:
    found = calibrate([self_asked(1, 2000, clarity)], taught=True)
    everything = traffic(21, 1000, clarity)
    first, among = np.hstack([probabilities(found, evidence) for evidence, _ in everything])
    is_right = np.concatenate([offered_right(evidence, right) for evidence, right in everything])
    assert error(first, is_right[:, 0]) < 0.05
    assert error(among, is_right.max(axis=1)) < 0.05
    answered = first >= found.bar(0.9)
    assert is_right[answered, 0].mean() > 0.9
    assert answered.sum() > 0.7 * is_right[:, 0].sum(), "most of what it can answer"


def offered_right(evidence: Evidence, right: Places) -> NDArray[np.bool_]:
    """(n, 3): which of the first three articles is the right one."""
    best = evidence.best(evidence.order(taught=True))
    offered = np.take_along_axis(evidence.places, best, axis=1)
    is_right: NDArray[np.bool_] = (offered == right[:, None]) & (right >= 0)[:, None]
    return is_right
