"""How order numbers and phone numbers are written, as tokens and patterns of spaCy's matcher.

Patterns have fixed lengths: with repetition operators the matcher takes seconds for what an
attacker can type.
"""

import re
from typing import Any

from bot.knowledge.language.vietnamese import without_accents

THAI = re.compile(r"[\u0e00-\u0e7f]+")

_MAIL = r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}"
# A group of digits behind a separator has at least two, so that "0912345678 2" are two numbers.
_DIGIT = r"(?:[ .()-]{1,3}(?=\d\d))?\d"
_PHONES = (
    rf"(?:\+|00)\(?[1-9]\d{{0,2}}\)?(?: ?\(0\) ?\d)?(?:{_DIGIT}){{6,12}}(?!\d)",
    # Vietnam, Thailand, Iran, Britain: 9–11 digits with their zero. No dates with a time.
    rf"(?!\d\d?[ .-]\d\d?[ .-]\d{{4}})\(?0[1-9](?:{_DIGIT}){{7,9}}(?!\d)",
    rf"(?:84|66|98|44)(?:{_DIGIT}){{9,10}}(?!\d)",
    rf"9(?:{_DIGIT}){{9}}(?!\d)",  # Iran without its zero
    r"(?:1[ .-]?)?\(?[2-9]\d\d\)?[ .-]?[2-9]\d\d[ .-]?\d{4}(?!\d)",  # North America
)
_GROUPED = r"\d{4}(?:[ -]\d{4}){2,4}(?!\d)"  # as on bank cards
_LETTERS = r"[^\W\d_\u0e00-\u0e7f]+"

TOKEN = re.compile("|".join((_MAIL, *_PHONES, _GROUPED, THAI.pattern, r"\d+", _LETTERS, r"\S")))
"""Tokens of a normalised text; Thai, which joins anything without a space, stands alone."""

_ORDER_WORDS = """order orders ord tracking parcel shipment invoice bill đơn
    سفارش سفارشم سفارشی مرسوله رهگیری فاکتور"""
_THAI_ORDER_WORDS = """คำสั่งซื้อ สั่งซื้อ ใบสั่งซื้อ ออเดอร์ ออเดอ ออร์เดอร์ เลขพัสดุ หมายเลขพัสดุ
    เลขติดตาม"""
_BETWEEN = """# : . - = ( no nr num number id code is the my hàng số mã này là của em mình tôi vận
    شماره کد به با من م ام را رو คือ หมายเลข เลขที่"""
_UNITS = """k đ d vnd vnđ đồng tr usd eur gbp $ € £ baht bath บาท thb toman tomans تومان تومن ریال
    rial cái chiếc pcs pieces units items km kg g ml l %"""


def _folded_words(words: str) -> list[str]:
    return [fold(word) for word in words.split()]


def fold(word: str) -> str:
    """A token without its accents, or as it is if it has nothing else."""
    return without_accents(word) or word


_THAI_ORDER = "|".join(_folded_words(_THAI_ORDER_WORDS))
_NAMES_ORDER = re.compile(rf"\b(?:{'|'.join(_folded_words(_ORDER_WORDS))})\b(?!')|{_THAI_ORDER}")

BETWEEN = frozenset(_folded_words(_BETWEEN))
"""What may stand between an order and its number."""
UNITS = frozenset(_folded_words(_UNITS))
"""What a number of something else is followed by."""
_MOST_BETWEEN = 3
"""Words between an order and its number."""


def names_an_order(text: str) -> bool:
    """Whether a normalised text speaks of an order, and not only by a number."""
    return _NAMES_ORDER.search(fold(text)) is not None


def patterns() -> dict[str, list[list[dict[str, Any]]]]:
    """Rules by name, the one that takes precedence first.

    `order` begins with the word or sign that makes a number one of an order.
    """
    digits = {"TEXT": {"REGEX": r"^\d[\d .-]*$"}}
    letters = {"TEXT": {"REGEX": "^[a-z]{1,5}$"}}
    hyphen = {"ORTH": "-"}
    codes = ([digits], [letters, digits], [letters, hyphen, digits])
    introductions: list[list[dict[str, Any]]] = [[{"ORTH": "#"}]]
    between = {"TEXT": {"IN": sorted(BETWEEN)}}
    for word in (
        {"TEXT": {"IN": _folded_words(_ORDER_WORDS)}},
        {"TEXT": {"REGEX": rf"(?:{_THAI_ORDER})[\u0e00-\u0e7f]{{0,20}}$"}},
    ):
        introductions += [[word, *[between] * count] for count in range(_MOST_BETWEEN + 1)]
    return {
        "email": [[{"LIKE_EMAIL": True}]],
        "order": [[*words, *code] for words in introductions for code in codes],
        "code": [list(code) for code in codes[1:]],
        "phone": [[{"TEXT": {"REGEX": f"^(?:{'|'.join(_PHONES)})$"}}]],
        "long": [[{"TEXT": {"REGEX": rf"^(?:\d{{9,}}|{_GROUPED})$"}}]],
    }
