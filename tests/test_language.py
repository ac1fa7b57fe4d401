"""Which language a message is written in."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.knowledge.articles.articles import read_articles
from bot.knowledge.language.detecting import LanguageDetector
from bot.languages import LANGUAGES
from tests.scenes import KNOWLEDGE_BASE


def samples(languages: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    for article in articles:
        if article.language in languages:
            for text in (article.title, *article.questions, article.short_answer):
                yield article.language, text


@pytest.fixture(
    scope="module",
    params=[LANGUAGES, ("en",), ("vi",), ("th",), ()],
    ids=["all four", "English", "Vietnamese", "Thai", "no"],
)
def detector(request: pytest.FixtureRequest) -> LanguageDetector:
    """Detectors that were taught by shops with articles in these languages."""
    return LanguageDetector(samples(request.param))


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
        ("cho hỏi warranty bao lâu", "vi"),
        ("cho hoi warranty bao lau", "vi"),
        ("สั่ง filter ยังไง", "th"),
        ("how to clean Clara ค่ะ", "th"),
        ("repeat کن", "fa"),
        ("can you speak to me in English", "en"),
    ],
)
def test_a_sentence_is_recognised_whatever_the_page(
    detector: LanguageDetector, text: str, language: str, hint: str
) -> None:
    assert detector.detect(text, hint) == language


@pytest.mark.parametrize("hint", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("cam on", "vi"),
        ("bao lau", "vi"),
        ("gia?", "vi"),
        ("đâu", "vi"),
        ("ship k", "vi"),
        ("ไทย 2 คำ", "th"),
        ("ok ครับ", "th"),
        ("قیمت", "fa"),
        ("سفارشم كو", "fa"),
        ("how much", "en"),
        ("thank you", "en"),
        ("ＨＯＷ ＭＵＣＨ", "en"),
    ],
)
def test_two_words_or_letters_of_its_own_are_enough(
    detector: LanguageDetector, text: str, language: str, hint: str
) -> None:
    assert detector.detect(text, hint) == language


@pytest.mark.parametrize("hint", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    ["", "123", "???", "👍", "  ", "M-123456 ", "BR-10234", "a", "ok", "hi", "merci", "Brio",
     "John Smith", "Nguyen Van An", "iPhone 15 Pro Max", "a.nguyen@shop.example",
     "https://shop.example/track/where-is-my-order", "我的订单在哪里", "où est ma commande",
     "wo ist meine bestellung", "أين طلبي من فضلك", "كم السعر"],
)  # fmt: skip
def test_what_tells_nothing_stays_in_the_language_of_the_page(
    detector: LanguageDetector, text: str, hint: str
) -> None:
    assert detector.detect(text, hint) == hint


@pytest.mark.parametrize("hint", ["th", "fa", "vi"])
@pytest.mark.parametrize("text", ["refund?", "yes", "filter"])
def test_one_english_word_does_not_change_the_language(
    detector: LanguageDetector, text: str, hint: str
) -> None:
    assert detector.detect(text, hint) == hint


@pytest.mark.parametrize("text", ["salam gheymat chande", "lotfan sefaresh man ro laghv konid"])
def test_persian_in_latin_letters_stays_persian(detector: LanguageDetector, text: str) -> None:
    assert detector.detect(text, "fa") == "fa"


@given(text=st.text(max_size=200), hint=st.sampled_from(list(LANGUAGES)))
@example(text="a" * 4000, hint="th")
@example(text="@" * 4000, hint="vi")
@example(text="ال" * 2000, hint="en")
@example(text="Aa " * 1300, hint="en")
def test_any_text_gets_one_of_the_four_languages(text: str, hint: str) -> None:
    assert LanguageDetector([]).detect(text, hint) in LANGUAGES
