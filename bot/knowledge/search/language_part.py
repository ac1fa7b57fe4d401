"""The articles of one language: searched, and calibrated by their own questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from bot.knowledge.acts.acts import QUESTION, Acts
from bot.knowledge.articles.articles import Article
from bot.knowledge.embedding.cache import Embedded, Vectors
from bot.knowledge.search.act_part import ActPart, FoundAct, Others, Taught
from bot.knowledge.search.asking import Remembered, SelfAsking, own_questions
from bot.knowledge.search.calibration import Asked, Evidence, Numbers, calibrate
from bot.knowledge.search.classifier import learn
from bot.knowledge.search.evidence import Sources
from bot.knowledge.search.feedback import Weighed
from bot.knowledge.search.late_interaction import directions, mean_direction, shifted
from bot.knowledge.search.lexical import Scores
from bot.knowledge.search.saying import Extract, extract
from bot.knowledge.search.texts import Text, Written, tokens_of, tokens_of_article

_BOUGHT = 1.5
"""Added to the order of articles about what was bought."""
_SHIFT_OF_TOKENS = 0.5
"""How much of a shift the tokens of a question make. XQuAD, right first, vi→en and th→en: .848 .858
without it, .860 .861 by half, .855 .853 by all of it."""


@dataclass(frozen=True)
class Found:
    """An article and the probability that it answers the question."""

    article: Article
    probability: float


@dataclass(frozen=True)
class Query:
    """A message as it is searched for."""

    text: str
    """Normalised but for capitals; no addresses, numbers of orders and phones; with accents."""
    embedded: Embedded
    language: str
    products: frozenset[str] = frozenset()
    """That it speaks of."""
    only_order: bool = False
    """Whether it is the number of an order and hardly anything else."""


@dataclass(frozen=True)
class Said:
    """What customers say in a language to do something by it."""

    act: str
    """Or `question`: what is no act."""
    text: str
    """As it is searched for."""
    embedded: Embedded


@dataclass(frozen=True)
class JudgedQuery:
    """Feedback of one person on one question."""

    query: Query
    weighed: Weighed


class LanguagePart:
    """The articles and the acts of one language."""

    def __init__(
        self,
        language: str,
        articles: Sequence[Article],
        texts: Sequence[Text],
        embedded: Sequence[Embedded],
        said: Sequence[Said],
        named: Callable[[str], frozenset[str]],
        judge: Callable[[int], Sequence[JudgedQuery]],
        acts: Acts,
        previous: "LanguagePart | None" = None,
    ) -> None:
        """
        Args:
            texts: as `texts_of` gives them.
            embedded: what the model makes of each.
            said: examples of acts, those of one together, and of questions.
            named: tells which products a text speaks of.
            judge: gives what people have judged, when told how many questions the part asks
                itself.
            acts: tells how often some must be found.
            previous: the same language before an edit.
        """
        self.articles = articles
        self.language = language
        self.size = len(texts)
        self._taught = any(article.questions for article in articles)
        written = Written.read(texts, embedded, language)
        self._sources = Sources(written, [article.products for article in articles])
        ends = np.searchsorted(written.owners, np.arange(len(articles)), side="right")
        # They are the last of an article's texts.
        self._first_passages = ends - [len(article.passages) for article in articles]
        kinds = own_questions(written, articles, self._sources)
        asking_rows = np.sort(np.concatenate([*kinds, np.zeros(0, dtype=np.int64)]))
        done = [each for each in said if each.act != QUESTION]
        taught = Taught.of([each.act for each in done], [self._tokens(each) for each in done])
        columns = len(written.documents)
        vectors = _vectors([*embedded, *(each.embedded for each in done)])
        owners = np.concatenate([written.owners, columns + taught.owners])
        rows = np.concatenate([asking_rows, np.arange(len(texts), len(owners))])
        self._classifier, left_out = learn(vectors, owners, columns + len(taught.names), rows)
        asking = SelfAsking(
            written, articles, self._sources, named, previous._remembered if previous else {}
        )
        self._remembered: Remembered = asking.remembered
        of_articles = left_out.among(columns)
        self.calibration = calibrate(
            [asking.ask(some, of_articles.of(np.searchsorted(rows, some))) for some in kinds],
            self._said(judge(len(asking_rows))),
            taught=self._taught,
        )
        own, others = len(asking_rows), [each for each in said if each.act == QUESTION]
        self._acts = ActPart(
            taught,
            len(articles),
            columns,
            left_out.of(np.arange(own, len(rows))),
            Others(left_out.of(np.arange(own)), [written.tokens[row] for row in asking_rows]),
            Others(
                self._classifier.scores(_vectors([each.embedded for each in others]))
                if others
                else left_out.without_text[:0],
                [self._tokens(each) for each in others],
            ),
            acts,
        )

    def _tokens(self, said: Said) -> Sequence[str]:
        return tokens_of_article(said.text, self.language)

    def act(self, query: Query) -> FoundAct:
        """What a message of this language does, if it does something."""
        classes = self._classifier.scores(mean_direction(query.embedded.codes)[None])
        return self._acts.find(classes, query.text, tokens_of(query.text, self.language))

    def told(self, text: str) -> float:
        """What the words of a text weigh that articles have, in nats."""
        tokens = tokens_of(text, self.language)
        return self._sources.words.known(tokens) * self._sources.words.information(tokens)

    def known(self, text: str) -> float:
        """Share of a message's words that any article or act has, 0–1."""
        tokens = tokens_of(text, self.language)
        return max(self._sources.words.known(tokens), self._acts.known(tokens))

    def search(
        self, query: Query, products: Sequence[str], shift: Vectors | float = 0.0
    ) -> list[Found]:
        """The three most promising articles, the best first.

        Their probabilities add up to the one that the right article is among them.

        Args:
            shift: added to the vector of a question in another language, and half of it to those
                of its tokens.
        """
        if not self.articles:
            return []
        # What a message speaks of by its name needs nothing more: vectors and words have it.
        bought = _BOUGHT * self._about(() if query.products else products)
        evidence = self._evidence(query, shift, bought)
        order = evidence.order(taught=self._taught and query.language == self.language)
        order += np.append(bought, (0, 0))[evidence.places]  # place −1, empty, is the last 0
        first, among = self.calibration.probabilities(evidence, order)
        columns = [each for each in evidence.best(order)[0] if evidence.places[0, each] >= 0]
        if not columns:  # all are about other products
            return []
        rest = softmax(order[0, columns[1:]]) * (among - first) if len(columns) > 1 else []
        return [
            Found(self.articles[evidence.places[0, column]], min(float(chance), first))
            for column, chance in zip(columns, [first, *rest], strict=True)
        ]

    def shared(self, query: Query, article: Article) -> float:
        """Share of a message's words, weighed by how rare they are, that an article has, 0–1."""
        return float(self._shares(query.text)[self.articles.index(article)])

    def most_shared(self, text: str) -> float:
        """The largest such share of any article, 0–1."""
        return float(self._shares(text)[: len(self.articles)].max(initial=0))

    def _shares(self, text: str) -> Scores:
        return self._sources.words.scores(tokens_of(text, self.language))

    def extract(self, query: Query, article: Article) -> Extract:
        """What of an article answers a question."""
        first = self._first_passages[self.articles.index(article)]
        passages = [self._sources.bags.codes(first + n) for n in range(len(article.passages))]
        words = tokens_of(query.text, self.language)
        return extract(article, passages, query.embedded.codes, words)

    def _evidence(
        self, query: Query, shift: Vectors | float = 0.0, more: Numbers | float = 0.0
    ) -> Evidence:
        foreign = query.language != self.language
        tokens = [tokens_of(query.text, self.language)]
        vector = mean_direction(query.embedded.codes) + shift
        classes = self._classifier.scores(vector[None])[:, : self._sources.columns]
        words = self._sources.shares(tokens)
        places = self._sources.promising(
            classes, words, [query.products], more=more, foreign=foreign
        )
        maxsim = np.zeros_like(words)
        asked = shifted(directions(query.embedded.codes), _SHIFT_OF_TOKENS * shift)
        for article in places[places >= 0]:
            maxsim[0, article] = self._sources.bags.score(article, asked)
        evidence = self._sources.evidence(places, classes, words, maxsim, tokens)
        if foreign:
            # No word of it can be found: what MaxSim says stands for them.
            evidence.kinds[:, :, 2] = np.square(evidence.kinds[:, :, 1])
        return evidence

    def _about(self, products: Sequence[str]) -> Numbers:
        """1 for articles about one of the products, 0 for others; (articles,)."""
        bought = set(products)
        about = [not bought.isdisjoint(article.products) for article in self.articles]
        return np.array(about, dtype=np.float64)

    def _said(self, judged: Sequence[JudgedQuery]) -> list[Asked]:
        """Judged questions, but for those that say nothing of what would be answered."""
        places = {article.id: n for n, article in enumerate(self.articles)}
        said: list[Asked] = []
        for each in judged:
            feedback, weight = each.weighed.feedback, np.array([each.weighed.weight])
            evidence = self._evidence(each.query)
            if feedback.article is None:
                said.append(Asked(evidence, np.array([-1]), weight))
                continue
            place = places[feedback.article]
            if feedback.right:
                said.append(Asked(evidence, np.array([place]), weight))
                continue
            order = evidence.order(taught=self._taught)
            if evidence.places[0, evidence.best(order)[0, 0]] == place:
                said.append(Asked(evidence, np.array([-1]), weight, only_first=True))
        return said


def _vectors(embedded: Sequence[Embedded]) -> Vectors:
    """(n, dimensions)"""
    return np.stack([mean_direction(each.codes) for each in embedded])
