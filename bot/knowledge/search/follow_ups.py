"""Messages that go on about what was asked before: "And to Hanoi?", "how often?", "no, the Clara".

Vectors do not tell "And to Hanoi?" from "And the weather?"; grammar does. A follow-up begins
with a preposition, goes on about a name, or is a bare word of question. A correction names another
product and says nothing else.
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
_BARE_QUESTION = re.compile(
    r"(?:(?:and|but|ok(?:ay)?|so|then|well)[\s,]+)*"
    r"(?:how (?:often|long|much|many|far|soon|big|late|exactly|so)|when|where|why|which ones?"
    r"|what (?:for|time|size)|by when|since when)(?:\s+(?:exactly|then|though|is that|does it take"
    r"|does it cost|is it))?"
    r"|(?:(?:vậy|thế|và|vay|the|va)\s+)*(?:bao lâu|bao nhiêu(?: tiền| lần| ngày)?|khi nào|lúc nào"
    r"|mấy (?:ngày|lần|giờ)|ở đâu|tại sao|vì sao|bằng cách nào|như thế nào|bao lau|bao nhieu"
    r"|khi nao|may ngay|o dau|tai sao)(?:\s+(?:một|1)\s+lần)?(?:\s+(?:vậy|thế|ạ|nhỉ|v|z))*"
    r"|(?:แล้ว)?\s*(?:บ่อยแค่ไหน|นานแค่ไหน|นานไหม|กี่(?:วัน|ครั้ง|ชั่วโมง|เดือน|ปี|บาท)|เท่าไหร่|เท่าไร"
    r"|เมื่อไหร่|เมื่อไร|ที่ไหน|ตรงไหน|ทำไม|ยังไง|อย่างไร|กี่โมง)(?:ล่ะ|ละ|คะ|ครับ|ค่ะ|อะ|เหรอ)*"
    r"|(?:(?:و|خب|پس|حالا)\s+)*(?:(?:هر )?چند وقت(?: یک ?بار)?|چقدر(?: طول می ?کشد| میشه)?"
    r"|چند (?:روز|بار|ساعت|تومان)(?:ه)?|کی|کجا|چرا|چطور|چطوری|چه جوری|چنده)",
    re.IGNORECASE,
)
_ABOUT_SOMETHING = re.compile(
    r"(?:แล้ว|และ)(.{1,30}?)(?:ล่ะ|ละ)(?:คะ|ครับ|ค่ะ)?"
    r"|(?:còn|thế còn|vậy còn|con|the con|vay con) (.{1,30}?) (?:thì sao|thi sao|sao)(?: ạ)?"
    r"|(?:و )?(.{1,30}?) (?:چطور|چی|چه طور|چیه)"
    r"|(?:and|what about|how about) (?:the|my|its|a|your) (\S+(?: \S+)?)",
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
_NOT_IT = re.compile(
    r"(?:\b(?:not|no|isn't|(?:chứ )?không phải(?: là)?|khong phai(?: la)?|نه|نیست)|ไม่ใช่|ไม่เอา)"
    r"[\s,،:]*(?:\b(?:the|my|a|con|cái|máy|chiếc|xe|con|máy)\b\s*|ตัว|เครื่อง)*\ufffc",
    re.IGNORECASE,
)
_SMALL_WORDS = re.compile(
    r"\b(?:sorry|soz|oops|no|nope|not|but|it's|its|it|is|was|i|meant?|mean|the|my|a|an|for|with"
    r"|and|or|about|what|how|actually|rather|instead|please|pls|of|on|one|wrong|wait|ah|oh|to|say"
    r"|talking|typed?|typo|rubbish|thing|model|same|question|this|time|then|also"
    r"|nhầm|nham|ấy|lộn|lon|xin lỗi|ý|mình|em|tôi|là|la|cơ|chứ|không|phải|của|cho|còn|thì|sao|thế"
    r"|vậy|ạ|nhé"
    r"|cái|con|máy|chiếc|với|à|ơ|toi|minh|khong|phai|cua|thi|the|vay|nói|bảo|cơ mà|y|em"
    r"|نه|ای|وای|ببخشید|اشتباه|شد|منظورم|منظور|بود|است|رو|را|برای|و|چی|چطور|گفتم|یعنی|من|مال|در|مورد|هست"
    r"|اون|این|ه|م|همین|سوال|سؤال)\b"
    r"|ไม่ใช่|หมายถึง|ขอโทษ|ผิด|ที่จริง|เอา|คือ|แล้ว|ล่ะ|ละ|ของ|สำหรับ|ครับ|ค่ะ|คะ|นะ|จ้า|ตัว|เครื่อง|พิมพ์"
    r"|โทษที|รุ่น|มี|ที่|ถาม|ต่างหาก|ดิ|อะ",
    re.IGNORECASE,
)
PRODUCT = "\ufffc"
"""Stands for a product in a text."""


def leans_on_topic(text: str) -> bool:
    """Whether a message, by its grammar, goes on about what was said before."""
    said = _bare(text)
    if _LEANING.fullmatch(said) or _BARE_QUESTION.fullmatch(said):
        return True
    named = _ABOUT_A_NAME.fullmatch(said)
    return bool(named and named[1].istitle())


def what_of(text: str) -> str:
    """What a message asks about: of "and the battery?" the battery; else all of it."""
    found = _ABOUT_SOMETHING.fullmatch(_bare(text))
    return next(filter(None, found.groups()), text).strip() if found else text


def stands_alone(text: str) -> bool:
    """Whether a message is too long to lean on another, or only looks as if it did."""
    return len(text) > _LONGEST or _SAYING.match(_bare(text)) is not None


def meant_product(text: str) -> tuple[int, str] | None:
    """Which of the products in a message is meant, if it says little besides.

    Args:
        text: with `PRODUCT` in the place of each.

    Returns:
        Its place among the products, from 0, and what is said besides but for small words.
    """
    if len(text) > _LONGEST:
        return None
    refused = {found.end() - 1 for found in _NOT_IT.finditer(text)}
    places = [n for n, char in enumerate(text) if char == PRODUCT]
    meant = [n for n, place in enumerate(places) if place not in refused]
    besides = _SMALL_WORDS.sub(" ", text.replace(PRODUCT, " "))
    return (meant[-1], besides) if meant else None


def _bare(text: str) -> str:
    return unicodedata.normalize("NFKC", text[: 2 * _LONGEST]).strip(" \t\n?!.…؟,،")
