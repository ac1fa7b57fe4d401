"""One spelling for what people write in many."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.vietnamese import AccentRestorer, without_accents

TEXTS = st.text(max_size=100) | st.text(
    alphabet="يىئكأإٱآةۀ۰۱٠١๐๑กเแาํำัีู่้็มaeouyixvàáòúýÉqW\u200c\u200b\u200d\u0640\u0301\u0300"
    "\u0302\u031b\u0653\u0654\u1110\u1165😀👍\ufe0f\ufdfa!?؟._ ",
    max_size=40,
)


@given(TEXTS)
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(TEXTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_equal_texts_in_unicode_are_equal_here(
    text: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]
) -> None:
    assert normalise(unicodedata.normalize(form, text)) == normalise(text)


@given(TEXTS)
def test_what_is_normalised_has_single_spaces_and_no_capitals(text: str) -> None:
    normalised = normalise(text)
    assert normalised == " ".join(normalised.split())
    assert normalised == normalised.lower()


@given(TEXTS)
def test_what_is_normalised_is_bounded_and_can_be_sent(text: str) -> None:
    normalised = normalise(text)
    assert len(normalised) <= 18 * len(text)
    normalised.encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كتاب", "کتاب"),  # Arabic and Persian kaf
        ("گوشي", "گوشی"),  # Arabic and Persian yeh
        ("سفارش ۱۲۳", "سفارش 123"),
        ("٤٥٦", "۴۵۶"),
        ("۱۲٬۵۰۰", "12,500"),
        ("۲٫۵", "2.5"),
        ("می‌خواهم", "می خواهم"),  # half space
        ("سلامـــــ", "سلام"),  # stretched
        ("سلاممممم", "سلام"),
        ("سَلام", "سلام"),  # vowel marks
        ("نامۀ", "نامه"),
        ("نامهٔ", "نامه"),
        ("سؤال", "سوال"),
        ("ﻻ", "لا"),  # presentation form
        ("کو؟؟؟!", "کو؟"),
    ],
)
def test_persian_spellings_meet(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("รุ่น ๑๒", "รุ่น 12"),
        ("น\u0e4d\u0e49\u0e32", "น้ำ"),  # sara am in two letters, tone between
        ("น\u0e49\u0e4d\u0e32", "น้ำ"),  # tone first
        ("นำ้", "น้ำ"),  # tone last
        ("ทำ", "ทำ"),
        ("ท\u0e48\u0e35", "ที่"),  # tone before vowel
        ("ที\u0e48\u0e48", "ที่"),  # tone twice
        ("เเพง", "แพง"),
        ("ห้าาาา", "ห้า"),
        ("ช้ามากกก", "ช้ามาก"),
        ("มากๆๆๆ", "มากๆ"),
        ("ต่อออเดอร์", "ต่อออเดอร์"),  # two words that meet
        ("ก็็็็็็็็", "ก็"),
        ("สินค้า\u200b", "สินค้า"),
    ],
)
def test_thai_is_spelled_as_in_dictionaries(typed: str, meant: str) -> None:
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ĐƠN HÀNG", "đơn hàng"),
        ("đơn ha\u0300ng", "đơn hàng"),  # decomposed
        ("  đơn \n hàng ", "đơn hàng"),
        ("hoà, khoẻ, thuỷ", "hòa, khỏe, thủy"),  # the new place of tones
        ("quý hoàng toàn", "quý hoàng toàn"),
        ("shop ơiiii", "shop ơi"),
    ],
)
def test_vietnamese_spellings_meet(typed: str, meant: str) -> None:
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ＡＢＣ１２３", "abc123"),  # full width
        ("𝗛𝗲𝗹𝗹𝗼", "hello"),
        ("hellooooooo", "hello"),
        ("don’t", "don't"),
        ("where is it???!!", "where is it?"),
        ("now!!!!", "now!"),
        ("size XXXL, part VIII, AAA, www.x.com", "size xxxl, part viii, aaa, www.x.com"),
        ("order 100000", "order 100000"),
        ("h\u0336\u0311\u0353e\u0334\u030ay\u0337\u033d", "hey"),  # Zalgo
        ("pass\u00adword \x07\ud800", "password"),
        ("90°C ± 5 %", "90°c ± 5 %"),
    ],
)
def test_latin_spellings_meet(typed: str, meant: str) -> None:
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("thanks 👍🏽", "thanks"),
        ("hi 👨‍👩‍👧 🇻🇳 5️⃣", "hi 5"),
        ("👍", "👍"),
        ("❤️", "❤"),
        ("😡 !", "😡 !"),
    ],
)
def test_emoji_count_only_where_nothing_else_is_said(typed: str, meant: str) -> None:
    assert normalise(typed) == meant


@pytest.mark.parametrize(
    ("accented", "plain"),
    [("Đổi trả hàng", "Doi tra hang"), ("được", "duoc"), ("plain", "plain")],
)
def test_accents_come_off(accented: str, plain: str) -> None:
    assert without_accents(accented) == plain


@pytest.fixture(scope="module")
def restorer() -> AccentRestorer:
    return AccentRestorer(
        ["đơn hàng của tôi ở đâu", "tôi muốn đổi trả đơn hàng", "phí vận chuyển bao nhiêu"]
    )


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("don hang cua toi o dau", "đơn hàng của tôi ở đâu"),
        ("toi muon doi tra don hang", "tôi muốn đổi trả đơn hàng"),
        ("don hang br-10234 cua toi o dau?", "đơn hàng br-10234 của tôi ở đâu?"),
        ("đơn hàng ko đc", "đơn hàng không được"),
        ("đơn hang cua toi o dau roi", "đơn hàng của tôi ở đâu rồi"),
        ("bao nhieu tien 5 kg", "bao nhiêu tiền 5 kg"),
        ("đi được bao nhiêu km một ngày", "đi được bao nhiêu km một ngày"),
        ("có km gì ko", "có khuyến mãi gì không"),
        ("abc xyz 123", "abc xyz 123"),
        ("", ""),
    ],
)
def test_accents_and_words_left_out_are_put_back(
    restorer: AccentRestorer, typed: str, meant: str
) -> None:
    assert restorer.restore(typed) == meant


def test_sizes_are_no_stretched_words_in_capitals_either() -> None:
    assert normalise("size XXXL", keep_case=True) == "size XXXL"


def test_everyday_words_get_accents_without_any_vietnamese_article() -> None:
    assert AccentRestorer([]).restore("cho hoi bao nhieu tien vay") == "cho hỏi bao nhiêu tiền vậy"


@given(st.text(max_size=80))
def test_no_text_breaks_the_restorer(text: str) -> None:
    restored = AccentRestorer(["đơn hàng"]).restore(normalise(text))
    assert isinstance(restored, str)
