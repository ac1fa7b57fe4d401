"""Measures of a confidence against what came true: pure functions over arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Confidences = NDArray[np.float64]
Truths = NDArray[np.bool_]

MAX_BINS = 10
MIN_BIN = 25
"""Questions in a bin, at least: the share of right ones among fewer is mostly chance."""
_DRAWS = 200
_Z95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""


@dataclass(frozen=True)
class Bin:
    """Questions of about the same confidence."""

    count: int
    confidence: float
    """Mean of their confidences."""
    right: float
    """Share of which the first article was right."""


def bins(confidences: Confidences, right: Truths) -> list[Bin]:
    """Bins of equal size by rising confidence (equal-mass; Nguyen and O'Connor 2015).

    Ten, or fewer if there would be less than 25 questions in each. Questions of exactly the
    same confidence share their outcomes evenly, so that the order of the file changes nothing.
    """
    order = np.argsort(confidences, kind="stable")
    _, same = np.unique(confidences, return_inverse=True)
    means = np.bincount(same, weights=right) / np.maximum(np.bincount(same), 1)
    shared = means[same]
    parts = np.array_split(order, min(MAX_BINS, max(len(order) // MIN_BIN, 1)))
    return [
        Bin(len(part), float(confidences[part].mean()), float(shared[part].mean()))
        for part in parts
        if len(part)
    ]


def calibration_error(confidences: Confidences, right: Truths) -> float | None:
    """Expected calibration error: the mean gap of confidence and truth over the bins.

    Above zero by chance alone, see `calibration_error_by_chance`. None without questions.
    """
    if not len(confidences):
        return None
    found = bins(confidences, right)
    gaps = sum(each.count * abs(each.confidence - each.right) for each in found)
    return float(gaps / len(confidences))


def calibration_error_by_chance(confidences: Confidences) -> float | None:
    """The calibration error that perfectly honest confidences would have on so few questions.

    Mean over 200 draws in which each answer is right exactly as often as its confidence says.
    """
    if not len(confidences):
        return None
    draws = np.random.default_rng(0).random((_DRAWS, len(confidences))) < confidences
    return float(np.mean([calibration_error(confidences, right) for right in draws]))


def auroc(confidences: Confidences, right: Truths) -> float | None:
    """Chance that a right one has a higher confidence than a wrong one; ties count half.

    None when all are right or all are wrong. Ranks as Mann and Whitney (1947).
    """
    positives = int(right.sum())
    negatives = len(right) - positives
    if not positives or not negatives:
        return None
    _, same, counts = np.unique(confidences, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of equal values
    above = ranks[same][right].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def coverage_curve(
    confidences: Confidences, right: Truths
) -> tuple[Confidences, Confidences, Confidences]:
    """What could be had with each threshold: (thresholds, coverage, precision).

    Coverage is the share of all questions with at least that confidence, precision the share
    of right ones among them. Equal confidences are answered together or not at all. Falling
    thresholds; nothing for no questions.
    """
    order = np.argsort(-confidences, kind="stable")
    falling = confidences[order]
    last = np.append(falling[:-1] != falling[1:], True) if len(order) else np.zeros(0, bool)
    answered = np.arange(1, len(order) + 1)[last]
    hits = np.cumsum(right[order])[last]
    return falling[last], answered / max(len(order), 1), hits / np.maximum(answered, 1)


def coverage_at(precision: float, confidences: Confidences, right: Truths) -> float | None:
    """Largest share of all questions that one threshold answers at this precision or better.

    0 when no threshold reaches it, None without questions.
    """
    if not len(confidences):
        return None
    _, coverage, precisions = coverage_curve(confidences, right)
    reached = coverage[precisions >= precision - 1e-12]
    return float(reached.max()) if len(reached) else 0.0


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); (0, 1) for nothing counted."""
    if not count:
        return 0.0, 1.0
    share, z2 = successes / count, _Z95**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = _Z95 * ((share * (1 - share) + z2 / (4 * count)) / count) ** 0.5 / (1 + z2 / count)
    return max(0.0, centre - spread), min(1.0, centre + spread)
