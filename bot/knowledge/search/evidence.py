"""What speaks for each article of a language as the answer to a question: three kinds of evidence.

They are the score of a classifier of all texts, late interaction with an article's tokens, and the
share of the question's words that are in the article. Late interaction is the dearest kind and
looks only at the articles that the other two put first.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.search.calibration import Evidence, Numbers, Places
from bot.knowledge.search.classifier import Matrix
from bot.knowledge.search.late_interaction import TokenBags
from bot.knowledge.search.lexical import LexicalIndex
from bot.knowledge.search.texts import Written

_LOOKED_AT = 8
"""Articles that late interaction looks at. With twelve the right one comes first equally often, to
three decimals: CLINC150 with 150 intents, BANKING77, HINT3, questions to the shop."""
_LOOKED_AT_FOREIGN = 24
"""The same for questions in another language: no word of them helps to choose."""
_CLASS, _WORDS = 9.0, 5.0
"""What class and words count in choosing those."""
_LEFT_OUT = -1e9


class Sources:
    """Words and tokens of the articles of one language."""

    def __init__(self, written: Written, products: Sequence[Collection[str]]) -> None:
        """
        Args:
            products: that each article is about.
        """
        articles = len(products)
        self.words = LexicalIndex(written.documents)
        self.bags = TokenBags(
            [each.codes for each in written.embedded], written.owners, len(written.documents)
        )
        self.columns = len(written.documents)
        """Of the classifier: articles, and perhaps everyday questions behind them."""
        self._articles = articles
        self._products = [frozenset(each) for each in products]
        self._nobody = articles if len(written.documents) > articles else -1

    def shares(self, tokens: Sequence[Sequence[str]]) -> Matrix:
        """Share of the words of each question in each article, (n, articles)."""
        return np.stack([self.words.scores(each) for each in tokens])

    def promising(
        self,
        classes: Matrix,
        words: Matrix,
        named: Sequence[frozenset[str]],
        without: NDArray[np.int64] | None = None,
        *,
        more: Numbers | float = 0.0,
        foreign: bool = False,
    ) -> Places:
        """The articles of each question that are worth looking at, as `Evidence.places`.

        An article about other products than those that a question names is none of them.

        Args:
            classes: scores of the classifier, (n, articles), and one more for none of them.
            words: `shares`, the same.
            named: the products that each question names.
            without: an article of each question that is left out, (n,).
            more: added to the order of each article, (articles,).
            foreign: the questions are in another language than the articles.
        """
        looked_at = _LOOKED_AT_FOREIGN if foreign else _LOOKED_AT
        order = (_CLASS * classes + _WORDS * words)[:, : self._articles] + more
        for row, products in enumerate(named):
            if products:
                order[row, self._about_others(products)] = _LEFT_OUT
        if without is not None:
            order[np.arange(len(order)), without] = _LEFT_OUT
        count = min(looked_at, self._articles)
        best = np.argpartition(-order, count - 1, axis=1)[:, :count]
        left_out = np.take_along_axis(order, best, axis=1) <= _LEFT_OUT
        places = np.full((len(order), looked_at + 1), -1, dtype=np.int64)
        places[:, :count] = np.where(left_out, -1, best)
        places[:, -1] = self._nobody
        return places

    def _about_others(self, products: frozenset[str]) -> list[int]:
        """Articles about products, and none of these."""
        return [n for n, each in enumerate(self._products) if each and each.isdisjoint(products)]

    def evidence(
        self,
        places: Places,
        classes: Matrix,
        words: Matrix,
        maxsim: Matrix,
        tokens: Sequence[Sequence[str]],
    ) -> Evidence:
        """All three kinds for the articles that are looked at.

        Args:
            classes, words, maxsim: of all articles, each (n, articles); MaxSim is right only for
                those that are looked at.
            tokens: of the questions.
        """
        kinds = np.zeros((*places.shape, 3), dtype=np.float32)
        for kind, scores in enumerate((classes, maxsim, words)):
            kinds[:, :, kind] = np.take_along_axis(scores, places, axis=1)
        kinds[places < 0] = 0
        information = np.array([self.words.information(each) for each in tokens])
        return Evidence(places, kinds, information)
