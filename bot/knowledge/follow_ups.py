"""Messages that say where, for whom or with what of something said before: "And to Hanoi?"

Vectors do not tell "And to Hanoi?" from "And the weather?"; grammar does. A follow-up begins
with a preposition, or goes on about a name.
"""

import re
import unicodedata

LONGEST = 60
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
_ABOUT_A_NAME = re.compile(
    r"(?:and|or|what about|how about|còn|thế còn|vậy còn) (.+)", re.IGNORECASE
)


def leans_on_topic(text: str) -> bool:
    """Whether a message, by its grammar, goes on about what was said before."""
    said = unicodedata.normalize("NFKC", text).strip(" \t\n?!.…؟,،")
    if len(said) > LONGEST:
        return False
    named = _ABOUT_A_NAME.fullmatch(said)
    return bool(_LEANING.fullmatch(said) or (named and named[1].istitle()))
