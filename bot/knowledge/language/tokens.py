"""The words of a text and parts of them, for the lexical side of the search (BM25).

Words come from spaCy's rules, for Thai from PyThaiNLP's dictionary (newmm). Parts let forms of
a word meet that no word list joins; what each language needs was measured (question →
paragraph, BM25 recall@1, words alone against words and parts):

- English, Persian, others: the first letters of longer words, the stemmer that knows no
  language (Can et al. 2008). XQuAD 0.92 → 0.93, PersianQA 0.96 → 0.98.
- Thai: pairs of character clusters, for what the dictionary lacks. XQuAD 0.92 → 0.94.
- Vietnamese: pairs of syllables, as most words have two. XQuAD 0.88 → 0.92. Customers leave
  accents out, so all are dropped: a true segmenter (pyvi) reaches 0.93 where accents are
  typed and 0.87 where not.
"""

import re
import threading
import unicodedata
from itertools import pairwise

from pythainlp.tokenize import newmm, subword_tokenize

from bot.knowledge.language.spacy_rules import Language, blank
from bot.knowledge.language.vietnamese import without_accents

_RULES = {"en", "fa"}
"""Languages that spaCy's own rules are used for; the others share the rules of all (`xx`).

spaCy's Vietnamese without pyvi splits at spaces only, which `xx` does better.
"""
_MAX_STRINGS = 200_000
"""spaCy keeps every word that it has ever seen; from here on it starts afresh."""

_BEGINNING = 4
_PERSIAN_BEGINNING = 3
"""Persian leaves short vowels out, so its words are shorter."""
_SYMBOL = re.compile(r"[^\w\s]")
_EDGES = ".,'-/:@+&_"
_INSIDE_WORDS = frozenset(_EDGES)
_RUN = re.compile(r"[.,'\-/:@+&_]{2,}")


class Tokeniser:
    """Splits normalised text into tokens; one instance serves any number of threads."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Language] = {}
        self._lock = threading.Lock()

    def __call__(self, text: str, language: str) -> list[str]:
        """Words of a text as `normalise` leaves it, without punctuation; then their parts."""
        if language == "vi":
            text = without_accents(text)
        text = " ".join(_RUN.sub(" ", _SYMBOL.sub(_separate, text)).split())
        if language == "th":
            words = _words(newmm.segment(text, safe_mode=True))
            clusters = (subword_tokenize(chunk, engine="tcc") for chunk in text.split())
            return [*words, *(one + other for chunk in clusters for one, other in pairwise(chunk))]
        if language == "vi":
            words = _words(self._split(text, "xx"))
            return [*words, *(f"{one}_{other}" for one, other in pairwise(words))]
        length = _BEGINNING
        if language == "fa":
            text, length = text.replace("آ", "ا"), _PERSIAN_BEGINNING  # often typed without
        words = _words(self._split(text, language if language in _RULES else "xx"))
        return [*words, *(f"{word[:length]}_" for word in words if len(word) > length)]

    def _split(self, text: str, rules: str) -> list[str]:
        with self._lock:  # spaCy's vocabulary is not meant for several writers
            pipeline = self._pipelines.get(rules)
            if pipeline is None or len(pipeline.vocab.strings) > _MAX_STRINGS:
                pipeline = self._pipelines[rules] = blank(rules)
            return [token.text for token in pipeline.tokenizer(text)]


def _separate(symbol: re.Match[str]) -> str:
    """Symbols part words, unless they stand inside some; marks belong to their letters.

    Runs of them go before spaCy sees them: it takes two seconds for 4,000 parentheses.
    """
    char = symbol[0]
    inside = char in _INSIDE_WORDS or unicodedata.category(char).startswith("M")
    return char if inside else " "


def _words(pieces: list[str]) -> list[str]:
    stripped = (piece.strip(_EDGES) for piece in pieces)
    return [word for word in stripped if word and not word.isspace()]
