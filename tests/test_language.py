"""Which language a message is written in."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.articles import read_articles
from bot.knowledge.language import LanguageDetector
from bot.messages import LANGUAGES
from tests.scenes import KNOWLEDGE_BASE

TAUGHT = LanguageDetector([("en", "hello my friend"), ("vi", "xin chào bạn")])


def samples() -> Iterator[tuple[str, str]]:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    for article in articles:
        for text in (article.title, *article.questions, article.short_answer):
            yield article.language, text


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    return LanguageDetector(samples())


@pytest.mark.parametrize("hint", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order? I have been waiting for a week", "en"),
        ("Đơn hàng của tôi ở đâu", "vi"),
        ("don hang cua toi bao gio thi duoc giao vay", "vi"),
        ("พัสดุของฉันอยู่ที่ไหน", "th"),
        ("سفارش من کجاست", "fa"),
        ("สั่งซื้อ Brio ไปเมื่อวาน", "th"),
        ("دستگاه Clara روشن نمی‌شود", "fa"),
    ],
)
def test_a_sentence_is_recognised_whatever_the_page(
    detector: LanguageDetector, text: str, language: str, hint: str
) -> None:
    assert detector.detect(text, hint) == language


@pytest.mark.parametrize("hint", LANGUAGES)
@pytest.mark.parametrize("text", ["", "123", "???", "👍", "  ", "M-123456 ", "a"])
def test_what_tells_nothing_stays_in_the_language_of_the_page(
    detector: LanguageDetector, text: str, hint: str
) -> None:
    if text.startswith("M-") and hint in {"en", "vi"}:
        pytest.skip("a letter is Latin, which both write")
    assert detector.detect(text, hint) == hint


@pytest.mark.parametrize("hint", ["th", "fa", "vi"])
def test_a_product_name_alone_does_not_change_the_language(
    detector: LanguageDetector, hint: str
) -> None:
    assert detector.detect("Brio", hint) == hint


@given(text=st.text(max_size=60), hint=st.sampled_from(LANGUAGES))
def test_any_text_gets_one_of_the_four_languages(text: str, hint: str) -> None:
    assert TAUGHT.detect(text, hint) in LANGUAGES


def test_without_samples_letters_decide_and_latin_stays_with_the_page() -> None:
    untaught = LanguageDetector([])
    assert untaught.detect("สวัสดี", "en") == "th"
    assert untaught.detect("hello there my friend", "fa") == "fa"
