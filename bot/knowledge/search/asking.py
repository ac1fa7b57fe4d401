"""How a knowledge base asks itself: its own questions, each without its text, then without its
article.

Every kind of evidence can be had exactly as if the text had never been written: the classifier in
closed form, words by counting again, and late interaction by not looking at the text's tokens.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.embedding.cache import Vectors
from bot.knowledge.search.calibration import Asked, Places
from bot.knowledge.search.classifier import LeftOut, Matrix, Rows
from bot.knowledge.search.evidence import Sources
from bot.knowledge.search.late_interaction import directions
from bot.knowledge.search.texts import Written

_MOST_QUESTIONS = 1000
"""Of one kind and language that a knowledge base asks itself; more say little more."""
_MOST_TEXTS = 1000
"""Articles with more texts than this do not ask: their influence on themselves is a matrix."""

_Own = tuple[str, str, bool]
"""Kind and text of a question, and whether it is one of the article's own."""
Remembered = Mapping[Article | int, Mapping[_Own, float]]
"""MaxSim of own questions with each article: an edit of one leaves what the others say as it was.
For everyday questions stands how many articles there are, which tells how many they are."""


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
        named: Callable[[str], frozenset[str]],
        known: Remembered,
    ) -> None:
        """
        Args:
            named: tells which products a text speaks of.
            known: what was remembered before an edit.
        """
        self._written = written
        self._articles = articles
        self._sources = sources
        self._named = named
        self._known = known
        self.remembered: dict[Article | int, dict[_Own, float]] = {}

    def ask(self, rows: Rows, left_out: LeftOut) -> tuple[Asked, Asked]:
        """Questions of one kind: each without its text, then without its article.

        Args:
            left_out: what the classifier says of them, row by row.
        """
        owners, count = self._written.owners[rows], len(rows)
        tokens = [self._written.tokens[row] for row in rows]
        words = self._sources.shares(tokens)
        named = [self._named(self._written.texts[row].text) for row in rows]
        nobody = self._sources.promising(left_out.without_article, words, named, owners)
        words_without = words.copy()
        words_without[np.arange(count), owners] = [
            self._sources.words.score_without(each, self._written.documents[owner])
            for each, owner in zip(tokens, owners, strict=True)
        ]
        somebody = self._sources.promising(left_out.without_text, words_without, named)
        maxsim = self._maxsim(rows, nobody, somebody)
        answerable = self._sources.evidence(
            somebody, left_out.without_text, words_without, maxsim, tokens
        )
        unanswerable = self._sources.evidence(
            nobody, left_out.without_article, words, maxsim, tokens
        )
        ones = np.ones(count)
        return Asked(answerable, owners, ones), Asked(unanswerable, np.full(count, -1), ones)

    def _maxsim(self, rows: Rows, *several: Places) -> Matrix:
        """What each question makes of the articles that are looked at; (rows, articles)."""
        found = np.zeros((len(rows), len(self._written.documents)), dtype=np.float32)
        looked_at = np.zeros(found.shape, dtype=np.bool_)
        for places in several:
            row, column = np.nonzero(places >= 0)
            looked_at[row, places[row, column]] = True
        questions = [directions(self._written.embedded[row].codes) for row in rows]
        for article in np.flatnonzero(looked_at.any(axis=0)).tolist():
            asking = np.flatnonzero(looked_at[:, article])
            found[asking, article] = self._scores(
                article, rows[asking], [questions[n] for n in asking]
            )
        return found

    def _scores(self, article: int, texts: Rows, questions: Sequence[Vectors]) -> list[float]:
        """Of one article, for several texts and their tokens as questions."""
        count = len(self._articles)
        key = self._articles[article] if article < count else count
        known = self._known.get(key, {})
        asked = [self._written.texts[text] for text in texts]
        owns = [(each.kind, each.text, each.owner == article) for each in asked]
        new = [n for n, own in enumerate(owns) if own not in known]
        scores = self._sources.bags.scores_without(
            article,
            [questions[n] for n in new],
            [int(texts[n]) if owns[n][2] else -1 for n in new],
        )
        found = {own: known[own] for own in owns if own in known}
        found |= zip([owns[n] for n in new], scores, strict=True)
        self.remembered.setdefault(key, {}).update(found)
        return [found[own] for own in owns]
