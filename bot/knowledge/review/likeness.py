"""How alike texts are, all against all, in blocks that fit into memory."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.knowledge.embedding.cache import Vectors
from bot.knowledge.review.statements import stop_words

Shares = NDArray[np.float64]

STOP_WORD_WEIGHT = 0.3
_BLOCK_CELLS = 20_000_000
"""Of a block of the comparison of all with all: 160 MB each."""


class WordSets:
    """The words of many texts of one language; rare words count more, stop words little."""

    def __init__(self, sets: Sequence[frozenset[str]], language: str) -> None:
        counts = Counter(word for words in sets for word in words)
        columns = {word: number for number, word in enumerate(counts)}
        little = stop_words(language)
        weights = np.array(
            [
                math.log(1 + len(sets) / count) * (STOP_WORD_WEIGHT if word in little else 1)
                for word, count in counts.items()
            ]
        )
        ends = np.cumsum([0, *(len(words) for words in sets)])
        indices = [columns[word] for words in sets for word in sorted(words)]
        self._has = csr_matrix((np.ones(len(indices)), indices, ends), (len(sets), len(columns)))
        self._weighted = self._has.multiply(weights[np.newaxis]).tocsr()
        self._totals = np.asarray(self._weighted.sum(axis=1)).ravel()

    def shared_of_all(self, least: float, least_words: int) -> Iterator[tuple[int, int, float]]:
        """(first, second, weight of the shared words among all words of both), first < second.

        Args:
            least: shares below are left out.
            least_words: so are texts that share fewer words.
        """
        for block, shared in self._blocks():
            share = shared / np.maximum(self._totals[block, None] + self._totals - shared, 1e-9)
            words = (self._has[block] @ self._has.T).toarray()
            yield from _above(block.start, np.where(words >= least_words, share, 0), least)

    def shared_of_shorter(self, least: float) -> Iterator[tuple[int, int, float]]:
        """(first, second, weight of the shared words among those of the one that has less)."""
        for block, shared in self._blocks():
            shorter = np.minimum(self._totals[block, None], self._totals)
            yield from _above(block.start, shared / np.maximum(shorter, 1e-9), least)

    def _blocks(self) -> Iterator[tuple[slice, Shares]]:
        for block in _slices(self._has.shape[0]):
            yield block, (self._weighted[block] @ self._has.T).toarray()


def _slices(count: int) -> Iterator[slice]:
    rows = max(1, min(256, _BLOCK_CELLS // max(count, 1)))
    for start in range(0, count, rows):
        yield slice(start, start + rows)


def _above(start: int, shares: Shares, least: float) -> Iterator[tuple[int, int, float]]:
    for row, second in zip(*np.nonzero(shares >= least), strict=True):
        first = start + int(row)
        if first < second:
            yield first, int(second), float(shares[row, second])


def nearest(vectors: Vectors, groups: Sequence[int]) -> NDArray[np.int64]:
    """Of each text the nearest one, by cosine, of another group; -1 where there is none."""
    groups_of = np.asarray(groups)
    found = np.full(len(vectors), -1, dtype=np.int64)
    if len(set(groups)) > 1:
        for block in _slices(len(vectors)):
            similarity = vectors[block] @ vectors.T
            similarity[groups_of[block, None] == groups_of] = -np.inf
            found[block] = similarity.argmax(axis=1)
    return found
