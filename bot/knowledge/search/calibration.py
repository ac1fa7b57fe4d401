"""From evidence to a probability that means what it says, without anybody's labels.

A knowledge base asks itself: each of its own questions with that text left out has a right
answer, and with its whole article left out has none. Two small models are fitted to what it
finds, both with weights that cannot be negative, so that more evidence never counts against:

1. how the kinds of evidence add up to an order of the articles (a conditional logit, McFadden
   1973), and
2. how probable it is that the first one answers the question (logistic regression on three
   absolute features of it).

Both are drawn towards values that the project's own shop gives, so that ten articles are enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Evidence = NDArray[np.float32]
"""(…, articles + 1, 3): nearest text, class and words of each article, brought to like sizes.

The last row is the evidence that it is none of them."""
Numbers = NDArray[np.float64]

SCALES = np.array([10.0, 5.0, 4.0], dtype=np.float32)
_KEPT = 50
"""Articles of a question that the models look at; the others have no chance."""

# What the shop in knowledge_base/ gives, the mean of its four languages.
_USUAL_WEIGHTS = np.array([1.2, 1.8, 2.3])
_USUAL_SLOPES = np.array([0.4, 0.65, 0.3])
_USUAL_INTERCEPT = -1.5
_WEIGHTS_FOR_PASSAGES = _USUAL_WEIGHTS * [1.0, 0.25, 1.0]
"""A classifier that has heard no question knows less of them (chosen on XQuAD's paragraphs)."""
_TRUST_IN_USUAL_WEIGHTS = 7.0
_TRUST_IN_USUAL_SLOPES = 15.0
"""Beside one for each question: a few hundred questions outweigh them."""
_UNANSWERABLE = 0.1
"""Weight of a question without its article beside the same question with it."""
_SHARPNESS = 1.6
"""Customers' questions are clearer than what a writer would not have said twice: on the
development questions of the project's own shop the log-odds were too small by this factor."""
_MOST_LEAD = 5.0
_BELOW_PRECISION = 0.3
"""No answer is given that is itself less probable than the precision by more than this."""


@dataclass(frozen=True)
class Asked:
    """Questions of which the right article is known."""

    evidence: Evidence
    """(n, kept articles + 1, 3), of the articles that matter."""
    right: NDArray[np.int64]
    """Place of the right article among those kept; −1: none is."""
    weights: Numbers
    """What each counts, (n,)."""

    @classmethod
    def of(cls, evidence: Evidence, right: NDArray[np.int64], weights: Numbers) -> Self:
        """
        Args:
            evidence: (n, articles + 1, 3), of all articles, and last for none of them.
            right: the right article of each question, −1 for none.
        """
        kept, places = _most_promising(evidence[:, :-1], right)
        return cls(np.concatenate([kept, evidence[:, -1:]], axis=1), places, weights)

    @classmethod
    def joined(cls, several: Sequence[Self]) -> Self:
        return cls(
            np.concatenate([asked.evidence for asked in several]),
            np.concatenate([asked.right for asked in several]),
            np.concatenate([asked.weights for asked in several]),
        )


@dataclass(frozen=True)
class Calibration:
    """How the evidence is weighed in one language of one knowledge base."""

    weights: Numbers
    slopes: Numbers
    intercept: float
    expected: Numbers
    """Falling probabilities of the questions that it was fitted on …"""
    precision: Numbers
    """… and the expected share of right answers, were all from there up answered."""

    def order(self, evidence: Evidence) -> Numbers:
        """What articles are ordered by: (…, 3) → (…)."""
        order: Numbers = evidence @ self.weights
        return order

    def probability(self, evidence: Evidence, order: Numbers, place: int) -> float:
        """That the article at a place of (articles + 1, 3) answers the question."""
        features = _features(evidence[None], order[None], np.array([place]))
        return float(expit(_SHARPNESS * (features @ self.slopes + self.intercept))[0])

    def bar(self, precision: float) -> float:
        """The probability from which on answers are right as often as asked for."""
        enough = np.flatnonzero(self.precision >= precision)
        expected = float(self.expected[enough[-1]]) if len(enough) else precision
        return max(expected, precision - _BELOW_PRECISION)


def calibrate(
    kinds: Sequence[tuple[Asked, Asked]], judged: Sequence[Asked] = (), *, example_questions: bool
) -> Calibration:
    """Fit both models.

    Args:
        kinds: the questions that a knowledge base asks itself, with their articles and without;
            each kind counts the same, whatever its number.
        judged: questions that people have judged.
        example_questions: whether writers have given any. Passages that ask in their stead are
            no questions: they tell how sure to be, not what to order by.
    """
    total = sum(len(answerable.right) for answerable, _ in kinds)
    everything = [*judged]
    for answerable, unanswerable in kinds:
        size = total / len(kinds) / len(answerable.right)
        everything.append(replace(answerable, weights=size * answerable.weights))
        everything.append(
            replace(unanswerable, weights=size * _UNANSWERABLE * unanswerable.weights)
        )
    weights = _USUAL_WEIGHTS if example_questions else _WEIGHTS_FOR_PASSAGES
    if not everything:
        nothing = np.zeros(0)
        return Calibration(weights, _USUAL_SLOPES, _USUAL_INTERCEPT, nothing, nothing)
    asked = Asked.joined(everything)
    evidence, right, sizes = asked.evidence, asked.right, asked.weights
    # The order has to be right for most questions, the probability for every kind of them.
    if example_questions:
        weights = _fit_weights(Asked.joined([*judged, *(answerable for answerable, _ in kinds)]))
    order = evidence @ weights
    first = order[:, :-1].argmax(axis=1)
    features = _features(evidence, order, first)
    is_right = (first == right).astype(np.float64)
    slopes, intercept = _fit_slopes(features, is_right, sizes)
    probabilities = expit(_SHARPNESS * (features @ slopes + intercept))
    falling = np.argsort(-probabilities)
    gained = np.cumsum((sizes * probabilities)[falling]) / np.cumsum(sizes[falling])
    return Calibration(weights, slopes, intercept, probabilities[falling], gained)


def _most_promising(
    evidence: Evidence, right: NDArray[np.int64]
) -> tuple[Evidence, NDArray[np.int64]]:
    """The few articles of each question that matter, always the right one among them.

    Returns:
        Evidence (n, kept, 3) and where the right article now is.
    """
    count = min(_KEPT, evidence.shape[1])
    order = (evidence @ _USUAL_WEIGHTS).astype(np.float64)
    known = np.flatnonzero(right >= 0)
    order[known, right[known]] = np.inf
    places = np.argpartition(-order, count - 1, axis=1)[:, :count]
    kept = np.take_along_axis(evidence, places[:, :, None], axis=1)
    found = np.where(right >= 0, (places == right[:, None]).argmax(axis=1), -1)
    missing = max(_KEPT - count, 0)  # nothing is said for an article that is not there
    return np.pad(kept, ((0, 0), (0, missing), (0, 0))), found


def _features(evidence: Evidence, order: Numbers, places: NDArray[np.int64]) -> Numbers:
    """Class score of one article of each question, and its lead in class score and in order."""
    n = np.arange(len(places))
    classes = evidence[:, :, 1].astype(np.float64)
    return np.stack(
        [
            classes[n, places],
            classes[n, places] - _best_other(classes, places),
            np.clip(order[n, places] - _best_other(order, places), -_MOST_LEAD, _MOST_LEAD),
        ],
        axis=1,
    )


def _best_other(scores: Numbers, places: NDArray[np.int64]) -> Numbers:
    """The highest score of each row beside that of one place; 0 if there is no other."""
    if scores.shape[1] < 2:
        return np.zeros(len(places))
    two = np.partition(scores, -2, axis=1)[:, -2:]
    n = np.arange(len(places))
    best: Numbers = np.where(scores[n, places] >= two[:, 1], two[:, 0], two[:, 1])
    return best


def _fit_weights(asked: Asked) -> Numbers:
    known = asked.right >= 0
    if not known.any():
        return _USUAL_WEIGHTS
    of, place = asked.evidence[known].astype(np.float64), asked.right[known]
    size = asked.weights[known]
    n = np.arange(len(place))
    target = of[n, place]

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        order = of @ weights
        order -= order.max(axis=1, keepdims=True)
        chances = np.exp(order)
        total = chances.sum(axis=1)
        chances /= total[:, None]
        missed = np.log(total) - order[n, place]
        slope = np.einsum("na,nak->nk", chances, of) - target
        away = weights - _USUAL_WEIGHTS
        return (
            float(size @ missed + _TRUST_IN_USUAL_WEIGHTS * (away @ away)),
            size @ slope + 2 * _TRUST_IN_USUAL_WEIGHTS * away,
        )

    found: Numbers = minimize(loss, _USUAL_WEIGHTS, jac=True, bounds=[(0, None)] * 3).x
    return found


def _fit_slopes(features: Numbers, is_right: Numbers, sizes: Numbers) -> tuple[Numbers, float]:
    usual = np.append(_USUAL_SLOPES, _USUAL_INTERCEPT)

    def loss(found: Numbers) -> tuple[float, Numbers]:
        odds = features @ found[:-1] + found[-1]
        missed = sizes * (np.logaddexp(0, odds) - is_right * odds)
        slope = sizes * (expit(odds) - is_right)
        away = found - usual
        return (
            float(missed.sum() + _TRUST_IN_USUAL_SLOPES * (away @ away)),
            np.append(features.T @ slope, slope.sum()) + 2 * _TRUST_IN_USUAL_SLOPES * away,
        )

    bounds = [(0, None)] * 3 + [(None, None)]
    found = minimize(loss, usual, jac=True, bounds=bounds).x
    return found[:-1], float(found[-1])
