"""BM25 of whole articles (Robertson & Zaragoza 2009), as a share of what a question says."""

from collections import Counter
from collections.abc import Sequence

import bm25s
import numpy as np
from numpy.typing import NDArray

_K1 = 1.2
_B = 0.75

Scores = NDArray[np.float32]


class LexicalIndex:
    """Articles by their tokens. A score of 1 would mean that an article is about nothing else
    than the question's words; words that no article has count as not found.
    """

    def __init__(self, documents: Sequence[Counter[str]]) -> None:
        """
        Args:
            documents: how often each token is in each article.
        """
        self._size = len(documents)
        lengths = [document.total() for document in documents]
        self._mean_length = sum(lengths) / max(len(lengths), 1) or 1.0
        found_in = Counter(token for document in documents for token in document)
        # Lucene's: never negative, and bounds what one token can add to a score.
        self._weights = {
            token: float(np.log1p((len(documents) - n + 0.5) / (n + 0.5)))
            for token, n in found_in.items()
        }
        self._unknown = float(np.log1p((len(documents) + 0.5) / 0.5))
        self._vocabulary = {token: n for n, token in enumerate(self._weights)}
        self._bm25 = bm25s.BM25(k1=_K1, b=_B, method="lucene")
        if self._vocabulary:
            ids = [
                [self._vocabulary[token] for token in document.elements()] for document in documents
            ]
            # A copy: the library adds a token of its own to what it is given.
            self._bm25.index((ids, dict(self._vocabulary)), show_progress=False)

    def scores(self, tokens: Sequence[str]) -> Scores:
        """Share of the tokens' weight found in each article, 0–1."""
        known = [self._vocabulary[token] for token in set(tokens) if token in self._vocabulary]
        if not known:
            return np.zeros(self._size, dtype=np.float32)
        found: Scores = self._bm25.get_scores_from_ids(known)
        return found / self.information(tokens)

    def score_without(self, tokens: Sequence[str], document: Counter[str]) -> float:
        """The score of one of the articles, were these tokens of it not part of it."""
        length = (document.total() - len(tokens)) / self._mean_length
        found = 0.0
        for token, taken in Counter(tokens).items():
            remaining = document[token] - taken
            if remaining > 0:
                saturated = remaining / (remaining + _K1 * (1 - _B + _B * length))
                found += self._weights[token] * saturated
        return found / self.information(tokens)

    def known(self, tokens: Sequence[str]) -> float:
        """Share of the tokens' weight that any article has, 0–1."""
        some = sum(self._weights.get(token, 0.0) for token in set(tokens))
        return some / self.information(tokens)

    def information(self, tokens: Sequence[str]) -> float:
        """What the tokens weigh together, in nats: the rarer a token, the more it says."""
        return sum(self._weights.get(token, self._unknown) for token in set(tokens)) or 1.0
