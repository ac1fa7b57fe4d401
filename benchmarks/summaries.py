"""Judged questions → the numbers of a set that are kept."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from bot.knowledge.evaluation.figures import Judged, figures

Result = dict[str, Any]


def measured(judged: Sequence[Judged]) -> Result:
    """As `usher evaluate --json`, without the time (vectors come from a cache) and with the share
    answered of what can be answered."""
    found = figures(judged).as_json()
    del found["ms_per_question"]
    answerable = [each for each in judged if each.question.article]
    found["answered"] = sum(each.answered for each in judged)
    found["share_answered_of_answerable"] = round(
        sum(each.answered for each in answerable) / max(len(answerable), 1), 4
    )
    return found


def out_of_scope(judged: Sequence[Judged]) -> Result:
    """What a threshold gives up of the one to gain of the other (Larson et al. 2019).

    In-scope accuracy: share of all in-scope questions that are answered with the right article.
    Out-of-scope recall: share of the out-of-scope questions that are not answered.
    """
    inside = [each for each in judged if each.question.article]
    outside = np.array([each.confidence for each in judged if not each.question.article])
    confidences = np.array([each.confidence for each in inside])
    right = np.array([each.right for each in inside])
    thresholds = np.unique([0.0, *(each.confidence for each in judged), 1.01])
    points = [
        (float((right & (confidences >= bar)).mean()), float((outside < bar).mean()))
        for bar in thresholds
    ]
    return {
        "accuracy_at_recall_0.80": _best(points, least=0.80),
        "recall_at_accuracy_0.93": _best([point[::-1] for point in points], least=0.93),
        "recall_at_accuracy": {
            str(wanted): _best([point[::-1] for point in points], least=wanted)
            for wanted in (0.9, 0.915, 0.92, 0.94, 0.95)
        },
    }


def _best(points: Sequence[tuple[float, float]], least: float) -> float:
    """The largest first number where the second reaches a least one; 0 if it never does."""
    return round(max((first for first, second in points if second >= least), default=0), 4)


def mean(draws: Sequence[Result]) -> Result:
    """The mean of every number over the draws; of the accuracy also the lowest and highest."""
    merged = _mean_of(draws)
    merged["draws"] = len(draws)
    merged["top1_range"] = [
        min(each["top1"] for each in draws),
        max(each["top1"] for each in draws),
    ]
    return merged


def _mean_of(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, dict):
        return {key: _mean_of([each[key] for each in values]) for key in first}
    if any(each is None for each in values):
        return None
    return round(statistics.fmean(values), 4)
