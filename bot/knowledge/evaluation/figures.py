"""How good a knowledge base's answers are, on questions whose right article is known.

Whether Usher fits somebody's articles is judged with this, so every figure is defined here and
by `usher evaluate --help` alike. A question that no article answers is *unanswerable*: whatever
article comes first is wrong, and right is to hold back, that is to clarify or to hand off.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bot.knowledge.evaluation import measures
from bot.knowledge.evaluation.question_sets import Question
from bot.knowledge.language.normalising import normalise
from bot.knowledge.search.matching import Matcher
from bot.messages import Outcome

ALL = "all"
PRECISIONS = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Judged:
    """A question and what came of it."""

    question: Question
    articles: tuple[str, ...]
    """Ids of the candidates, the most probable first."""
    confidence: float
    """Probability of the first candidate; 0 when there is none."""
    outcome: Outcome
    language: str
    """As the file says, or else as the text was read."""
    seconds: float
    """Wall time of the match."""
    text: str = ""
    """What the first candidate says."""

    @property
    def answered(self) -> bool:
        return self.outcome is Outcome.ANSWER

    @property
    def right(self) -> bool:
        """Whether the first candidate answers the question."""
        return self.rank == 1

    @property
    def helped(self) -> bool:
        """Whether the customer got the right article, or its title to choose."""
        offered = self.outcome is Outcome.CLARIFY and self.rank > 0
        return offered or (self.answered and self.right)

    @property
    def says(self) -> bool:
        """Whether the reply contains what it must, were the first candidate answered."""
        said = _spelled(self.text)
        return any(_spelled(each) in said for each in self.question.says)

    @property
    def rank(self) -> int:
        """Place of the right article among the candidates, from 1; 0: not there."""
        wanted = self.question.article
        return self.articles.index(wanted) + 1 if wanted and wanted in self.articles else 0


@dataclass(frozen=True)
class Figures:
    """What the questions of one group say. A share of nothing is None."""

    questions: int
    unanswerable: int
    """How many of the questions no article answers."""
    top1: float | None
    """Share of the answerable questions whose right article came first, answered or not."""
    top3: float | None
    """Share of the answerable questions whose right article was among the first three."""
    share_answered: float | None
    """Share of all questions that were answered."""
    precision: float | None
    """Share of the answered questions that got the right article."""
    helped: float | None
    """Share of the answerable questions that were answered with the right article, or whose right
    title was offered."""
    says: float | None
    """Share of the questions that tell what the reply must contain, whose reply contains it; with
    that of the first article, answered or not."""
    held_back: float | None
    """Share of the unanswerable questions that were not answered."""
    offered_in_vain: float | None
    """Share of the unanswerable questions for which titles were offered."""
    auroc: float | None
    """Chance that a question whose first article is right has the higher confidence than one
    whose first article is wrong; over all questions."""
    calibration_error: float | None
    """Mean gap between confidence and share of right first articles, over all questions in
    bins of equal size: ten, or fewer of at least 25 questions."""
    coverage_at_precision: Mapping[str, float | None]
    """The largest share of all questions that a threshold, chosen on these very questions,
    would answer with at least this precision; 0 if none does."""
    ms_per_question: float | None
    """Median wall time of one match, embedding included."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    matcher: Matcher,
    questions: Sequence[Question],
    default_language: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Judged]:
    """Ask every question, each as the first of its conversation.

    Args:
        default_language: the hint for questions that come without a language.
        progress: told how many are done, and how many there are.
    """
    judged: list[Judged] = []
    for done, question in enumerate(questions, start=1):
        started = time.perf_counter()
        match = matcher.match(question.text, question.language or default_language)
        judged.append(
            Judged(
                question=question,
                articles=tuple(each.article for each in match.candidates),
                confidence=match.candidates[0].probability if match.candidates else 0.0,
                outcome=match.outcome,
                language=question.language or match.language,
                seconds=time.perf_counter() - started,
                text=match.text,
            )
        )
        progress(done, len(questions))
    return judged


def by_language(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """All of them, then those of each language in alphabetical order."""
    languages = sorted({each.language for each in judged})
    groups = {name: [each for each in judged if each.language == name] for name in languages}
    return {ALL: list(judged), **groups}


def figures(judged: Sequence[Judged]) -> Figures:
    """What a group of judged questions says; every share is rounded to four places."""
    answerable = [each for each in judged if each.question.article]
    unanswerable = [each for each in judged if not each.question.article]
    answered = [each for each in judged if each.answered]
    confidences, right = as_arrays(judged)
    milliseconds = [each.seconds * 1000 for each in judged]
    return Figures(
        questions=len(judged),
        unanswerable=len(unanswerable),
        top1=_share([each.right for each in answerable]),
        top3=_share([each.rank > 0 for each in answerable]),
        share_answered=_share([each.answered for each in judged]),
        precision=_share([each.right for each in answered]),
        helped=_share([each.helped for each in answerable]),
        says=_share([each.says for each in judged if each.question.says]),
        held_back=_share([not each.answered for each in unanswerable]),
        offered_in_vain=_share([each.outcome is Outcome.CLARIFY for each in unanswerable]),
        auroc=_rounded(measures.auroc(confidences, right)),
        calibration_error=_rounded(measures.calibration_error(confidences, right)),
        coverage_at_precision={
            str(wanted): _rounded(measures.coverage_at(wanted, confidences, right))
            for wanted in PRECISIONS
        },
        ms_per_question=round(statistics.median(milliseconds), 2) if milliseconds else None,
    )


def as_arrays(judged: Sequence[Judged]) -> tuple[measures.Confidences, measures.Truths]:
    """Confidences, and whether the first article was right."""
    return (
        np.array([each.confidence for each in judged], dtype=np.float64),
        np.array([each.right for each in judged], dtype=np.bool_),
    )


def worst_misses(judged: Sequence[Judged], count: int) -> list[Judged]:
    """First what was answered wrongly, the surest first; then what was right and held back,
    the most doubted first; then what was held back because another article came first.
    """
    wrong = [each for each in judged if each.answered and not each.right]
    doubted = [each for each in judged if not each.answered and each.right]
    missed = [
        each for each in judged if not each.answered and each.question.article and not each.right
    ]
    wrong.sort(key=lambda each: -each.confidence)
    doubted.sort(key=lambda each: each.confidence)
    missed.sort(key=lambda each: -each.confidence)
    return [*wrong, *doubted, *missed][:count]


def _spelled(text: str) -> str:
    return " ".join(normalise(text).split())


def _share(truths: Sequence[bool]) -> float | None:
    return round(sum(truths) / len(truths), 4) if truths else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
