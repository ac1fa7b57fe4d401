"""How a knowledge base asks itself: its own questions, each without its text, then without its
article.

Every kind of evidence can be had exactly as if the text had never been written: the classifier in
closed form, words by counting again, and late interaction by not looking at the text's tokens.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.embedding.cache import Vectors
from bot.knowledge.search.calibration import Asked, Places
from bot.knowledge.search.classifier import LeftOut, Rows
from bot.knowledge.search.evidence import MaxSim, Sources
from bot.knowledge.search.late_interaction import directions
from bot.knowledge.search.texts import Text, Written

_MOST_QUESTIONS = 1000
"""Of one kind and language that a knowledge base asks itself; more say little more."""
_MOST_TEXTS = 1000
"""Articles with more texts than this do not ask: their influence on themselves is a matrix."""

_Pair = tuple[str, str, bool, Article | int]
"""Kind and text of a question, whether it is one of the article's own, and the article; for
everyday questions how many articles they stand beside, which tells how many they are."""
Remembered = Mapping[_Pair, float]
"""MaxSim of own questions: an edit of one article leaves what the others' say as it was."""


def own_questions(written: Written, articles: Sequence[Article], sources: Sources) -> list[Rows]:
    """Rows of the texts to ask, by kind: as the writer lets customers ask, and titles.

    Where there are no example questions the passages ask. A title that shares no word with its
    article is a number or a name: nobody would ask so.
    """
    counts = np.bincount(written.owners)
    said: list[int] = []
    titles: list[int] = []
    for row, each in enumerate(written.texts):
        if each.kind == "everyday" or counts[each.owner] > _MOST_TEXTS:
            continue
        if each.kind == "title":
            document = written.documents[each.owner]
            if sources.words.score_without(written.tokens[row], document) > 0:
                titles.append(row)
        elif each.kind == "question" or not articles[each.owner].questions:
            said.append(row)
    return [_some(rows) for rows in (said, titles) if rows]


def _some(rows: Sequence[int]) -> Rows:
    """At most as many as are asked, scattered evenly."""
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _MOST_QUESTIONS)).astype(np.int64)
    return np.array(rows, dtype=np.int64)[chosen]


class SelfAsking:
    """Asks questions of one language; remembers what late interaction has said."""

    def __init__(
        self,
        written: Written,
        articles: Sequence[Article],
        sources: Sources,
        known: Remembered,
    ) -> None:
        """
        Args:
            known: what was remembered before an edit.
        """
        self._written = written
        self._articles = articles
        self._sources = sources
        self._known = known
        self.remembered: dict[_Pair, float] = {}

    def ask(self, rows: Rows, left_out: LeftOut) -> tuple[Asked, Asked]:
        """Questions of one kind: each without its text, then without its article.

        Args:
            left_out: what the classifier says of them, row by row.
        """
        owners, count = self._written.owners[rows], len(rows)
        tokens = [self._written.tokens[row] for row in rows]
        words = self._sources.shares(tokens)
        nobody = self._sources.promising(left_out.without_article, words, owners)
        words_without = words.copy()
        words_without[np.arange(count), owners] = [
            self._sources.words.score_without(each, self._written.documents[owner])
            for each, owner in zip(tokens, owners, strict=True)
        ]
        somebody = self._sources.promising(left_out.without_text, words_without)
        maxsim = self._maxsim(rows, nobody, somebody)
        answerable = self._sources.evidence(
            somebody, left_out.without_text, words_without, maxsim, tokens
        )
        unanswerable = self._sources.evidence(
            nobody, left_out.without_article, words, maxsim, tokens
        )
        ones = np.ones(count)
        return Asked(answerable, owners, ones), Asked(unanswerable, np.full(count, -1), ones)

    def _maxsim(self, rows: Rows, *several: Places) -> MaxSim:
        """What each question makes of the articles that are looked at; an article at a time."""
        asked_of: dict[int, dict[int, None]] = {}
        for places in several:
            for row, column in np.argwhere(places >= 0).tolist():
                asked_of.setdefault(int(places[row, column]), {})[row] = None
        found: dict[tuple[int, int], float] = {}
        questions = [directions(self._written.embedded[row].codes) for row in rows]
        for article, asking in asked_of.items():
            scores = self._scores(article, [(int(rows[row]), questions[row]) for row in asking])
            found.update(((row, article), score) for row, score in zip(asking, scores, strict=True))
        return lambda row, article: found[row, article]

    def _scores(self, article: int, asking: Sequence[tuple[int, Vectors]]) -> list[float]:
        """Of one article, for several texts and their tokens as questions."""
        pairs = [self._pair(text, article) for text, _ in asking]
        new = [n for n, pair in enumerate(pairs) if pair not in self._known]
        questions = [asking[n][1] for n in new]
        own = [asking[n][0] if pairs[n][2] else -1 for n in new]
        scores = iter(self._sources.bags.scores_without(article, questions, own))
        for pair in pairs:
            self.remembered[pair] = self._known[pair] if pair in self._known else next(scores)
        return [self.remembered[pair] for pair in pairs]

    def _pair(self, text: int, article: int) -> _Pair:
        asked: Text = self._written.texts[text]
        count = len(self._articles)
        asked_of = self._articles[article] if article < count else count
        return asked.kind, asked.text, asked.owner == article, asked_of
