"""Which article a question belongs to, learned from all texts of all articles at once.

Ridge regression of "is a text of article a" on a radial kernel of centred, normalised vectors.
It has a closed form, and so have its answers had a text, or a whole article, not been learned:
no folds, no chance. The kernel is approximated through some of the texts where there are many
(Nyström; Williams & Seeger 2001).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

from bot.knowledge.embedding import Vectors

Matrix = NDArray[np.float32]
Rows = NDArray[np.int64]

_WIDTH = 2.0
_RIDGE = 0.1
_JITTER = 1e-3
_FEW_LANDMARKS = 2000
_MANY_LANDMARKS = 4000
_MAX_WEIGHTS = 4_000_000
"""Landmarks times articles: what a question is multiplied with."""
_ROWS_AT_ONCE = 4096


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


def learn(
    vectors: Vectors, owners: Rows, articles: int, rows: Rows | None = None
) -> tuple[Classifier, LeftOut | None]:
    """A classifier and, for some of its own texts, what it would say without them.

    Args:
        vectors: of the texts, (n, dimensions).
        owners: which article each belongs to, rising, every article at least once, (n,).
        articles: how many there are.
        rows: the texts to leave out in turn, rising; None: none.
    """
    centre = vectors.mean(axis=0)
    units = _unit(vectors - centre)
    # Scattered evenly, so that every article with many texts has some.
    count = min(len(units), _landmarks(len(units), articles))
    landmarks = units[np.linspace(0, len(units) - 1, count).astype(np.int64)]
    kernel = _kernel(landmarks, landmarks)
    kernel[np.diag_indices_from(kernel)] += _JITTER
    root = cholesky(kernel, lower=True, overwrite_a=True, check_finite=False)

    def features(some: Vectors) -> Matrix:
        found: Matrix = solve_triangular(
            root, _kernel(landmarks, some), lower=True, overwrite_b=True, check_finite=False
        ).T
        return found

    gram = _RIDGE * np.eye(count, dtype=np.float32)
    totals = np.zeros((articles, count), dtype=np.float32)
    for start in range(0, len(units), _ROWS_AT_ONCE):
        part = features(units[start : start + _ROWS_AT_ONCE])
        gram += part.T @ part
        present, first = np.unique(owners[start : start + _ROWS_AT_ONCE], return_index=True)
        totals[present] += np.add.reduceat(part, first)
    factor = cho_factor(gram, overwrite_a=True, check_finite=False)
    solution = cho_solve(factor, totals.T, check_finite=False)
    weights = solve_triangular(root.T, solution, lower=False, check_finite=False)
    classifier = Classifier(centre, landmarks, weights)
    if rows is None:
        return classifier, None

    without_text = np.empty((len(rows), articles), dtype=np.float32)
    without_article = np.empty_like(without_text)
    bounds = np.searchsorted(owners, np.arange(articles + 1))
    for block in _blocks(np.unique(owners[rows]), np.diff(bounds)):
        texts = np.concatenate([np.arange(bounds[n], bounds[n + 1]) for n in block])
        mine = features(units[texts])
        fitted = mine @ solution
        solved = cho_solve(factor, mine.T, check_finite=False)
        start = 0
        for article in block:
            stop = start + bounds[article + 1] - bounds[article]
            influence = mine[start:stop] @ solved[:, start:stop]
            begin, end = np.searchsorted(rows, [bounds[article], bounds[article + 1]])
            within = rows[begin:end] - bounds[article]
            own = influence[within, within]
            kept = fitted[start:stop][within]
            kept[:, article] -= own
            without_text[begin:end] = kept / (1 - own[:, None])
            apart = np.eye(stop - start, dtype=np.float32) - influence
            without_article[begin:end] = np.linalg.solve(apart, fitted[start:stop])[within]
            without_article[begin:end, article] = 0
            start = stop
    return classifier, LeftOut(without_text, without_article)


def _blocks(articles: Rows, sizes: Rows) -> Iterator[list[int]]:
    """Articles whose texts together are worth one call of the linear algebra."""
    block: list[int] = []
    for article in articles:
        if block and sizes[[*block, article]].sum() > _ROWS_AT_ONCE:
            yield block
            block = []
        block.append(int(article))
    if block:
        yield block


def _landmarks(texts: int, articles: int) -> int:
    """More where there is more to learn: time grows with their square."""
    wanted = min(max(_FEW_LANDMARKS, texts // 3), _MANY_LANDMARKS)
    return max(min(wanted, _MAX_WEIGHTS // articles), 1)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return unit


def _kernel(one: Vectors, other: Vectors) -> Matrix:
    kernel: Matrix = np.exp(_WIDTH * (one @ other.T - 1))
    return kernel
