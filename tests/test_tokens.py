"""The words of a text and their parts, as the lexical search sees them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.tokens import Tokeniser

TOKENISER = Tokeniser()
LANGUAGES = st.sampled_from(["en", "vi", "th", "fa", "de", "ja", "", "no such language"])


@pytest.mark.parametrize(
    ("language", "text", "tokens"),
    [
        ("en", "Where is my order?", ["where", "is", "my", "order", "wher_", "orde_"]),
        ("en", "it's 5kg, isn't it", ["it", "s", "5", "kg", "is", "n't", "it"]),
        ("en", "BR-10234 (paid)", ["br-10234", "paid", "br-1_"]),
        ("vi", "Phí vận chuyển?", ["phi", "van", "chuyen", "phi_van", "van_chuyen"]),
        ("th", "ราคาเท่าไหร่คะ", ["ราคา", "เท่าไหร่", "คะ", "ราคา", "คาเท่า", "เท่าไห", "ไหร่", "ร่คะ"]),
        ("fa", "سفارش من کجاست؟", ["سفارش", "من", "کجا", "ست", "سفا_"]),
        ("de", "Wo ist das Paket?", ["wo", "ist", "das", "paket", "pake_"]),
    ],
)
def test_words_come_first_and_then_their_parts(language: str, text: str, tokens: list[str]) -> None:
    assert TOKENISER(normalise(text), language) == tokens


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("en", "delivery", "delivered"),
        ("fa", "فیلترش", "فیلترها"),
        ("fa", "ادرس", "آدرس"),
        ("vi", "van chuyen", "vận chuyển"),
        ("th", "โปรโบว์ล", "โปรโบว์"),
        ("de", "Lieferung", "geliefert liefern"),
    ],
)
def test_forms_and_spellings_of_a_word_meet(language: str, one: str, other: str) -> None:
    ours, theirs = (set(TOKENISER(normalise(text), language)) for text in (one, other))
    assert ours & theirs


@given(text=st.text(max_size=200), language=LANGUAGES)
@example(text="(" * 4000, language="en")
@example(text="a:b" * 1300, language="vi")
@example(text="+\u0e48" * 2000, language="vi")
@example(text="😀" * 4000, language="fa")
@example(text="ตาก" * 1300, language="th")
@example(text="เ" * 4000, language="th")
def test_any_text_has_tokens_without_spaces(text: str, language: str) -> None:
    for raw in (text, normalise(text)):
        for token in TOKENISER(raw, language):
            assert token
            assert token.split() == [token]


def test_threads_share_one_tokeniser() -> None:
    tokeniser = Tokeniser()
    texts = [f"n{n} is one of the {n} best" for n in range(200)] * 5
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: tokeniser(text, "en"), texts))
    assert found == [text.split() for text in texts]
