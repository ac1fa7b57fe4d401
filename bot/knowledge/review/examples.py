"""Whether an article's example questions are as many as it needs, and as customers type.

Chosen on Usher's own shop. With the five to seven examples that the writers of its articles made
up, 22 of 212 articles are bookish, 15 of them in Vietnamese; with twenty-two each, most of them
as customers type, none is: at most 45 % of an article's examples are in its own words.
"""

from bot.knowledge.articles.articles import Article
from bot.knowledge.review.statements import stop_words, words_of
from bot.languages import LANGUAGES

ENOUGH = 8
"""Example questions. Three more than five, in customers' words, bring the right article first for 5
to 12 more strangers' questions in a hundred."""
OWN_WORDS = 0.7
"""Share of an example's content words that stand in the article, from which on it is in its own
words."""
_NEARLY_ALL = 0.8
"""Share of the examples that are in its own words, from which on the article is bookish."""
_JUDGED = 3
"""Examples at least: of two nothing can be said."""


def own_words(article: Article) -> list[str]:
    """The example questions that are written in the article's own words.

    Words are compared without their endings; stop words and numbers do not count. They are known
    in Usher's own languages only: in others no example is found.
    """
    return [text for text, own in _judged(article) if own]


def bookish(article: Article) -> bool:
    """Whether nearly all example questions are in the article's own words."""
    judged = [own for _, own in _judged(article)]
    return len(judged) >= _JUDGED and sum(judged) >= _NEARLY_ALL * len(judged)


def _judged(article: Article) -> list[tuple[str, bool]]:
    """Each example with content words, and whether they are the article's own."""
    language = article.language
    if language not in LANGUAGES:
        return []
    known = words_of(f"{article.title}\n{article.body}", language)
    words = [(text, words_of(text, language) - stop_words(language)) for text in article.questions]
    return [(text, len(some & known) >= OWN_WORDS * len(some)) for text, some in words if some]
