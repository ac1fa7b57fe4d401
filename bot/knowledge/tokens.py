"""The words of a text, for the lexical side of the search (BM25).

Words come from spaCy's rules, for Thai from PyThaiNLP's dictionary (newmm). Vietnamese loses
its accents, because customers leave them out, and each pair of syllables is one more word,
because most Vietnamese words have two.
"""

import re
import threading
import unicodedata
from itertools import pairwise

import spacy
from pythainlp.tokenize import newmm
from spacy.language import Language

from bot.knowledge.vietnamese import without_accents

_RULES = {"en", "fa"}
"""Languages that spaCy's own rules are used for; the others share the rules of all (`xx`).

spaCy's Vietnamese without pyvi splits at spaces only, which `xx` does better.
"""
_MAX_STRINGS = 200_000
"""spaCy keeps every word that it has ever seen; from here on it starts afresh."""

_SYMBOL = re.compile(r"[^\w\s]")
_INSIDE_WORDS = frozenset(".,'-/:@+&")
_RUN = re.compile(r"[.,'\-/:@+&_]{2,}")
_EDGES = ".,'-/:@+&_"


class Tokeniser:
    """Splits normalised text into words; one instance serves any number of threads."""

    def __init__(self) -> None:
        self._pipelines: dict[str, Language] = {}
        self._lock = threading.Lock()

    def __call__(self, text: str, language: str) -> list[str]:
        """Words of a text as `normalise` leaves it, without punctuation, in their order."""
        text = _RUN.sub(" ", _SYMBOL.sub(_separate, text))
        if language == "th":
            return _words(newmm.segment(text, safe_mode=True))
        if language == "vi":
            syllables = _words(self._split(without_accents(text), "xx"))
            return [*syllables, *(f"{one}_{other}" for one, other in pairwise(syllables))]
        return _words(self._split(text, language if language in _RULES else "xx"))

    def _split(self, text: str, rules: str) -> list[str]:
        with self._lock:  # spaCy's vocabulary is not meant for several writers
            pipeline = self._pipelines.get(rules)
            if pipeline is None or len(pipeline.vocab.strings) > _MAX_STRINGS:
                pipeline = self._pipelines[rules] = spacy.blank(rules)
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
