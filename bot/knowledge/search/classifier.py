"""Which article a question belongs to, learned from all texts of all articles at once.

Ridge regression of "is a text of article a" on a radial kernel of centred, normalised vectors.
It has a closed form, and so have its answers had a text, or a whole article, not been learned:
no folds, no chance. Where there are many texts the kernel is approximated through some of them
(Nyström; Williams & Seeger 2001).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cho_solve, cholesky, lapack, solve_triangular

from bot.knowledge.embedding.cache import Vectors

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

_WIDTH = 2.0
_RIDGE = 0.1
_JITTER = 1e-3
_MOST_EXACT = 8000
"""Texts up to which every one takes part. While they are learned, so many take 256 MB: time grows
with their number cubed, memory with its square."""
_LANDMARKS = 6000
_MAX_WEIGHTS = 6_000_000
"""Landmarks times articles: what a question is multiplied with."""
_ROWS_AT_ONCE = 2048
_COLUMNS_AT_ONCE = 512
_NOWHERE = 1e-5
"""Nearer than this to the centre a vector has no direction: what is left of it is rounding."""


@dataclass(frozen=True)
class Classifier:
    """Scores of articles for vectors of questions: about 1 for the right one, 0 for others."""

    centre: Vectors
    landmarks: Vectors
    weights: Matrix

    def scores(self, vectors: Vectors) -> Matrix:
        """(n, dimensions) → (n, articles)."""
        scores: Matrix = _kernel(_unit(vectors - self.centre), self.landmarks) @ self.weights
        return scores


@dataclass(frozen=True)
class LeftOut:
    """Scores of learned texts, each (len(rows), articles)."""

    without_text: Matrix
    """Had this one text not been learned."""
    without_article: Matrix
    """Had nothing of its article been learned; 0 for that article."""

    def of(self, places: Rows) -> Self:
        """Those of some of the texts."""
        return type(self)(self.without_text[places], self.without_article[places])

    def among(self, articles: int) -> Self:
        """Only those of the first articles."""
        return type(self)(self.without_text[:, :articles], self.without_article[:, :articles])


def learn(vectors: Vectors, owners: Rows, articles: int, rows: Rows) -> tuple[Classifier, LeftOut]:
    """A classifier and, for some of its own texts, what it would say without them.

    Args:
        vectors: of the texts, (n, dimensions).
        owners: which article each belongs to, rising, every article at least once, (n,).
        articles: how many there are.
        rows: the texts to leave out in turn, rising.
    """
    centre = vectors.mean(axis=0)
    units = _unit(vectors - centre)
    most = max(_MAX_WEIGHTS // articles, 1)
    learned: _Exact | _Approximate
    if len(units) <= min(most, _MOST_EXACT):
        learned = _Exact(units, owners, articles)
    else:
        learned = _Approximate(units, owners, articles, min(most, _LANDMARKS))
    classifier = Classifier(centre, learned.landmarks, learned.weights)
    return classifier, _leave_out(learned, owners, articles, rows)


class _Exact:
    """The regression on all texts: weights = (kernel + ridge)⁻¹ wanted."""

    def __init__(self, units: Vectors, owners: Rows, articles: int) -> None:
        self.landmarks = units
        kernel = _kernel(units, units)
        kernel[np.diag_indices_from(kernel)] += _RIDGE
        self._inverse = _inverse(kernel)
        self.weights: Matrix = np.add.reduceat(
            self._inverse, np.searchsorted(owners, np.arange(articles)), axis=1
        )
        self._owners = owners

    def left_in(self, texts: Rows) -> tuple[Matrix, Matrix]:
        """What is said of learned texts, (n, articles), and their influence on it, (n, n)."""
        fitted = -_RIDGE * self.weights[texts]
        fitted[np.arange(len(texts)), self._owners[texts]] += 1
        influence = -_RIDGE * self._inverse[np.ix_(texts, texts)]
        influence[np.diag_indices_from(influence)] += 1
        return fitted, influence


class _Approximate:
    """The same through some texts, the landmarks, which stand for the kernel (Nyström)."""

    def __init__(self, units: Vectors, owners: Rows, articles: int, landmarks: int) -> None:
        self._units = units
        # Scattered evenly, so that every article with many texts has some.
        chosen = np.linspace(0, len(units) - 1, landmarks).astype(np.int64)
        self.landmarks = units[chosen]
        kernel = _kernel(self.landmarks, self.landmarks)
        kernel[np.diag_indices_from(kernel)] += _JITTER
        self._root = _root(kernel)
        gram = np.zeros((landmarks, landmarks), dtype=np.float32, order="F")
        gram[np.diag_indices_from(gram)] = _RIDGE
        totals = np.zeros((articles, landmarks), dtype=np.float32)
        for start in range(0, len(units), _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, len(units)))
            part = self._features(rows)
            gram = blas.ssyrk(1, part, beta=1, c=gram, lower=True, overwrite_c=True)
            present, first = np.unique(owners[rows], return_index=True)
            totals[present] += np.add.reduceat(part.T, first)
        self._gram_root = _root(gram)
        self._solution: Matrix = cho_solve((self._gram_root, True), totals.T, check_finite=False)
        self.weights: Matrix = solve_triangular(
            self._root, self._solution, trans="T", lower=True, check_finite=False
        )

    def _features(self, texts: Rows) -> Matrix:
        """(landmarks, n)"""
        kernel = _kernel(self._units[texts], self.landmarks).T
        features: Matrix = solve_triangular(
            self._root, kernel, lower=True, overwrite_b=True, check_finite=False
        )
        return features

    def left_in(self, texts: Rows) -> tuple[Matrix, Matrix]:
        """What is said of learned texts, (n, articles), and their influence on it, (n, n)."""
        features = self._features(texts)
        fitted = features.T @ self._solution
        features = solve_triangular(
            self._gram_root, features, lower=True, overwrite_b=True, check_finite=False
        )
        return fitted, features.T @ features


def _leave_out(
    learned: "_Exact | _Approximate", owners: Rows, articles: int, rows: Rows
) -> LeftOut:
    """What is left when the influence of a text, or of an article's texts, is taken out."""
    without_text = np.empty((len(rows), articles), dtype=np.float32)
    without_article = np.empty_like(without_text)
    bounds = np.searchsorted(owners, np.arange(articles + 1))
    for block in _blocks(np.unique(owners[rows]), np.diff(bounds)):
        texts = np.concatenate([np.arange(bounds[n], bounds[n + 1]) for n in block])
        fitted, influence = learned.left_in(texts)
        start = 0
        for article in block:
            mine = slice(start, start + int(bounds[article + 1] - bounds[article]))
            start = mine.stop
            begin, end = np.searchsorted(rows, [bounds[article], bounds[article + 1]])
            within = rows[begin:end] - bounds[article]
            of_mine = influence[mine, mine]
            own = of_mine[within, within]
            kept = fitted[mine][within]
            kept[:, article] -= own
            without_text[begin:end] = kept / (1 - own[:, None])
            apart = np.eye(len(of_mine), dtype=np.float32) - of_mine
            without_article[begin:end] = np.linalg.solve(apart, fitted[mine])[within]
            without_article[begin:end, article] = 0
    return LeftOut(without_text, without_article)


def _blocks(articles: Rows, sizes: Rows) -> Iterator[list[int]]:
    """Articles whose texts together are worth one call of the linear algebra."""
    block: list[int] = []
    texts = 0
    for article in articles:
        if block and texts + sizes[article] > _ROWS_AT_ONCE:
            yield block
            block, texts = [], 0
        block.append(int(article))
        texts += sizes[article]
    if block:
        yield block


def _root(symmetric: Matrix) -> Matrix:
    """Cholesky's lower root of a positive matrix, in whose place it is written."""
    columns = symmetric.T if symmetric.flags.c_contiguous else symmetric  # as LAPACK wants them
    root: Matrix = cholesky(columns, lower=True, overwrite_a=True, check_finite=False)
    return root


def _inverse(symmetric: Matrix) -> Matrix:
    """Of a positive matrix, in whose place it is written."""
    inverse: Matrix
    inverse, _ = lapack.spotri(_root(symmetric), lower=True, overwrite_c=True)
    for start in range(0, len(inverse), _COLUMNS_AT_ONCE):  # the upper half is missing
        stop = start + _COLUMNS_AT_ONCE
        inverse[start:stop, stop:] = inverse[stop:, start:stop].T
        corner = inverse[start:stop, start:stop]
        corner += np.tril(corner, -1).T
    return inverse


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _NOWHERE)
    return unit


def _kernel(one: Vectors, other: Vectors) -> Matrix:
    kernel: Matrix = one @ other.T  # the rest in its place: it may be most of the memory
    kernel -= 1
    kernel *= _WIDTH
    return np.exp(kernel, out=kernel)
