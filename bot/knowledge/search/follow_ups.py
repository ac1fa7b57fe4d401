"""Messages that say where, for whom or with what of something said before: "And to Hanoi?"

Vectors do not tell "And to Hanoi?" from "And the weather?"; grammar does. A follow-up begins
with a preposition, or goes on about a name.
"""

import re
import unicodedata

_LONGEST = 60
"""Characters up to which a message may lean on the question before it."""

_LEANING = re.compile(
    r"(?:(?:and|or|but|then|what about|how about)\s+)*"
    r"(?:to|from|in|at|for|with|without|by|via|on|until|within)\s+\S+(?:\s+\S+){0,2}"
    r"|(?:(?:thế|vậy|còn|và|hay|nếu|the|vay|con|va|neu)\s+)*"
    r"(?:đến|tới|đi|ở|ra|vào|từ|cho|với|qua|bằng|den|toi|di|o|tu|voi|bang)\s+\S+(?:\s+\S+){0,3}"
    r"|(?:แล้ว|และ|ถ้า|หรือ)*(?:ส่งไป|ไป|ถึง|ที่|ใน|จาก|สำหรับ|กับ|ด้วย).{1,30}"
    r"|(?:(?:و|پس|یا|اگر)\s+)*(?:به|در|از|برای|با|تا|بدون)\s+\S+(?:\s+\S+){0,2}",
    re.IGNORECASE,
)
# They begin like a follow-up, and are thanks, a farewell, a new subject or a call for a person.
_SAYING = re.compile(
    r"(?:for (?:sure|now|real)|at (?:last|least|all)|with (?:pleasure|thanks)"
    r"|in an? (?:minute|moment|second)|(?:to|with) an? (?:real )?(?:person|human|agent)"
    r"|(?:cho|với|voi) (?:tôi|toi|mình|minh|em|anh|chị|chi|hỏi|hoi|ạ|nhé|nhe|người|nguoi|nhân|nhan)"
    r"|از (?:شما|لطف)|با (?:تشکر|سپاس|یک نفر|یه نفر|کارشناس)|به (?:امید|سلامت)|در (?:مورد|باره))\b"
    r"|ไป(?:ก่อน|นะ|แล้ว)|ที่รัก|กับ(?:คน|เจ้าหน้าที่|แอดมิน|พนักงาน)",
    re.IGNORECASE,
)
_ABOUT_A_NAME = re.compile(
    r"(?:and|or|what about|how about|còn|thế còn|vậy còn) (.+)", re.IGNORECASE
)


def leans_on_topic(text: str) -> bool:
    """Whether a message, by its grammar, goes on about what was said before."""
    said = _bare(text)
    named = _ABOUT_A_NAME.fullmatch(said)
    return bool(_LEANING.fullmatch(said) or (named and named[1].istitle()))


def stands_alone(text: str) -> bool:
    """Whether a message is too long to lean on another, or only looks as if it did."""
    return len(text) > _LONGEST or _SAYING.match(_bare(text)) is not None


def _bare(text: str) -> str:
    return unicodedata.normalize("NFKC", text[: 2 * _LONGEST]).strip(" \t\n?!.…؟,،")
