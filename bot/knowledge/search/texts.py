"""The texts that a language's articles consist of, read once for all kinds of evidence."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np

from bot.knowledge.articles.articles import Article
from bot.knowledge.embedding.cache import Embedded, Role
from bot.knowledge.language.everyday import EVERYDAY
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.tokens import Tokeniser
from bot.knowledge.search.classifier import Rows

_ENOUGH = 24
"""Articles that are told apart from each other. For each that is missing, three everyday questions
stand for what customers ask besides, or a single article would answer everything."""
_EVERYDAY_QUESTIONS = 3


@dataclass(frozen=True)
class Text:
    """One text of an article."""

    owner: int
    """Number of the article; behind the last one: everyday questions, which none answers."""
    kind: str
    """`title`, `question`, `passage` or `everyday`."""
    text: str

    @property
    def role(self) -> Role:
        """What is asked is embedded as a question, what is told as a passage."""
        return "passage" if self.kind == "passage" else "query"


def texts_of(articles: Sequence[Article], language: str) -> Iterator[Text]:
    """All texts of all articles of a language, article by article."""
    for owner, article in enumerate(articles):
        yield Text(owner, "title", normalise(article.title, keep_case=True))
        for question in article.questions:
            yield Text(owner, "question", normalise(question, keep_case=True))
        for passage in article.passages:
            yield Text(owner, "passage", normalise(passage.searched, keep_case=True))
    missing = max(_ENOUGH - len(articles), 0)
    everyday = EVERYDAY.get(language, EVERYDAY["en"])
    for sentence in everyday[: _EVERYDAY_QUESTIONS * missing]:
        yield Text(len(articles), "everyday", normalise(sentence, keep_case=True))


_tokenise = Tokeniser()


def tokens_of(text: str, language: str) -> list[str]:
    return _tokenise(text.lower(), language)


@lru_cache(maxsize=100_000)
def tokens_of_article(text: str, language: str) -> tuple[str, ...]:
    """Kept from one index to the next; each token once, or a hundred MB are full of them."""
    return tuple(map(sys.intern, tokens_of(text, language)))


@dataclass(frozen=True)
class Written:
    """All texts of a language."""

    texts: Sequence[Text]
    owners: Rows
    """Of each text; rising."""
    embedded: Sequence[Embedded]
    tokens: Sequence[Sequence[str]]
    """Words of each text and parts of them."""
    documents: Sequence[Counter[str]]
    """How often each token is in each article; the last one may be that of everyday questions."""

    @classmethod
    def read(cls, texts: Sequence[Text], embedded: Sequence[Embedded], language: str) -> Self:
        owners = np.array([each.owner for each in texts], dtype=np.int64)
        tokens = [tokens_of_article(each.text, language) for each in texts]
        documents: list[Counter[str]] = [Counter() for _ in range(owners[-1] + 1)]
        for owner, some in zip(owners, tokens, strict=True):
            documents[owner].update(some)
        return cls(texts, owners, embedded, tokens, documents)
