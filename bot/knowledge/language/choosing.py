"""Which of the things that were just offered a customer means: "2", "the last one", "ข้อแรก"."""

import re

from bot.knowledge.language.normalising import normalise

_LONGEST = 40
"""Characters: who says more than a number says something of their own."""
_PLACES = (
    r"1|one|1st|first|một|mot|nhất|đầu(?: tiên)?|dau tien|แรก|หนึ่ง|یک|یکم|اول|اولی|نخست|نخستین|اولین"
    r"|yek|aval|avali",
    r"2|two|2nd|second|hai|nhì|สอง|دو|دوم|دومی|دومین|do|dovom|dovomi",
    r"3|three|3rd|third|ba|สาม|سه|سوم|سومی|سومین|se|sevom|sevomi",
)
_LAST = r"last|cuối(?: cùng)?|cuoi cung|สุดท้าย|آخر|آخری|آخرین|akhari"
_AROUND = (
    r"the|that|this|it is|it's|its|i (?:mean|want|choose|pick|take)|option|number|no(?=[. ]*\d)|nr"
    r"|answer|question|one|please|pls|yes|ok|okay"
    r"|cái|cai|câu|cau|mục|muc|số|so|thứ|thu|chọn|chon|ý|lựa chọn|đó|do|ạ|nhé|nha|mình|em|tôi"
    r"|ข้อที่|ข้อ|อันที่|อัน|ตัวที่|ตัว|เลือก|หัวข้อ|ที่|เอา|ครับ|ค่ะ|คะ|นะ|เลย"
    r"|گزینه|شماره|مورد|همان|همون|لطفا|آن|اون|این|را|رو|است|ه"
)
_CHOICES = [
    re.compile(rf"(?:(?:{_AROUND})[\s.#]*)*(?:{place})(?:[\s.]*(?:{_AROUND}))*", re.IGNORECASE)
    for place in (*_PLACES, _LAST)
]


def chosen(text: str, offered: int) -> int | None:
    """The place of what is chosen, from 0; None: no place is named.

    Args:
        offered: how many there are.
    """
    said = normalise(text[: 2 * _LONGEST]).strip(" .!#()،,")
    if not 0 < len(said) <= _LONGEST:
        return None
    *places, last = (choice.fullmatch(said) is not None for choice in _CHOICES)
    if sum(places) == 1 and (place := places.index(True)) < offered:
        return place
    return offered - 1 if last and offered else None
