"""Finglish: Persian that is typed in Latin letters, each customer in a spelling of their own.

The embedding model reads it badly, so it is put back into Persian letters. Consonants are written
much the same by everybody, vowels are not, and Persian letters have half of them: a Latin word is
looked up by its consonants, and the Persian words that have the same ones are weighed by how well
the vowels agree, how often articles and everyday talk have them, and beside which other words
(Viterbi 1967).
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from bot.knowledge.language.chat_persian import (
    ENDINGS,
    EVERYDAY_CHAT,
    PAST_STEMS,
    PRESENT_STEMS,
    TYPED_SHORT,
)
from bot.knowledge.language.common_words import ENGLISH, ENGLISH_ANYWHERE
from bot.knowledge.language.normalising import normalise
from bot.knowledge.language.persian_sounds import JOINT, WORST, Spelled, cost, hear, spell

_WORD = re.compile(r"\w+")
_LATIN_WORD = re.compile(r"(?<!\w)[a-z]+(?:['’][a-z]+)*(?!\w)", re.IGNORECASE)
_PERSIAN = re.compile("[آ-ی]")
_PERSIAN_WORD = re.compile("[آ-ی_]*[آ-ی]")
_LONGEST = 24
"""Letters of a Latin word that is looked up; what is longer is no word."""

_STEEP = 2.5
"""Nepers that a cost of 1 makes a word less probable."""
_WORST_OF_LETTER = 0.2
"""Cost for each letter from which on a word is not taken for another."""
_MOST_READINGS = 6
_EXACT = 0.4
"""Cost up to which a word is itself, and no other one with an ending."""
_DERIVED = 0.5
"""Cost of a word that is known only without its ending."""
_KEPT = 2e-5
"""Probability of an English word inside of Finglish."""
_NOT_SEEN = 1.0
"""How often a form of a verb counts as seen that no text has."""
_UNKNOWN = 2e-5
"""Probability of a word that a language does not have."""
_EVIDENCE = 1.0
"""Log-odds of Persian against English from which on a text is read."""
_HARDLY = 1e-9
"""Keeps a word that no text has from being impossible."""
_FEWEST = 0.2
"""Share of words that have to be Persian and not English as well."""


@dataclass(frozen=True)
class _Reading:
    """One way to read a Latin word."""

    text: str
    """In Persian letters, with its endings; or the Latin word itself."""
    known: str
    """The word that is counted."""
    cost: float


class FinglishReader:
    """Writes Finglish in Persian letters, as far as the words of a corpus tell."""

    def __init__(
        self, told: Iterable[str], asked: Iterable[str] = (), english: Iterable[str] = ()
    ) -> None:
        """
        Args:
            told: what the Persian articles say.
            asked: their example questions. One with a word that no other text has may be mistyped
                and teaches nothing.
            english: texts of the English ones, whose words are known not to be Finglish.
        """
        sentences = [*_EVERYDAY_SENTENCES, *(_words(each) for each in told if _is_persian(each))]
        typed = [_words(each) for each in asked if _is_persian(each)]
        texts_with = Counter(word for words in typed for word in set(words))
        known = {word for words in sentences for word in words}
        known.update(word for word, texts in texts_with.items() if texts > 1)
        sentences += [words for words in typed if known.issuperset(words)]
        seen = {word for words in sentences for word in words} | _VERBS
        # "میکنم" and "می‌کنم" are one word.
        joint = {word.replace(JOINT, ""): word for word in sorted(seen) if JOINT in word}
        self._counts: dict[str, float] = dict.fromkeys(_VERBS, _NOT_SEEN)
        self._pairs: Counter[tuple[str, str]] = Counter()
        for words in sentences:
            words = [joint.get(word, word) for word in words]
            parts = [part for word in words for part in word.split(JOINT)]
            for some in (words, parts) if len(parts) > len(words) else (words,):
                for word in some:
                    self._counts[word] = self._counts.get(word, 0.0) + 1.0
                self._pairs.update(pairwise(some))
        self._total = sum(self._counts.values()) + 1.0
        self._spellings: dict[str, list[tuple[str, Spelled]]] = defaultdict(list)
        for word in self._counts:
            if _PERSIAN_WORD.fullmatch(word):
                for spelled in spell(word):
                    self._spellings[spelled.key].append((word, spelled))
        self._english = dict(_COMMON_ENGLISH)
        taught = Counter(word for text in english for word in _LATIN_WORD.findall(text.lower()))
        total = taught.total()
        for word, count in taught.items():
            self._english[word] = self._english.get(word, 0.0) + count / total
        # A few thousand words are nearly all that customers type.
        self._readings = lru_cache(4096)(self._find_readings)

    def probability(self, word: str) -> float:
        """Of a Latin word in lower case, among all that is typed in Persian; 0 if not known."""
        return max(
            (
                self._share(each.known) * math.exp(-_STEEP * each.cost)
                for each in self._readings(word)
            ),
            default=0.0,
        )

    def read(self, text: str) -> str:
        """A normalised text of a Persian conversation: Finglish in Persian letters, else as is."""
        if not self.is_finglish(text):
            return text
        pieces = _LATIN_WORD.split(text)
        words = self._most_probable(_LATIN_WORD.findall(text))
        read = "".join(piece + word for piece, word in zip(pieces, [*words, ""], strict=True))
        return " ".join(read.split())

    def is_finglish(self, text: str) -> bool:
        """Whether a text is mostly in Latin letters, and those are Persian rather than English."""
        words = [word.lower() for word in _LATIN_WORD.findall(text)]
        if sum(map(len, words)) * 2 <= sum(map(str.isalpha, text)):
            return False
        evidence, persian = 0.0, 0
        for word in words:
            if word in self._counts:  # a name that Persian texts write in Latin letters
                continue
            probability, english = self.probability(word), self._english.get(word, 0.0)
            evidence += math.log((probability + _UNKNOWN) / (english + _UNKNOWN))
            persian += probability > english and word not in self._english
        return evidence > _EVIDENCE and persian >= max(1.0, _FEWEST * len(words))

    def _find_readings(self, word: str) -> tuple[_Reading, ...]:
        """What a Latin word in lower case may be, the best first; nothing if it is not known."""
        if len(word) > _LONGEST:
            return ()
        best: dict[str, _Reading] = {}
        for reading in self._all_readings(word):
            if reading.text not in best or reading.cost < best[reading.text].cost:
                best[reading.text] = reading
        by_score = sorted(best.values(), key=self._score, reverse=True)
        return tuple(by_score[:_MOST_READINGS])

    def _all_readings(self, word: str) -> Iterator[_Reading]:
        if word in TYPED_SHORT:
            yield _Reading(TYPED_SHORT[word], TYPED_SHORT[word], 0.0)
            return
        found = list(self._alike(word))
        if (count := self._counts.get(word, 0.0)) > 0.0:  # of articles, such as a product's name
            yield _Reading(word, word, 0.0)
            if all(self._counts[each.known] < count for each in found if each.cost <= _EXACT):
                return
        yield from found
        if any(each.cost <= _EXACT for each in found):
            return
        for length in range(1, min(7, len(word) - 1)):
            ending = ENDINGS.get(word[-length:])
            if ending is not None:
                for stem in self._alike(word[:-length]):
                    away = stem.cost + _DERIVED
                    if away < WORST:
                        yield _Reading(_ended(stem.text, ending), stem.known, away)

    def _alike(self, word: str) -> Iterator[_Reading]:
        """Words that sound like a Latin one."""
        worst = min(WORST, _WORST_OF_LETTER * (len(word) + 1))
        for heard in hear(word):
            for known, spelled in self._spellings.get(heard.key, ()):
                away = cost(spelled, heard)
                if away < worst:
                    yield _Reading(known.replace(JOINT, " "), known, away)

    def _share(self, word: str) -> float:
        return self._counts.get(word, 0.0) / self._total

    def _score(self, reading: _Reading) -> float:
        return math.log(self._share(reading.known) + _UNKNOWN) - _STEEP * reading.cost

    def _most_probable(self, words: Sequence[str]) -> list[str]:
        """One reading of each word."""
        # Of each reading of each word: the score of the best path to it, and whence it comes.
        steps: list[list[tuple[float, int, _Reading]]] = [[(0.0, 0, _Reading("", "", 0.0))]]
        for word in words:
            lower = word.lower()
            readings = self._readings(lower)
            if not readings or (lower in self._english and lower not in TYPED_SHORT):
                readings = (*readings, _Reading(word, "", 0.0))
            step = []
            for reading in readings:
                score, whence = max(
                    (before[0] + self._log_probability(before[2].known, reading.known), place)
                    for place, before in enumerate(steps[-1])
                )
                step.append((score - _STEEP * reading.cost, whence, reading))
            steps.append(step)
        place = max(range(len(steps[-1])), key=lambda each: steps[-1][each][0])
        path = []
        for step in reversed(steps[1:]):
            path.append(step[place][2].text)
            place = step[place][1]
        path.reverse()
        return [
            word if read == word.lower() else read for word, read in zip(words, path, strict=True)
        ]

    def _log_probability(self, before: str, word: str) -> float:
        """Of a word behind another; "" is one that is no Persian."""
        if not word:
            return math.log(_KEPT)
        together = self._pairs[before, word] / (self._counts.get(before, 0.0) + 1.0)
        return math.log(0.6 * together + 0.4 * self._share(word) + _HARDLY)


def _is_persian(text: str) -> bool:
    """Not an example of Finglish, nor one of English."""
    return len(_PERSIAN.findall(text)) * 2 >= len(re.findall("[A-Za-z]", text))


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text.replace("\u200c", JOINT)))


def _ended(stem: str, ending: str) -> str:
    return f"{stem} ا{ending}" if stem[-1] == "ه" and ending[0] in "شمت" else stem + ending


def _verbs() -> Iterator[str]:
    """Forms of the verbs that everybody uses, as they are said."""
    for stem in PRESENT_STEMS.split():
        for prefix in ("می_", "نمی_", "ب", "ن"):
            for ending in ("م", "ی", "ه", "یم", "ین", "ید", "ن", "د"):
                yield prefix + stem + ending
    for stem in PAST_STEMS.split():
        for prefix in ("", "ن", "می_", "نمی_"):
            for ending in ("", "م", "ی", "یم", "ین", "ید", "ن", "ه"):
                yield prefix + stem + ending


_EVERYDAY_SENTENCES = [_words(each) for each in EVERYDAY_CHAT.split(",")]
_VERBS = frozenset(_verbs())
_RANKED = list(dict.fromkeys((ENGLISH + ENGLISH_ANYWHERE).split()))
# Frequency falls with rank (Zipf 1949).
_COMMON_ENGLISH = {word: 0.15 / (rank + 20) for rank, word in enumerate(_RANKED)}
