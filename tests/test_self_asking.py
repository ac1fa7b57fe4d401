"""A knowledge base asks itself each of its own questions as if that had not been written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytest

from bot.knowledge.articles.articles import Article, read_articles
from bot.knowledge.articles.passages import Passage
from bot.knowledge.embedding.cache import Embedded, Vectors
from bot.knowledge.embedding.embedder import Embedder
from bot.knowledge.search.asking import Remembered, SelfAsking, own_questions
from bot.knowledge.search.calibration import Asked, Evidence
from bot.knowledge.search.classifier import Rows, learn
from bot.knowledge.search.evidence import Sources
from bot.knowledge.search.index import Index
from bot.knowledge.search.late_interaction import directions, mean_direction
from bot.knowledge.search.matching import Matcher
from bot.knowledge.search.texts import Text, Written, texts_of
from bot.messages import Match
from bot.settings import ROOT
from tests.test_classifier import Written as Regression

CLASS, MAXSIM, WORDS = range(3)
ENOUGH = 24
"""Articles beside which no everyday question stands."""


@pytest.fixture(scope="module")
def shop() -> list[Article]:
    """Its English articles, shortened."""
    found, _ = read_articles(ROOT / "knowledge_base")
    return [
        replace(each, questions=each.questions[:3], passages=each.passages[:1])
        for each in found
        if each.language == "en"
    ]


def names_none(_text: str) -> frozenset[str]:
    """No text speaks of a product."""
    return frozenset()


@dataclass(frozen=True)
class Base:
    """A small knowledge base in one language, or what is left of it."""

    articles: Sequence[Article]
    texts: Sequence[Text]
    embedded: Sequence[Embedded]

    @classmethod
    def of(cls, articles: Sequence[Article], embedder: Embedder) -> "Base":
        texts = list(texts_of(articles, "en"))
        found = embedder.encode_cached([(each.role, each.text) for each in texts])
        return cls(articles, texts, found)

    def but(self, left_out: Sequence[int]) -> "Base":
        """Without some texts."""
        kept = [row for row in range(len(self.texts)) if row not in set(left_out)]
        return Base(self.articles, [self.texts[n] for n in kept], [self.embedded[n] for n in kept])

    @cached_property
    def written(self) -> Written:
        return Written.read(self.texts, self.embedded, "en")

    @cached_property
    def sources(self) -> Sources:
        return Sources(self.written, [each.products for each in self.articles])

    @cached_property
    def kinds(self) -> list[Rows]:
        return own_questions(self.written, self.articles, self.sources)

    def of_article(self, number: int) -> list[int]:
        return [row for row, each in enumerate(self.texts) if each.owner == number]

    def asked(self, rows: Rows, known: Remembered) -> tuple[Asked, Asked, Remembered]:
        """Its questions without their texts, without their articles, and what is remembered."""
        vectors = np.stack([mean_direction(each.codes) for each in self.embedded])
        owners, documents = self.written.owners, len(self.written.documents)
        _, left_out = learn(vectors, owners, documents, rows)
        asking = SelfAsking(self.written, self.articles, self.sources, names_none, known)
        return *asking.ask(rows, left_out), asking.remembered


@pytest.fixture(scope="module")
def base(shop: list[Article], embedder: Embedder) -> Base:
    """Eight articles, as many as are looked at, two of them without example questions."""
    untaught = [replace(each, questions=()) for each in shop[10:12]]
    return Base.of([*shop[:6], *untaught], embedder)


@dataclass(frozen=True)
class Question:
    """One of its own questions, and what it found without its text and without its article."""

    row: int
    article: int
    tokens: Vectors
    words: Sequence[str]
    vector: Vectors
    without_text: Mapping[int, Vectors]
    without_article: Mapping[int, Vectors]


@pytest.fixture(scope="module")
def questions(base: Base) -> list[Question]:
    found: list[Question] = []
    for rows in base.kinds:
        answerable, unanswerable, _ = base.asked(rows, {})
        for n, row in enumerate(rows):
            codes = base.embedded[row].codes
            found.append(
                Question(
                    int(row), base.texts[row].owner, directions(codes), base.written.tokens[row],
                    mean_direction(codes), by_article(answerable.evidence, n),
                    by_article(unanswerable.evidence, n),
                )
            )  # fmt: skip
    return found


def by_article(evidence: Evidence, row: int) -> dict[int, Vectors]:
    """The three kinds of what a question found."""
    everything = zip(evidence.places[row].tolist(), evidence.kinds[row], strict=True)
    return {place: kinds for place, kinds in everything if place >= 0}


# Each kind of evidence, against a knowledge base that was really built without the text.


def test_all_its_questions_ask_of_all_articles_and_of_none(
    base: Base, questions: list[Question]
) -> None:
    everything = set(range(9))
    assert {each.row for each in questions} == set(np.concatenate(base.kinds))
    assert {base.texts[each.row].kind for each in questions} == {"question", "passage", "title"}
    for each in questions:
        assert set(each.without_text) == everything
        assert set(each.without_article) == everything - {each.article}


def test_late_interaction_is_that_of_articles_without_the_text(
    base: Base, questions: list[Question]
) -> None:
    for each in questions:
        for left_out, found in (
            ([each.row], each.without_text),
            (base.of_article(each.article), each.without_article),
        ):
            bags = base.but(left_out).sources.bags
            anew = {article: bags.score(article, each.tokens) for article in found}
            assert {place: kinds[MAXSIM] for place, kinds in found.items()} == pytest.approx(
                anew, abs=1e-5
            )


def test_class_is_that_of_a_classifier_that_never_learned_the_text(
    base: Base, questions: list[Question]
) -> None:
    """But for the centre of all vectors, which is held."""
    vectors = np.stack([mean_direction(each.codes) for each in base.embedded])
    owners = base.written.owners
    regression = Regression(vectors, owners)
    for each in questions:
        for kept, found in (
            (np.arange(len(owners)) != each.row, each.without_text),
            (owners != each.article, each.without_article),
        ):
            (anew,) = regression.scores(each.vector[None], kept)
            for article, kinds in found.items():
                assert kinds[CLASS] == pytest.approx(anew[article], abs=1e-4)


def test_words_are_nearly_those_of_articles_without_the_text(
    base: Base, questions: list[Question]
) -> None:
    """But for what is known of how rare words are, and of how long articles are: it is held."""
    for each in questions:
        for left_out, found in (
            ([each.row], each.without_text),
            (base.of_article(each.article), each.without_article),
        ):
            (anew,) = base.but(left_out).sources.shares([each.words])
            for article, kinds in found.items():
                assert kinds[WORDS] == pytest.approx(anew[article], abs=0.1)


def test_a_text_that_only_itself_has_the_words_of_finds_none_of_them(
    shop: list[Article], embedder: Embedder
) -> None:
    odd = replace(shop[0], questions=("xylophone zeppelin?", *shop[0].questions))
    base = Base.of([odd, *shop[1:4]], embedder)
    asked, _, _ = base.asked(np.array([1]), {})
    assert base.texts[1].text == "xylophone zeppelin?"
    assert by_article(asked.evidence, 0)[0][WORDS] == 0


# What asks.


def read(*articles: Article) -> tuple[list[Text], list[Rows]]:
    """Texts and the own questions among them, for which no vector is needed."""
    texts = list(texts_of(articles, "en"))
    nothing = Embedded(np.zeros(4, np.float32), np.zeros((1, 4), np.int8))
    written = Written.read(texts, [nothing] * len(texts), "en")
    return texts, own_questions(
        written, articles, Sources(written, [each.products for each in articles])
    )


def article(
    number: int, title: str, questions: Sequence[str] = (), passages: Sequence[str] = ()
) -> Article:
    return Article(
        f"article-{number}",
        "en",
        title,
        tuple(questions),
        (),
        (),
        "",
        "",
        "",
        tuple(Passage(0, "", "", "\n", each) for each in passages),
    )


def said(*articles: Article) -> list[str]:
    texts, kinds = read(*articles)
    return [texts[row].text for rows in kinds for row in rows]


def test_example_questions_ask_and_passages_where_there_are_none() -> None:
    one = article(1, "Paying", ["how do I pay", "which cards"], ["pay by card", "or by cash"])
    other = article(2, "Opening hours", [], ["opening on Monday", "closed on Sunday"])
    assert said(one, other) == [
        "how do I pay", "which cards", "opening on Monday", "closed on Sunday", "Opening hours",
    ]  # fmt: skip


def test_a_title_that_shares_no_word_with_its_article_does_not_ask() -> None:
    assert "B-4711" not in said(article(1, "B-4711", ["how do I pay"]))
    assert "How to pay" in said(article(1, "How to pay", ["how do I pay"]))


def test_articles_without_any_words_ask_what_they_have() -> None:
    assert said(article(1, "🙂"), article(2, "")) == []


def test_of_each_kind_at_most_a_thousand_ask_from_all_over() -> None:
    many = [article(n, f"Item {n}", [f"item {n} or {m}" for m in range(3)]) for n in range(1100)]
    texts, kinds = read(*many)
    assert [len(rows) for rows in kinds] == [1000, 1000]
    for rows in kinds:
        assert (np.diff(rows) > 0).all()
        owners = np.array([texts[row].owner for row in rows])
        assert np.bincount(owners // 110).min() > 50


def test_an_article_with_thousands_of_texts_does_not_ask_and_the_others_do() -> None:
    manual = article(1, "Manual", [], [f"page {n} of it" for n in range(1100)])
    assert said(manual, article(2, "Paying", ["paying by card"])) == ["paying by card", "Paying"]


# After an edit.


def edited(articles: Sequence[Article]) -> list[Article]:
    """One of them says something else."""
    new = replace(
        articles[3],
        title="Cats and dogs",
        questions=("may I bring my dog",),
        passages=(Passage(0, "", "Cats and dogs", "\n", "Yes."),),
    )
    return [*articles[:3], new, *articles[4:]]


def test_what_was_remembered_before_an_edit_is_what_is_found_anew(
    base: Base, embedder: Embedder
) -> None:
    later = Base.of(edited(base.articles), embedder)
    for before, rows in zip(base.kinds, later.kinds, strict=True):
        _, _, remembered = base.asked(before, {})
        anew = later.asked(rows, {})
        again = later.asked(rows, remembered)
        for one, other in zip(again[:2], anew[:2], strict=True):
            assert (one.evidence.places == other.evidence.places).all()
            assert one.evidence.kinds == pytest.approx(other.evidence.kinds, abs=1e-5)
        assert again[2].keys() == anew[2].keys(), "and no more than that is kept"
        for article, scores in again[2].items():
            assert scores == pytest.approx(anew[2][article], abs=1e-5)


MESSAGES = ["where is my parcel", "how do I clean it", "may I bring a dog", "banana bread", ""]


def test_an_index_made_after_edits_gives_the_matches_of_one_made_anew(
    shop: list[Article], embedder: Embedder
) -> None:
    """Also where articles are so few that the number of everyday questions beside them changes."""
    some = shop[: ENOUGH - 3]
    index = Index(some, embedder)
    for served in (edited(some), edited(some)[:-3], shop[: ENOUGH + 1]):
        index = Index(served, embedder, previous=index)
        anew = Index(served, embedder)
        one, other = (Matcher(embedder, each, 0.9, 0.2) for each in (index, anew))
        for message in MESSAGES:
            found, expected = one.match(message, "en"), other.match(message, "en")
            assert found.outcome is expected.outcome
            assert chances(found) == pytest.approx(chances(expected), abs=1e-5)
        assert index.bar("en", 0.9) == pytest.approx(anew.bar("en", 0.9), abs=1e-5)


def chances(match: Match) -> dict[str, float]:
    return {each.article: each.probability for each in match.candidates}
