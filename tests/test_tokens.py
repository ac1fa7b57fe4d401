"""The words of a text, as the lexical search sees them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.knowledge.normalising import normalise
from bot.knowledge.tokens import Tokeniser

TOKENISER = Tokeniser()
LANGUAGES = st.sampled_from(["en", "vi", "th", "fa", "de", "ja", "", "no such language"])


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", "Where is my order?", ["where", "is", "my", "order"]),
        ("en", "it's 5kg, isn't it", ["it", "s", "5", "kg", "is", "n't", "it"]),
        ("en", "order br-10234 (paid)", ["order", "br-10234", "paid"]),
        ("th", "ราคาเท่าไหร่คะ", ["ราคา", "เท่าไหร่", "คะ"]),
        ("fa", "سفارش من کجاست؟", ["سفارش", "من", "کجا", "ست"]),
        ("de", "Wo ist meine Bestellung?", ["wo", "ist", "meine", "bestellung"]),
    ],
)
def test_words_without_punctuation(language: str, text: str, words: list[str]) -> None:
    assert TOKENISER(normalise(text), language) == words


def test_vietnamese_words_are_syllables_and_their_pairs_without_accents() -> None:
    assert TOKENISER("phí vận chuyển?", "vi") == [
        "phi", "van", "chuyen", "phi_van", "van_chuyen",
    ]  # fmt: skip


@given(text=st.text(max_size=200), language=LANGUAGES)
@example(text="(" * 4000, language="en")
@example(text="😀" * 4000, language="fa")
@example(text="ตาก" * 1300, language="th")
def test_any_text_has_words_without_spaces(text: str, language: str) -> None:
    for raw in (text, normalise(text)):
        for word in TOKENISER(raw, language):
            assert word
            assert word == word.strip()


def test_threads_share_one_tokeniser() -> None:
    tokeniser = Tokeniser()
    texts = [f"word{n} is number {n} of many" for n in range(200)] * 5
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: tokeniser(text, "en"), texts))
    assert found == [text.split() for text in texts]
