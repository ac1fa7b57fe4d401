"""From evidence to a probability that means what it says, without anybody's labels.

Three kinds of evidence say how much speaks for an article: its class, MaxSim of its tokens, and the
words that it shares with the question. They add up to an order with fixed weights. How probable it
is that the first article answers, and that the right one is among the first three, a knowledge base
finds out by asking itself: each of its own questions with that text left out has a right answer,
and with its whole article left out has none.

Two logistic regressions on four features are fitted to that. All four are absolute, so a question
about nothing in the shop is seen as such, and none can count against an article. They are drawn
towards values that several shops give, so that ten articles are enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Numbers = NDArray[np.float64]
Places = NDArray[np.int64]

TITLES = 3
"""Articles that a customer may be offered at once."""

# The order: as good as weights that are fitted to each knowledge base, on six sets of questions.
_WEIGHTS = np.array([9.0, 10.0, 5.0])
_WEIGHTS_UNTAUGHT = np.array([1.0, 10.0, 5.0])
"""Class says little where no example question was learned, or none in the question's language."""
_NOWHERE = -1e9
_MOST_LEAD = 5.0

_USUAL = np.array([3.4, 0.25, 3.0, 1.1, -7.2])
"""Slopes of the four features, and the intercept."""
_TRUST_IN_USUAL_SLOPES = 30.0
_TRUST_IN_USUAL_INTERCEPT = 3.0
"""Beside one for each question: a few hundred questions outweigh them."""
_UNANSWERABLE = 0.5
"""Weight of a question without its article beside the same question with it. Half of the traffic
has no answer, until feedback tells better; and half of that is about something else altogether,
which is told from the shop's own questions by any evidence and teaches nothing."""
_BELOW_PRECISION = 0.25
"""No answer is given that is itself less probable than the precision by more than this."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for the articles that a question may be about; a row for each question."""

    places: Places
    """(n, k): numbers of articles; the last one stands for none of them; −1: there are no more."""
    kinds: NDArray[np.float32]
    """(n, k, 3): class, about 1 for the right article and 0 for others; MaxSim, −1 to 1; and
    share of the question's words, 0–1."""
    information: Numbers
    """(n,): what the question's words weigh together, in nats: rare words say more."""

    def order(self, *, taught: bool) -> Numbers:
        """(n, k): what articles are ordered by.

        Args:
            taught: whether example questions in the language of the question were learned.
        """
        order = self.kinds @ (_WEIGHTS if taught else _WEIGHTS_UNTAUGHT)
        ordered: Numbers = np.where(self.places >= 0, order, _NOWHERE)
        return ordered

    def best(self, order: Numbers) -> Places:
        """(n, 3): columns of the first three articles. The last column, for none, is no article."""
        columns: Places = np.argsort(-order[:, :-1], axis=1, kind="stable")[:, :TITLES]
        return columns


@dataclass(frozen=True)
class Asked:
    """Questions of which the right article is known."""

    evidence: Evidence
    right: Places
    """Number of the right article, (n,); −1: none is."""
    weights: Numbers
    """What each counts, (n,)."""
    only_first: bool = False
    """All that is known of them is whether the first article was right."""


@dataclass(frozen=True)
class Logistic:
    """A probability from features."""

    slopes: Numbers
    intercept: float

    def __call__(self, features: Numbers) -> Numbers:
        chances: Numbers = expit(features @ self.slopes + self.intercept)
        return chances


@dataclass(frozen=True)
class Calibration:
    """What evidence is worth in one language of one knowledge base."""

    first: Logistic
    """That the first article answers."""
    among: Logistic
    """That one of the first three does."""
    expected: Numbers
    """Falling probabilities of the questions that it was fitted on …"""
    precision: Numbers
    """… and the expected share of right answers, were all from there up answered."""

    def probabilities(self, evidence: Evidence, order: Numbers) -> tuple[float, float]:
        """Of one question: that its first article answers, and that one of the first three does."""
        features = _features(evidence, order)
        first = float(self.first(features)[0])
        return first, max(float(self.among(features)[0]), first)

    def bar(self, precision: float) -> float:
        """The probability from which on answers are right as often as asked for."""
        enough = np.flatnonzero(self.precision >= precision)
        expected = float(self.expected[enough[-1]]) if len(enough) else precision
        return max(expected, precision - _BELOW_PRECISION)


def calibrate(
    kinds: Sequence[tuple[Asked, Asked]], judged: Sequence[Asked] = (), *, taught: bool
) -> Calibration:
    """Fit both probabilities.

    Args:
        kinds: the questions that a knowledge base asks itself, with their articles and without;
            each kind counts the same, whatever its number.
        judged: questions that people have judged.
        taught: whether there are example questions.
    """
    total = sum(len(answerable.right) for answerable, _ in kinds)
    everything = [each for each in judged if each.weights.sum() > 0]
    for answerable, unanswerable in kinds:
        size = total / len(kinds) / len(answerable.right)
        everything.append(replace(answerable, weights=size * answerable.weights))
        everything.append(
            replace(unanswerable, weights=size * _UNANSWERABLE * unanswerable.weights)
        )
    seen = [_Seen.of(each, taught=taught) for each in everything]
    fitted = [each for each in seen if not each.only_first]
    first, among = fit(*_joined(seen, "first"), _USUAL), fit(*_joined(fitted, "among"), _USUAL)
    features, _, sizes = _joined(seen, "first")
    chances = first(features)
    falling = np.argsort(-chances)
    gained = np.cumsum((sizes * chances)[falling]) / np.cumsum(sizes[falling])
    return Calibration(first, among, chances[falling], gained)


def _features(evidence: Evidence, order: Numbers) -> Numbers:
    """Of the first article of each question: class, lead in order, MaxSim, words found; (n, 4)."""
    n = np.arange(len(order))
    place = evidence.best(order)[:, 0]
    others = order.copy()
    others[n, place] = _NOWHERE
    lead = np.clip(order[n, place] - others.max(axis=1), -_MOST_LEAD, _MOST_LEAD)
    kinds = evidence.kinds[n, place].astype(np.float64)
    found = np.log1p(evidence.information * kinds[:, 2])
    return np.stack([kinds[:, 0], lead, kinds[:, 1], found], axis=1)


@dataclass(frozen=True)
class _Seen:
    """Questions as the regressions see them."""

    features: Numbers
    first: Numbers
    """1 where the first article is right, else 0."""
    among: Numbers
    """The same for the first three."""
    weights: Numbers
    only_first: bool

    @classmethod
    def of(cls, asked: Asked, *, taught: bool) -> Self:
        order = asked.evidence.order(taught=taught)
        best = asked.evidence.best(order)
        offered = np.take_along_axis(asked.evidence.places, best, axis=1)
        is_right = (offered == asked.right[:, None]) & (asked.right >= 0)[:, None]
        return cls(
            _features(asked.evidence, order),
            is_right[:, 0].astype(np.float64),
            is_right.any(axis=1).astype(np.float64),
            asked.weights,
            asked.only_first,
        )


def _joined(seen: Sequence[_Seen], what: str) -> tuple[Numbers, Numbers, Numbers]:
    """Features, truths and weights of all."""
    if not seen:
        return np.zeros((0, len(_USUAL) - 1)), np.zeros(0), np.zeros(0)
    return (
        np.concatenate([each.features for each in seen]),
        np.concatenate([getattr(each, what) for each in seen]),
        np.concatenate([each.weights for each in seen]),
    )


def fit(features: Numbers, truths: Numbers, sizes: Numbers, usual_values: Numbers) -> Logistic:
    """Logistic regression whose slopes cannot be negative, drawn towards the usual values.

    How far a slope may go from its usual value is told in spreads of its feature.

    Args:
        features: (n, k).
        truths: 1 or 0, (n,).
        sizes: what each counts, (n,).
        usual_values: slopes and, last, the intercept, (k + 1,).
    """
    if not sizes.sum():
        return Logistic(usual_values[:-1], float(usual_values[-1]))
    middle = np.average(features, axis=0, weights=sizes)
    spread = np.sqrt(np.average((features - middle) ** 2, axis=0, weights=sizes)) + 1e-6
    scaled = np.column_stack([(features - middle) / spread, np.ones(len(features))])
    usual = np.append(usual_values[:-1] * spread, usual_values[-1] + middle @ usual_values[:-1])
    trust = np.append(np.full(len(spread), _TRUST_IN_USUAL_SLOPES), _TRUST_IN_USUAL_INTERCEPT)

    def loss(found: Numbers) -> tuple[float, Numbers]:
        odds = scaled @ found
        missed = sizes * (np.logaddexp(0, odds) - truths * odds)
        away = found - usual
        slope = scaled.T @ (sizes * (expit(odds) - truths))
        return float(missed.sum() + trust @ away**2), slope + 2 * trust * away

    bounds = [(0, None)] * len(spread) + [(None, None)]
    found: Numbers = minimize(loss, usual, jac=True, bounds=bounds).x
    slopes = found[:-1] / spread
    return Logistic(slopes, float(found[-1] - middle @ slopes))
