"""Which language a message is written in, also a short one.

Thai and Persian betray themselves by their letters. Latin text is English, Vietnamese (with
its accents or typed without), or neither: a product, a name, Thai in Latin letters. Those are
told apart word by word: how probable is the word in each (naive Bayes, with the built-in
common words, the articles' own words and the strict build of Vietnamese syllables), against
how probable in the language that the conversation has had so far.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from bot.knowledge.language.common_words import ENGLISH, ENGLISH_ANYWHERE, VIETNAMESE
from bot.knowledge.language.sentences import both_ends
from bot.knowledge.language.vietnamese import SHORTHAND, without_accents
from bot.messages import MAX_TEXT_LENGTH

_THAI = re.compile(r"[\u0e00-\u0e7f]")
_ARABIC = re.compile(r"[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufefc]")
_LATIN = re.compile("[a-zà-ỹ]")
# A polite word that ends Thai sentences, whatever they are made of.
_PARTICLE = re.compile(r"(?:ครับ|คับ|ค่ะ|คะ|ค่า|จ้า|จ้ะ|นะ)\W*$")
# Arabic is not Persian: no language of ours. A first alef with hamza, an article, a last teh
# marbuta; not the words with the article that Persian has borrowed.
_NOT_PERSIAN = re.compile(
    r"(?<!\w)(?:أ|ال(?!ان|بته|مان|ماس)\w{3}|(?:في|هل|متى|كيف|هذا|هذه|إلى|شكرا|مرحبا)(?!\w))|ة(?!\w)"
)
_PERSIAN_LETTER = re.compile("[پچژگکی]")
# Addresses, links, and whatever has a digit in it belong to no language.
_NO_WORD = re.compile(r"@|//|www\.|\d")
_NAME = re.compile(r"\s*[A-Z][a-z]+(?:\s+[A-Z][a-z]+){0,3}\s*")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_VIETNAMESE_LETTER = re.compile("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉĩịọỏốồổỗộớờởỡợụủũứừửữựỳỵỷỹ]")
_SYLLABLE = re.compile(
    "(?:b|ch|c|d|gh|gi|g|h|kh|k|l|m|ngh|ng|nh|n|ph|p|r|s|th|tr|t|v|x)?"
    "(?:a(?:ch|c|i|m|ng|nh|n|o|p|t|u|y)?|e(?:ch|c|m|ng|nh|n|o|p|t|u)?"
    "|i(?:ch|c|eng|em|ep|et|ec|en|eu|a|m|nh|n|p|t|u)?"
    "|o(?:a(?:ch|c|i|m|ng|nh|n|o|p|t|y)?|e[nto]?|c|i|m|ng|n|p|t)?"
    "|u(?:a(?:ng|n|t|y)?|e(?:ch|nh)?|o(?:c|i|m|ng|n|p|t|u)?|y(?:ch|et|en|nh|a|t|u|n)?"
    "|c|i|m|ng|n|p|t|u)?"
    "|y(?:em|en|et|eu)?)"
    "|qu(?:a(?:ch|c|i|ng|nh|n|o|t|u|y)?|e(?:n|o|t)?|en|eo|et|e|i(?:t|nh)?|o(?:c|ng)?"
    "|y(?:en|et|nh|t)?)"
)

_KNOWN = 0.75
_NAMES = 2e-5
"""Probability of any word as a name or a foreign word, in English and in Vietnamese."""
_OTHER_ENGLISH = 1e-5
"""Probability of an English word that is not known."""
_OTHER_SYLLABLE = 4e-5
"""Probability of a well-built Vietnamese syllable that is not known."""
_NEIGHBOURS = math.log(8)
"""Evidence of two syllables that are known to stand together."""
_ELSEWHERE = 4e-5
"""Probability of any Latin word in another language."""
_LOAN = 1 / 8
"""How much rarer well-known English words are in other languages; small ones even more."""
_SMALL_LOAN = 1 / 30
_OTHER_ACCENT = 0.1
"""How much rarer a Vietnamese syllable with an accent is elsewhere, if others have the accent."""
_NO_ACCENT = 0.01
"""The same, for accents that only Vietnamese has."""
_EVIDENCE = 3.5
"""Log-odds it takes to leave the conversation's language: more than one English word can give."""


class LanguageDetector:
    """Tells the language of a message, with the conversation's language as a hint."""

    def __init__(
        self,
        samples: Iterable[tuple[str, str]],
        finglish: Callable[[str], float] = lambda _word: 0.0,
    ) -> None:
        """
        Args:
            samples: (language, text) pairs of the articles, whose words become known.
            finglish: the probability of a Latin word in lower case in Persian.
        """
        self._finglish = finglish
        english: Counter[str] = Counter()
        vietnamese: Counter[str] = Counter()
        self._neighbours = set(_COMMON_NEIGHBOURS)
        for language, text in samples:
            if language == "en":
                english.update(_words(text))
            elif language == "vi":
                syllables = [without_accents(word) for word in _words(text)]
                vietnamese.update(each for each in syllables if _SYLLABLE.fullmatch(each))
                self._neighbours.update(pairwise(syllables))
        self._english = _mixed(_COMMON_ENGLISH, english)
        self._vietnamese = _mixed(_COMMON_VIETNAMESE, vietnamese)

    def detect(self, text: str, hint: str) -> str:
        """The language of a text: `en`, `vi`, `th`, `fa`, or the hint when nothing tells."""
        # One ligature becomes eighteen letters.
        text = both_ends(unicodedata.normalize("NFKC", text), MAX_TEXT_LENGTH)
        letters = {"th": len(_THAI.findall(text)), "fa": len(_ARABIC.findall(text))}
        latin = len(_LATIN.findall(text.lower()))
        script = max(letters, key=lambda language: letters[language])
        if letters["fa"] and _NOT_PERSIAN.search(text) and not _PERSIAN_LETTER.search(text):
            return hint
        if letters[script]:
            if hint == script or letters[script] * 2 >= latin or _PARTICLE.search(text):
                return script
            hint = script
        elif _NAME.fullmatch(text):
            return hint
        # Finglish is too rare elsewhere for what it resembles.
        scores = self._log_probabilities(_words(text), finglish=hint == "fa")
        best = "en" if scores["en"] > scores["vi"] else "vi"
        staying = max(scores.get(hint, scores["elsewhere"]), scores["elsewhere"])
        return best if scores[best] - staying > _EVIDENCE else hint

    def _log_probabilities(self, words: Sequence[str], *, finglish: bool) -> dict[str, float]:
        """Of words in English, in Vietnamese, and in any other language, or in Finglish as well."""
        scores = dict.fromkeys(("en", "vi", "elsewhere"), 0.0)
        plain_words = [without_accents(word) for word in words]
        for word, plain in zip(words, plain_words, strict=True):
            english = vietnamese = _NAMES
            elsewhere = _ELSEWHERE
            if plain == word:
                known = self._english.get(word, 0.0)
                loan = known * (_SMALL_LOAN if word in _SMALL_WORDS else _LOAN)
                english += _KNOWN * known + _OTHER_ENGLISH
                vietnamese += _KNOWN * loan
                elsewhere += _KNOWN * loan
                if finglish and not known:
                    elsewhere = max(elsewhere, self._finglish(word))
            elif _SYLLABLE.fullmatch(plain):
                foreign = _OTHER_ACCENT if _VIETNAMESE_LETTER.search(word) is None else _NO_ACCENT
                english *= foreign
                elsewhere *= foreign
            if plain in self._vietnamese:
                vietnamese += _KNOWN * self._vietnamese[plain]
            if _SYLLABLE.fullmatch(plain):
                vietnamese += _OTHER_SYLLABLE
            scores["en"] += math.log(english)
            scores["vi"] += math.log(vietnamese)
            scores["elsewhere"] += math.log(elsewhere)
        known_pairs = sum(pair in self._neighbours for pair in pairwise(plain_words))
        scores["vi"] += _NEIGHBOURS * known_pairs
        return scores


def _words(text: str) -> list[str]:
    chunks = (chunk for chunk in text.lower().split() if not _NO_WORD.search(chunk))
    return _WORD.findall(" ".join(chunks).replace("’", "'"))


def _mixed(common: Mapping[str, float], counts: Counter[str]) -> dict[str, float]:
    """Probabilities of words: the built-in ones, half and half with the articles' if any."""
    if not counts:
        return dict(common)
    total = counts.total()
    return {
        word: 0.5 * common.get(word, 0.0) + 0.5 * counts[word] / total
        for word in common.keys() | counts.keys()
    }


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {word: weight / total for word, weight in weights.items()}


_SMALL_WORDS = frozenset(ENGLISH.split())
# Frequency falls with rank (Zipf 1949).
_COMMON_ENGLISH = _shares(
    {
        word: 1 / (rank + 20)
        for rank, word in enumerate(dict.fromkeys((ENGLISH + ENGLISH_ANYWHERE).split()))
    }
)
_PHRASES = [
    [without_accents(word) for word in _words(phrase)]
    for phrase in " ".join(VIETNAMESE.split()).split(",")
]
_COMMON_NEIGHBOURS = frozenset(pair for phrase in _PHRASES for pair in pairwise(phrase))
_COMMON_VIETNAMESE = _shares(
    Counter([word for phrase in _PHRASES for word in (*phrase,)] + [*SHORTHAND])
)
