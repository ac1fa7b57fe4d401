"""Late interaction: each word of a question looks for its nearest in an article (MaxSim of ColBERT,
Khattab and Zaharia 2020).

For each token of the question the largest cosine with any token of the article, averaged. All texts
of an article are one bag. A vector for a whole text must say everything at once; here one sentence
of a long article is enough.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.embedding.cache import Codes, Vectors
from bot.knowledge.search.classifier import Rows

Scores = NDArray[np.float32]

_NOWHERE = -1.0
_NO_LENGTH = 1e-6


def directions(codes: Codes) -> Vectors:
    """Unit vectors of tokens, (tokens, dimensions)."""
    unit: Vectors = codes.astype(np.float32) / _lengths(codes)[:, None]
    return unit


def shifted(unit: Vectors, shift: Vectors | float) -> Vectors:
    """Unit vectors, (n, dimensions), with something added to each, as unit vectors again."""
    moved: Vectors = unit + shift
    moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), _NO_LENGTH)
    return moved


def _lengths(codes: Codes) -> Scores:
    vectors = codes.astype(np.float32)
    lengths: Scores = np.maximum(np.sqrt(np.einsum("td,td->t", vectors, vectors)), 1)
    return lengths


def mean_direction(codes: Codes) -> Vectors:
    """What the tokens of a text point to together, (dimensions,); 0 where there is none."""
    if not len(codes):
        return np.zeros(codes.shape[1], dtype=np.float32)
    mean: Vectors = directions(codes).mean(axis=0)
    return mean


class TokenBags:
    """The tokens of all texts of all articles; a byte for each dimension of each token."""

    def __init__(self, texts: Sequence[Codes], owners: Rows, articles: int) -> None:
        """
        Args:
            texts: the tokens of each text.
            owners: which article each belongs to, rising.
        """
        self._codes = np.concatenate(texts)
        self._lengths = np.concatenate([_lengths(each) for each in texts])
        self._ends = np.cumsum([0, *(len(each) for each in texts)])
        self._texts = np.searchsorted(owners, np.arange(articles + 1))

    def codes(self, text: int) -> Codes:
        """The tokens of one text."""
        return self._codes[self._ends[text] : self._ends[text + 1]]

    def score(self, article: int, question: Vectors) -> float:
        """Mean of the largest cosines of a question's tokens, −1 to 1; 0 where there are none."""
        return self._scores(article, [question], [-1])[0]

    def scores_without(
        self, article: int, questions: Sequence[Vectors], texts: Sequence[int]
    ) -> list[float]:
        """The scores of several questions, each had one text of the article not been written.

        Args:
            texts: the number of that text; −1: none is left out.
        """
        return self._scores(article, questions, texts)

    def _scores(
        self, article: int, questions: Sequence[Vectors], texts: Sequence[int]
    ) -> list[float]:
        first, last = self._texts[article], self._texts[article + 1]
        begin, end = self._ends[first], self._ends[last]
        lengths = np.array([len(each) for each in questions])
        if begin == end or not lengths.sum():
            return [0.0] * len(questions)
        cosines = np.concatenate(questions) @ self._codes[begin:end].astype(np.float32).T
        cosines /= self._lengths[begin:end]
        stops = np.cumsum(lengths)
        for stop, length, text in zip(stops, lengths, texts, strict=True):
            if text >= 0:
                left_out = slice(self._ends[text] - begin, self._ends[text + 1] - begin)
                cosines[stop - length : stop, left_out] = _NOWHERE
        of = np.repeat(np.arange(len(questions)), lengths)
        sums = np.bincount(of, weights=cosines.max(axis=1), minlength=len(questions))
        means = sums / np.maximum(lengths, 1)
        means[means <= _NOWHERE] = 0  # nothing is left of the article
        scores: list[float] = means.tolist()
        return scores
