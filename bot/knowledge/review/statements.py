"""What an article states, sentence by sentence: words, numbers with their units, negation.

The four languages are known better than others: number words ("two", "2 million"), negation and
the units that are compared across languages. In any language a number's unit is its currency
sign or the next word.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pythainlp.tokenize import newmm

from bot.knowledge.articles.articles import Article
from bot.knowledge.articles.passages import sections
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.spacy_rules import get_lang_class
from bot.languages import LANGUAGES

_MAX_STATEMENTS = 2000
"""Of one article; a list of 10,000 prices is no text to compare with others."""
_MAX_LENGTH = 500
"""Characters of one statement; the rest is not looked at."""
_MAX_LINE = 20_000

_SENTENCE_END = re.compile(r"(?<=[.!?؟。؛;])\s+")
# Thai ends sentences with nothing but a space; a few phrases together say something.
_THAI_SPACE = re.compile(r"(?<=[\u0e00-\u0e7f”\")]) +(?=[\u0e00-\u0e7f“\"(])")
_THAI_LENGTH = 40
_BEGINNING = 5
"""Letters of a word that its forms share: return, returned. Not for syllables, not for Thai."""
_LIST_MARK = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_TABLE_RULE = re.compile(r"[\s|:+-]*")
_LINK = re.compile(r"!?\[([^\]\n]{0,500})\]\([^)\s]{0,2000}\)")
_MARKUP = re.compile(r"[*_`|>]+")

_CURRENCIES = "€$£¥₫฿₽₹₩﷼"
_LETTER = "(?:[^\\W\\d_]|[\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])"
_TOKEN = re.compile(
    # What has letters and digits is a name: H13, PM2.5, W-1006.
    rf"(?P<name>[a-z]+-?\d[\w.-]*)|(?P<date>\d{{4}}-\d\d-\d\d|\d{{1,2}}:\d\d)"
    rf"|(?P<number>\d+(?:[.,]\d+)*)|(?P<sign>[{_CURRENCIES}%]|°c?)|(?P<word>{_LETTER}+)"
    r"|(?P<mark>[-–—,،×/~])"
)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_LINK_WORDS = "to and or تا یا و ถึง หรือ และ đến tới hoặc và"
_LINKS = frozenset([*"-–—,،×/~", *_LINK_WORDS.split()])
_MAGNITUDES = {
    "thousand": 1e3, "million": 1e6, "nghìn": 1e3, "ngàn": 1e3, "triệu": 1e6, "พัน": 1e3,
    "หมื่น": 1e4, "แสน": 1e5, "ล้าน": 1e6, "هزار": 1e3, "میلیون": 1e6, "میلیارد": 1e9,
}  # fmt: skip
_NUMBER_WORDS = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    # Not "năm", which is a year as well, and not "نه", which is no.
    "vi": "hai ba bốn - sáu bảy tám chín mười",
    "th": "สอง สาม สี่ ห้า หก เจ็ด แปด เก้า สิบ",
    "fa": "دو سه چهار پنج شش هفت هشت - ده",
}
_NUMBERS = {
    language: {word: str(value) for value, word in enumerate(words.split(), start=2)}
    for language, words in _NUMBER_WORDS.items()
}
_COMMON_UNITS = {
    "s": "second seconds giây วินาที ثانیه",
    "min": "minute minutes min phút นาที دقیقه",
    "h": "hour hours giờ tiếng ชั่วโมง ساعت",
    "d": "day days working ngày วัน วันทำการ روز روزه",
    "w": "week weeks tuần สัปดาห์ هفته",
    "month": "month months monthly tháng เดือน ماه ماهه",
    "year": "year years năm ปี سال ساله",
    "%": "% percent",
    "°c": "°c ° độ องศา درجه",
    "cm": "cm ซม سانتی",
    "km": "km กม กิโลเมตร کیلومتر",
    "kg": "kg กก กิโลกรัม کیلوگرم",
    "g": "g กรัม گرم",
    "bar": "bar บาร์ بار",
    "clock": "clock",
}
_COMMON = {word: unit for unit, words in _COMMON_UNITS.items() for word in words.split()}
_LETTERS_FIRST = re.compile(r"[^\W\d_][\w.+-]*")
_BEGINS_SENTENCE = frozenset(":;.!?\"“”'(")
_NEGATIONS = {
    "en": re.compile(r"(?:not?|never|cannot|without|neither|nor|n?t)"),
    "vi": re.compile(r"(?:không|chưa|chẳng|đừng|chớ)"),
    "th": re.compile(r"(?:(?:ยัง)?ไม่.*|ห้าม.*|อย่า|มิ)"),
    "fa": re.compile(r"(?:نه|بدون|هیچ|ن(?:می|یست|دار|باید|کن|شو|شد|ده|زن|بر|گذار|خواه).*)"),
}


@dataclass(frozen=True)
class Statement:
    """One sentence, list item or table row of an article."""

    article: Article
    text: str
    words: frozenset[str]
    """As `words_of`, without negations."""
    quantities: tuple[tuple[str, float | str], ...]
    """(unit, value) of each number; the unit is empty where none follows."""
    names: frozenset[str]
    """Names in it: with a capital letter within the sentence, with digits, or in Latin letters
    among others."""
    negative: bool

    @property
    def masked(self) -> str:
        """The text with every number as `#`."""
        return _NUMBER.sub("#", normalise(self.text))


def statements(article: Article) -> list[Statement]:
    """What the body states, in its order; headings state nothing."""
    found: list[Statement] = []
    for section in sections(article.body):
        for line in section.lines:
            for text in _sentences(line, article.language):
                if len(found) == _MAX_STATEMENTS:
                    return found
                found.append(_statement(article, text[:_MAX_LENGTH]))
    return found


def words_of(text: str, language: str) -> frozenset[str]:
    """The words of a text without numbers, cut so that forms of a word are the same."""
    return frozenset(_words(_tokens(normalise(text), language), language))


def plain(text: str, language: str) -> str:
    """A text without punctuation, letter case and other ways to write the same."""
    return " ".join(token for kind, token in _tokens(normalise(text), language) if kind != "mark")


@cache
def stop_words(language: str) -> frozenset[str]:
    """Words that say little: "the", "of"; none for a language that is not Usher's own."""
    if language not in LANGUAGES:
        return frozenset()
    return frozenset(get_lang_class(language).Defaults.stop_words)


def common_quantities(found: Sequence[tuple[str, float | str]]) -> set[tuple[str, float | str]]:
    """Those with a unit that the four languages share, as (unit, value)."""
    return {(_COMMON[unit], value) for unit, value in found if unit in _COMMON}


def _sentences(line: str, language: str) -> Iterator[str]:
    line = line[:_MAX_LINE]
    if _TABLE_RULE.fullmatch(line):
        return
    line = _MARKUP.sub(" ", _LINK.sub(r"\1", _LIST_MARK.sub("", line, count=1)))
    line = " ".join(line.split())
    if language != "th":
        yield from (text for text in _SENTENCE_END.split(line) if text)
        return
    current = ""
    for phrase in _THAI_SPACE.split(line):
        current = f"{current} {phrase}".strip()
        if len(current) >= _THAI_LENGTH:
            yield current
            current = ""
    if current:
        yield current


def _statement(article: Article, text: str) -> Statement:
    language = article.language
    tokens = _tokens(normalise(text), language)
    negation = _NEGATIONS.get(language)
    denying = [
        token for kind, token in tokens if kind == "word" and negation and negation.fullmatch(token)
    ]
    said = [each for each in tokens if each[1] not in denying]
    return Statement(
        article=article,
        text=text,
        words=frozenset(_words(said, language)),
        quantities=tuple(_quantities(tokens)),
        names=_names(text, language),
        negative=bool(denying),
    )


def _words(tokens: Sequence[tuple[str, str]], language: str) -> Iterator[str]:
    for kind, token in tokens:
        if kind not in {"word", "name"} or token in _MAGNITUDES:
            continue
        if language in {"th", "vi"} or kind == "name" or token in stop_words(language):
            yield token
        else:
            singular = token.removesuffix("s") if language == "en" and len(token) > 3 else token
            yield singular[:_BEGINNING]


def _tokens(text: str, language: str) -> list[tuple[str, str]]:
    """(kind, token) of normalised text."""
    found: list[tuple[str, str]] = []
    numbers = _NUMBERS.get(language, {})
    for match in _TOKEN.finditer(text):
        kind, token = str(match.lastgroup), match[0]
        words = [token]
        if kind == "word" and language == "th" and not token.isascii():
            words = newmm.segment(token, safe_mode=True)
        for word in words:
            number = numbers.get(word) if kind == "word" else None
            found.append(("number", number) if number else (kind, word))
    return found


def _quantities(tokens: Sequence[tuple[str, str]]) -> Iterator[tuple[str, float | str]]:
    for at, (kind, token) in enumerate(tokens):
        if kind == "date":
            yield ("clock" if ":" in token else "date"), token
        elif kind == "number":
            before = tokens[at - 1][1] if at else ""
            after = _after_range(tokens, at)
            value = _value(token)
            if after < len(tokens) and tokens[after][1] in _MAGNITUDES:
                value *= _MAGNITUDES[tokens[after][1]]
                after += 1
            unit = before if before in _CURRENCIES and before else _unit(tokens, after)
            yield unit, value


def _after_range(tokens: Sequence[tuple[str, str]], at: int) -> int:
    """Where the unit of a number stands: behind "1–3", "3, 6 or 12" it is the last one's."""
    end = at + 1
    while end < len(tokens):
        link = end
        while link < len(tokens) and tokens[link][1] in _LINKS:
            link += 1
        if link == end or link == len(tokens) or tokens[link][0] != "number":
            return end
        end = link + 1
    return end


def _unit(tokens: Sequence[tuple[str, str]], at: int) -> str:
    if at >= len(tokens) or tokens[at][0] not in {"word", "sign"}:
        return ""
    unit = tokens[at][1]
    if unit.startswith("วัน"):
        return "วัน"  # the dictionary takes "วันหลัง", days after, for one word
    return unit.removesuffix("s") if len(unit) > 2 and unit.isascii() else unit


def _value(number: str) -> float:
    """1,690.50 and 1.690,50 are the same; 1.500 is a thousand and a half, as in most prices."""
    *whole, last = re.split(r"[.,]", number)
    if not whole or _THOUSANDS.fullmatch(number):
        return float("".join([*whole, last]))
    return float(f"{''.join(whole)}.{last}")


def _names(text: str, language: str) -> frozenset[str]:
    found: set[str] = set()
    for match in _LETTERS_FIRST.finditer(text):
        word = match[0].rstrip(".-")
        if not word.isascii() or word in {"A", "I"}:
            continue
        before = text[: match.start()].rstrip()
        begins = not before or before[-1] in _BEGINS_SENTENCE
        if (
            any(letter.isdigit() for letter in word)
            or language in {"th", "fa"}
            or (word[0].isupper() and (len(word) == 1 or not begins))
        ):
            found.add(word.lower())
    return frozenset(found)
