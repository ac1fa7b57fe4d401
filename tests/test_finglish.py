"""Persian that is typed in Latin letters is read as Persian."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.articles.articles import read_articles
from bot.knowledge.language.detecting import LanguageDetector
from bot.knowledge.language.finglish import FinglishReader
from bot.knowledge.language.normalising import normalise
from tests.scenes import KNOWLEDGE_BASE


def texts(language: str) -> list[str]:
    articles, _ = read_articles(KNOWLEDGE_BASE)
    return [
        text
        for article in articles
        if article.language == language
        for text in (article.title, *article.questions, article.body)
    ]


PERSIAN, ENGLISH = texts("fa"), texts("en")
ASKED = [each for article in read_articles(KNOWLEDGE_BASE)[0] for each in article.questions]
READER = FinglishReader([each for each in PERSIAN if each not in set(ASKED)], ASKED, ENGLISH)
UNTAUGHT = FinglishReader([])
DETECTOR = LanguageDetector(
    (language, text) for language in ("en", "vi", "fa") for text in texts(language)
)
DETECTOR_WITH_FINGLISH = LanguageDetector(
    ((language, text) for language in ("en", "vi", "fa") for text in texts(language)),
    READER.probability,
)


@pytest.mark.parametrize(
    ("typed", "persian"),
    [
        ("filteresh ro chetor avaz konam", "فیلترش رو چطور عوض کنم"),
        ("sefaresham kojast", "سفارشم کجاست"),
        ("pool ro pas midin?", "پول رو پس می دین?"),
        ("docharkhe barghi ro chetori tamiz konam", "دوچرخه برقی رو چطوری تمیز کنم"),
        ("tormozesh soot mikeshe", "ترمزش سوت می کشه"),
        ("tasfiye hava seda dare", "تصفیه هوا صدا داره"),
        ("khoone nabudam baste ro bordan", "خونه نبودم بسته رو بردن"),
        ("sefareshamo laghv konid lotfan", "سفارشم رو لغو کنید لطفا"),
        ("ta saat chand javab midid", "تا ساعت چند جواب می دید"),
        ("bare avval ke ghahve dorost mikonam", "بار اول که قهوه درست می کنم"),
    ],
)
def test_finglish_is_written_in_persian_letters(typed: str, persian: str) -> None:
    assert READER.read(typed) == persian


@pytest.mark.parametrize(
    "spellings",
    [
        ("chetori", "chetoori", "chtori"),
        ("ghahve nadare", "qahve nadare", "gahve nadare"),
        ("khoone hastam", "khune hastam"),
        ("docharkhe daram", "docharkheh daram", "docharxe daram"),
        ("avaz konam", "avaaz konam", "a'vaz konam"),
    ],
)
def test_each_customer_may_spell_it_differently(spellings: tuple[str, ...]) -> None:
    assert len({READER.read(each) for each in spellings}) == 1
    assert READER.read(spellings[0]) != spellings[0]


@pytest.mark.parametrize("text", ["reset filter light", "HEPA filter", "where is my order", "E07"])
def test_english_stays_as_it_is(text: str) -> None:
    assert READER.read(text) == text


@pytest.mark.parametrize("text", ["reset filter light", "HEPA filter", "where is my order"])
def test_english_stays_as_it_is_where_no_article_is_english(text: str) -> None:
    assert FinglishReader(PERSIAN).read(text) == text


def test_example_questions_in_english_are_not_changed() -> None:
    spelled = [normalise(text, keep_case=True) for text in ENGLISH]
    assert [READER.read(text) for text in spelled] == spelled


def test_persian_letters_are_not_changed() -> None:
    spelled = [normalise(text, keep_case=True) for text in PERSIAN if "ا" in text]
    assert [READER.read(text) for text in spelled] == spelled


def test_names_codes_and_unknown_words_stay_in_the_middle_of_finglish() -> None:
    assert READER.read("Clara ro chetor baz konam") == "Clara رو چطور باز کنم"
    assert READER.read("Volta E07 mide, chikar konam?") == "Volta E07 می ده, چیکار کنم?"
    assert "Zyxwvq" in READER.read("Zyxwvq ro chetor tamiz konam")


def test_everyday_words_are_known_without_any_article() -> None:
    assert UNTAUGHT.read("salam, sefaresham kojast?") == "سلام, سفارشم کجاست?"


@pytest.mark.parametrize(
    "text",
    [
        "mikham cancel konam sefaresham ro",
        "code ro mizanam mige eshtebahe",
        "man hanooz baste ro nagereftam",
        "in to garanti hast ya na",
        "shir khoob kaf nemikone",
    ],
)
def test_a_message_on_a_persian_page_is_persian(text: str) -> None:
    assert DETECTOR_WITH_FINGLISH.detect(text, "fa") == "fa"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("where is my order, i have been waiting for a week", "en"),
        ("can I pay in cash", "en"),
        ("don hang cua toi bao gio thi duoc giao vay", "vi"),
        ("Đơn hàng của tôi ở đâu", "vi"),
    ],
)
def test_other_languages_are_recognised_on_a_persian_page(text: str, language: str) -> None:
    assert DETECTOR_WITH_FINGLISH.detect(text, "fa") == language


@given(st.text(max_size=80), st.sampled_from(["en", "vi", "th"]))
def test_on_other_pages_finglish_changes_nothing(text: str, hint: str) -> None:
    assert DETECTOR_WITH_FINGLISH.detect(text, hint) == DETECTOR.detect(text, hint)


@given(st.text(alphabet="abcdeghikmnorstuvxyz'’ 1_éا", max_size=200) | st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for reader in (READER, UNTAUGHT):
        read = reader.read(normalise(text, keep_case=True))
        assert reader.read(read) == read or reader.is_finglish(read)


def test_a_long_word_is_no_word() -> None:
    assert READER.read("salamchetori" * 300) == "salamchetori" * 300
