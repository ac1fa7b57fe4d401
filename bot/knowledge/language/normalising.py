"""One spelling for what people write in many: the same on both sides of a comparison.

What is unified was chosen by what it does to the vectors. Right and wrong articles are about
0.05 apart in cosine; an emoji moves a question by 0.03–0.07, `???` by 0.08, a curly apostrophe
by 0.03, a stretched word by 0.02–0.07, `เเ` typed for `แ` by 0.11.
"""

import re
import unicodedata

from bot.languages import LANGUAGES

_ARABIC_MARKS = "".join(
    map(chr, (*range(0x610, 0x61B), *range(0x64B, 0x653), 0x654, 0x655, 0x670,
              *range(0x6D6, 0x6DD), *range(0x6DF, 0x6E5), 0x6E7, 0x6E8, *range(0x6EA, 0x6EE)))
)  # fmt: skip
_DIGITS = "".join(language.digits for language in LANGUAGES.values())
_TABLE = str.maketrans(
    # Arabic letters and forms → Persian; every language's digits → 0–9
    "يىئېےكڪأإٱةۀۂھہەؤ٪٫٬‘’ʼ" + _DIGITS,
    "یییییککاااههههههو%.,'''" + "0123456789" * (len(_DIGITS) // 10),
    # vowel marks, and the stroke that stretches words
    _ARABIC_MARKS + "\u0640",
)
_HALF_SPACE = "\u200c"
# Controls, format characters, surrogates, private use; joiners and selectors of emoji.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u06dd\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\uffff\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)
_EMOJI = re.compile("[\u231a-\u23ff\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
# What is left of accents after composition belongs to no letter that people type.
_LOOSE_MARKS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0653\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)

_THAI_MARKS = re.compile(r"[ัิ-ฺ็-๎]{2,}")
_THAI_TONES = frozenset("่้๊๋์")
_DOUBLED_THAI = re.compile(r"([ะาๅๆ])\1+")
_SARA_AM = re.compile(r"ํ([่้๊๋]?)า([่้๊๋]?)")

# Two schools write the tone of oa, oe and uy on different letters; "quý" has no choice.
_OLD_FOR_NEW = {
    "oà": "òa", "oá": "óa", "oả": "ỏa", "oã": "õa", "oạ": "ọa",
    "oè": "òe", "oé": "óe", "oẻ": "ỏe", "oẽ": "õe", "oẹ": "ọe",
    "uỳ": "ùy", "uý": "úy", "uỷ": "ủy", "uỹ": "ũy", "uỵ": "ụy",
}  # fmt: skip
_TONE_PLACE = re.compile(rf"(?<![^\Wbcdđghklmnprstvx])(?:{'|'.join(_OLD_FOR_NEW)})(?!\w)")

_STRETCHED = re.compile(r"([^\W\d_])\1\1+")
# Thai has no spaces: where two words meet, three alike are no stretching (ต่อ + ออเดอร์).
_WORD_OR_STRETCHED_THAI = re.compile(r"[^\W\d_ก-๎]+|([ก-๎])\1\1(?:\1+|(?![ก-๎]))")
_NUMERALS_AND_SIZES = frozenset("ivxl")
_MOST_IN_A_ROW = 3
_SYMBOLS = re.compile(r"([^\w\s]|_)\1{3,}")
_MARKS_OF_EXCITEMENT = re.compile(r"[!?؟]{2,}")


def normalise(text: str, *, keep_case: bool = False) -> str:
    """Lower case, compatible forms, Persian letters, plain digits, single spaces, no noise.

    Doing it again changes nothing, and texts that are canonically or compatibly equal in
    Unicode give the same. At most 18 times as long as the text (one Arabic ligature is).

    Args:
        keep_case: for the embedding model, to which capitals betray names.
    """
    text = _INVISIBLE.sub("", text.replace(_HALF_SPACE, " "))
    text = unicodedata.normalize("NFKC", text).translate(_TABLE)
    if not keep_case or text.isupper():  # shouting says nothing
        text = text.lower()
    # What was between a letter and its mark is gone: compose again, before marks are judged.
    text = _LOOSE_MARKS.sub("", unicodedata.normalize("NFC", text))
    text = unicodedata.normalize("NFC", text)
    without_emoji = _EMOJI.sub(" ", text)
    if any(map(str.isalnum, without_emoji)):  # else they are all that the customer says
        text = without_emoji
    text = _calm(_plain_thai(text))
    text = _TONE_PLACE.sub(lambda tone: _OLD_FOR_NEW[tone[0]], text)
    return " ".join(text.split())


def _plain_thai(text: str) -> str:
    """One vowel above or below and one tone a letter, in that order; sara am and ae as one."""
    text = _THAI_MARKS.sub(_one_of_each, text)
    text = _SARA_AM.sub(lambda am: f"{am[1] or am[2]}ำ", text)
    return _DOUBLED_THAI.sub(r"\1", text.replace("เเ", "แ"))


def _one_of_each(marks: re.Match[str]) -> str:
    tones = [mark for mark in marks[0] if mark in _THAI_TONES]
    vowels = [mark for mark in marks[0] if mark not in _THAI_TONES]
    return "".join((*vowels[:1], *tones[:1]))


def _calm(text: str) -> str:
    """Stretched words, rows of symbols and shouting cut to what they would be otherwise."""
    if _STRETCHED.search(text):
        text = _WORD_OR_STRETCHED_THAI.sub(_unstretched, text)
    text = _SYMBOLS.sub(r"\1\1", text)
    return _MARKS_OF_EXCITEMENT.sub(lambda run: run[0].strip("!")[:1] or "!", text)


def _unstretched(word: re.Match[str]) -> str:
    letters = set(word[0])
    if word[1]:
        return word[1]
    if word[0].isascii() and len(letters) == 1:
        return word[0][:_MOST_IN_A_ROW]  # www, aaa
    if set(word[0].lower()) <= _NUMERALS_AND_SIZES:
        return word[0]
    return _STRETCHED.sub(r"\1", word[0])
