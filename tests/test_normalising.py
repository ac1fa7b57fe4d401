"""One spelling for what people write in many."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.normalising import normalise
from bot.knowledge.vietnamese import AccentRestorer, without_accents


@given(st.text(max_size=100))
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once


@given(st.text(max_size=100))
def test_what_is_normalised_has_single_spaces_and_no_capitals(text: str) -> None:
    normalised = normalise(text)
    assert normalised == " ".join(normalised.split())
    assert normalised == normalised.lower()


@given(st.text(alphabet="يىئكأإٱ۰۱۲٠١٢๐๑๒กเแaAéÉ\u200c\u200b\u0640ـ ", max_size=60))
def test_letters_of_the_four_scripts_are_normalised_once_and_for_all(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كتاب", "کتاب"),  # Arabic and Persian kaf
        ("گوشي", "گوشی"),  # Arabic and Persian yeh
        ("سفارش ۱۲۳", "سفارش ٠٠123".replace("٠٠", "")),
        ("٤٥٦", "۴۵۶"),
        ("می‌خواهم", "می خواهم"),  # half space
        ("سلامـــــ", "سلام"),  # stretched
        ("سَلام", "سلام"),  # vowel marks
        ("نامۀ", "نامه"),
        ("ﻻ", "لا"),  # presentation form
    ],
)
def test_persian_spellings_meet(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("รุ่น ๑๒", "รุ่น 12"),
        ("น\u0e4d\u0e32", "น\u0e33"),  # sara am in one and in two letters
        ("สินค้า\u200b", "สินค้า"),
    ],
)
def test_thai_spellings_meet(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ĐƠN HÀNG", "đơn hàng"),
        ("đơn ha\u0300ng", "đơn hàng"),  # decomposed
        ("  đơn \n hàng ", "đơn hàng"),
        ("ＡＢＣ１２３", "abc123"),  # full width
        ("hellooooooo", "helloo"),
    ],
)
def test_vietnamese_and_latin_spellings_meet(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


def test_numbers_keep_their_repeated_digits() -> None:
    assert normalise("order 100000") == "order 100000"


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
        ("đơn hàng ko đc", "đơn hàng không được"),
        ("abc xyz 123", "abc xyz 123"),
        ("", ""),
    ],
)
def test_accents_and_words_left_out_are_put_back(
    restorer: AccentRestorer, typed: str, meant: str
) -> None:
    assert restorer.restore(typed) == meant


@given(st.text(max_size=80))
def test_no_text_breaks_the_restorer(text: str) -> None:
    restored = AccentRestorer(["đơn hàng"]).restore(normalise(text))
    assert isinstance(restored, str)
