"""The parts of a message: greetings, thanks and stories stand around what is asked."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_PARTICLE = "(?:ค่ะ|คะ|ค่า|ครับ|คับ|จ้า|จ้ะ|นะ)"
_LAST_WORD = (
    "(?:ค่ะ|คะ|(?<=[ก-๛])(?<!ตั้ง)(?<!มูล)(?<!คุณ)(?<!คิด)(?<!ชำระ)(?<!มี)ค่า"
    "|ครับ|(?<!บัง)คับ|(?<!เ)จ้า|จ้ะ|(?<!ถา)(?<!ช)นะ)"
)
"""Thai has no full stop; such a particle before a space is one, unless it is the last syllable of
"status", "value" and others."""
_END = re.compile(rf"[.!?…؟۔。！？]+(?=\s|$)|\n+|{_LAST_WORD}(?=\s)|(?<=\s)(?=[1-9][.)]\s)")
_PAUSE = re.compile(r"[,;:،؛]\s|\s")
_SHORTEST = 4
_LONGEST = 160
"""Characters; longer ones are broken at a pause."""
_NEAR = 20
"""Characters: so far from where a text is cut a space is looked for."""
_LONGEST_TOGETHER = 100
"""A short question may have two lines. A longer message, read together, would use up the tokens for
its sentences, and those find a question in a story."""
_THAI_LEADING_VOWELS = "เแโใไ"

_OPENINGS = (
    r"(?:hi(?! v[ọo]ng)|hello|hey|good (?:morning|afternoon|evening|day)|dear)"
    r"(?: (?:there|team|shop|support))?",
    r"(?:(?:dạ )?(?:xin )?ch[àa]o|alo|dạ(?! dày))(?: (?:shop|ad|admin|bạn|ban|anh|chị|em|ạ))*",
    r"(?:shop|ad) [ơo]i",
    rf"(?:สวัสดี|หวัดดี){_PARTICLE}*",
    r"سلام|درود|خسته نباش[یي][دن]|ببخش[یي][دن]",
    r"(?:وقت|روز|صبح|عصر|شب)(?:تون|تان)? ?(?:به ?)?خ[یي]ر",
    r"(?:no[,.]? )?(?:sorry[,.]? )?(?:no[,.]? )?i (?:actually )?meant?",
    r"(?:(?:xin lỗi|không|nhầm)[,.]? )*ý (?:tôi|mình|em) là",
    r"(?:ไม่ใช่|ขอโทษ|โทษที)?(?:ค่ะ|ครับ)? ?หมายถึง",
    r"(?:نه[،,]? ?|ببخشید[،,]? ?)*منظورم (?:این بود که|این است که|اینه که)?",
)
_CLOSINGS = (
    r"please|pls|(?:many )?(?:thanks|thank you|thx|(?<!công )(?<!cong )ty|cheers)"
    r"(?: (?:so much|a lot|very much|in advance))?",
    r"tks|(?:(?:em|mình) )?(?:xin )?c[ảáa]m [ơo]n"
    r"(?: (?:shop|ad|bạn|ban|anh|chị|nhiều|trước|nha|nhé|ạ))*",
    rf"(?:ขอบคุณ|ขอบใจ)(?:มาก|ๆ|ล่วงหน้า|เลย|{_PARTICLE})*",
    r"(?:خ[یي]ل[یي] |بس[یي]ار )?(?:ممنون|متشکر|سپاسگزار)م?(?: م[یي].?شم)?",
    r"مرس[یي]|سپاس|(?:با )?تشکر",
)
_JOINT = re.compile(
    r",?\s+(?:and also|and|also|plus|và|với(?: lại)?|còn|cho hỏi|va|con)\s+"
    r"|\s*(?:แล้วก็|แล้ว|และ|กับ)\s*|\s+و\s+|[,،]\s+|(?<=[ก-๛])\s+(?=[ก-๛])",
    re.IGNORECASE,
)
"""Between two questions in one sentence; Thai has but a space."""
_ASKING = re.compile(
    r"\b(?:how|what|when|where|why|who|which|can|could|do|does|did|is|are|will|would|should|may"
    r"|bao|không|ko|nào|đâu|gì|sao|mấy|chưa|khong|nao|dau|gi|may|thế nào"
    r"|چند|چطور|چطوری|چگونه|کجا|کی|چه|چی|آیا|چرا|چقدر|می ?شود|می ?شه|میشه|دارید|دارین)\b"
    r"|กี่|ไหม|มั้ย|มั๊ย|หรือเปล่า|รึเปล่า|หรือยัง|เท่าไหร่|เท่าไร|ยังไง|อย่างไร|ไหน|เมื่อไหร่|อะไร|ทำไม",
    re.IGNORECASE,
)
_SHORTEST_HALF = 7
_LONGEST_COURTESY = 60
_OPENING = re.compile(
    rf"(?:(?:{'|'.join(_OPENINGS)})(?:(?<=[ก-๛])|(?!\w))\W{{0,3}})+", re.IGNORECASE
)
_CLOSING = re.compile(
    rf"[\s,،]{{0,3}}(?<!\w)(?:(?:{'|'.join(_CLOSINGS)})\W{{0,3}})+$", re.IGNORECASE
)


@dataclass(frozen=True)
class Part:
    """What a message may ask."""

    text: str
    alone: bool
    """Whether it says something beside the others: a sentence or a half of one."""


def message_parts(text: str) -> list[Part]:
    """What a message may ask: each of its sentences without the courtesies around it, the halves of
    those that ask twice, and all of a short message without courtesies.

    A line is a sentence too. What is very short is none, and the whole message is no part of it.
    """
    whole = text.strip()
    found: dict[str, Part] = {}
    for sentence in _sentences(whole):
        halves = [_without_courtesies(each) for each in _halves(sentence)]
        for each in halves:
            found.setdefault(each, Part(each, alone=True))
        sentence = _without_courtesies(sentence)
        found.setdefault(sentence, Part(sentence, alone=not halves))
    if len(whole) <= _LONGEST_TOGETHER:
        together = _without_courtesies(whole)
        found.setdefault(together, Part(together, alone=False))
    return [each for each in found.values() if _SHORTEST <= len(each.text) < len(whole)]


def _halves(sentence: str) -> list[str]:
    """Of a sentence that asks twice."""
    for joint in _JOINT.finditer(sentence):
        halves = sentence[: joint.start()], sentence[joint.end() :]
        if all(len(each) >= _SHORTEST_HALF and _ASKING.search(each) for each in halves):
            return [each.strip() for each in halves]
    return []


def _without_courtesies(text: str) -> str:
    if opening := _OPENING.match(text):
        text = text[opening.end() :]
    end = max(len(text) - _LONGEST_COURTESY, 0)
    closing = _CLOSING.search(text, end)
    return text[: closing.start()].strip() if closing else text


def _sentences(text: str) -> Iterator[str]:
    begin = 0
    for end in (*(found.end() for found in _END.finditer(text)), len(text)):
        while end - begin > _LONGEST:
            middle, most = begin + _LONGEST // 2, begin + _LONGEST
            pauses = [found.end() for found in _PAUSE.finditer(text, middle, most)]
            cut = pauses[-1] if pauses else _between_letters(text, middle, most)
            yield text[begin:cut].strip()
            begin = cut
        yield text[begin:end].strip()
        begin = end


def _between_letters(text: str, least: int, most: int) -> int:
    """The last place that is not within a syllable; `most` if there is none."""
    for at in range(most, least, -1):
        mark = unicodedata.category(text[at])[0] == "M"
        if not mark and text[at - 1] not in _THAI_LEADING_VOWELS:
            return at
    return most


def both_ends(text: str, most: int) -> str:
    """A text, or of a longer one the beginning and the end, at most so many characters.

    They are cut at a space where one is near: half a word may be another word.
    """
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    begin, end = text[:half], text[-half:]
    if not text[half].isspace() and (last := begin.rfind(" ", max(half - _NEAR, 0))) > 0:
        begin = begin[:last]
    if not text[-half - 1].isspace() and (first := end.find(" ", 0, _NEAR)) >= 0:
        end = end[first + 1 :]
    return f"{begin} {end}"
