"""How Persian words sound, and how badly a Latin spelling agrees with one.

Consonants are written much the same by everybody; vowels are not, and Persian letters have half of
them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.knowledge.language.chat_persian import SAID_WITH_N

JOINT = "_"
"""Stands for the half-space inside of a Persian word."""
WORST = 2.0
"""Cost from which on a word is not taken for another."""
_MOST_WAYS = 8
"""In which one word is spelled."""

# Consonants that are confused with each other have one letter as a key; of those, letters that
# differ in case are spelled differently with care.
_CONSONANTS = dict(zip("بپتطثجچحخدذرزژسشصضظغفقکگلمنه", "bpttsjChXdzrzJsSszzGfGkglmnh", strict=True))
_VOWEL_LETTERS = {"آ": "A", "ا": "A", "ی": "I", "ع": "'"}
_SOUNDS = re.compile("kh|gh|sh|ch|zh|ph|ck|[bcdfghjklmnpqrstvwxz]|[aeiouy]+")
_DIGRAPHS = {"kh": "X", "gh": "G", "sh": "S", "ch": "C", "zh": "J", "ph": "f", "ck": "k"}
_SINGLE = {"q": "G", "x": "X", "w": "v", "c": "k"}
_LONG_VOWELS = (("oo", "u"), ("ou", "u"), ("ee", "i"), ("aa", "a"))
_KEY = str.maketrans("GJ", "gj")
_CARELESS = {("G", "g"): 0.5, ("J", "j"): 0.2, ("g", "G"): 1.5, ("j", "J"): 0.5}
"""Cost of a Latin consonant, second, for a Persian one."""

# What it costs to write a Persian vowel letter as a Latin one, or not at all (""). A first alef
# ("0") says only that there is some vowel; one before n or m ("N") is said u in chat. E is the last
# h of "dokme", ' the silent ain.
_VOWELS = {
    "A": {"a": 0.0, "o": 1.2, "u": 1.2, "e": 2.0, "": 1.2},
    "N": {"a": 0.0, "o": 0.5, "u": 0.5, "e": 2.0, "": 1.2},
    "0": {"a": 0.0, "e": 0.0, "o": 0.0, "u": 0.8, "i": 0.8, "": 0.8},
    "U": {"u": 0.0, "o": 0.0, "": 1.2},
    "I": {"i": 0.0, "y": 0.0, "e": 0.8, "": 1.2},
    "E": {"e": 0.0, "a": 0.5, "": 0.8},
    "'": {"a": 0.0, "e": 0.0, "o": 0.0, "": 0.0},
}
_NEVER = 3.0
_SHORT = {"a": 0.15, "e": 0.15, "o": 0.15, "y": 0.4, "i": 0.8, "u": 0.8}
"""Cost of a vowel for which Persian has no letter."""

_NO_ALEF = 1.0
"""Cost of a first vowel that Persian would have written."""
_ENDS = 0.4
"""Cost of a last vowel for which there is no letter: the link "e" to the next word."""


@dataclass(frozen=True)
class Spelled:
    """A word as it sounds: consonants, and the vowels before each and behind the last."""

    consonants: str
    vowels: tuple[str, ...]

    @property
    def key(self) -> str:
        """The same for consonants that are confused."""
        return self.consonants.translate(_KEY)


@lru_cache(maxsize=50_000)
def spell(word: str) -> Sequence[Spelled]:
    """All ways in which a Persian word may sound; of articles' words, kept from one index to the
    next."""
    # Of each: consonants, vowels before them, vowels behind the last one.
    ways: list[tuple[str, tuple[str, ...], str]] = [("", (), "")]
    for place in range(len(word)):
        sounds = _sounds_of(word, place)
        ways = [
            (consonants + sound, (*vowels, open_vowels), "")
            if is_consonant
            else (consonants, vowels, open_vowels + sound)
            for consonants, vowels, open_vowels in ways
            for is_consonant, sound in sounds
        ][:_MOST_WAYS]
    if word in SAID_WITH_N:
        ways = [(consonants + "n", (*vowels, rest), "") for consonants, vowels, rest in ways]
    return [Spelled(consonants, (*vowels, rest)) for consonants, vowels, rest in ways]


def _sounds_of(word: str, place: int) -> list[tuple[bool, str]]:
    """What a letter may sound like: whether as a consonant, and as which; "" is not at all."""
    letter, before, after = word[place], word[:place][-1:], word[place + 1 : place + 2]
    if letter == "ه" and before and before not in "اآ" and after in ("", JOINT):
        return [(True, "h"), (False, "E")]
    if letter in _CONSONANTS:
        return [(True, _CONSONANTS[letter])]
    if letter == "و":
        if not before or word.endswith("شود"):  # said "shavad"; "shod" is another word
            return [(True, "v")]
        silent = [(False, "")] if before == "خ" and after else []  # as in "khahar"
        return [(True, "v"), (False, "U"), *silent]
    if letter == "ا" and not before:
        return [(False, "0"), (False, "")] if after in ("و", "ی") else [(False, "0")]  # "in"
    if letter in "آا" and after in ("ن", "م"):
        return [(False, "N")]
    return [(False, _VOWEL_LETTERS.get(letter, ""))]


def hear(word: str) -> list[Spelled]:
    """All ways in which a Latin word may sound."""
    plain = re.sub("['’]", "", word)
    for long, short in _LONG_VOWELS:
        plain = plain.replace(long, short)
    variants = {plain}
    if "x" in plain:
        variants.add(plain.replace("x", "ks"))
    if "c" in plain:
        variants.add(re.sub("c(?=[eiy])", "s", plain))
    if plain.endswith("eh"):
        variants.add(plain[:-1])
    if "ow" in plain:
        variants.add(plain.replace("ow", "o"))
    return [_sounds(each) for each in sorted(variants)]


def _sounds(word: str) -> Spelled:
    consonants, vowels, open_vowels = "", [], ""
    for sound in _SOUNDS.findall(word):
        if sound[0] in "aeiouy":
            open_vowels += sound
            continue
        consonant = _DIGRAPHS.get(sound) or _SINGLE.get(sound, sound)
        if consonants.endswith(consonant) and not open_vowels:
            continue  # "avval"
        consonants += consonant
        vowels.append(open_vowels)
        open_vowels = ""
    return Spelled(consonants, (*vowels, open_vowels))


def cost(persian: Spelled, latin: Spelled) -> float:
    """How badly two agree whose consonants are alike; 0 is perfectly."""
    total = 0.0
    for pair in zip(persian.consonants, latin.consonants, strict=True):
        total += _CARELESS.get(pair, 0.0)
    if latin.vowels[0] and not persian.vowels[0]:
        total += _NO_ALEF
    if latin.vowels[-1] and not persian.vowels[-1]:
        total += _ENDS
    for pair in zip(persian.vowels, latin.vowels, strict=True):
        total += _vowel_cost(*pair)
        if total >= WORST:
            break
    return total


@lru_cache(8192)
def _vowel_cost(persian: str, latin: str) -> float:
    """Of Persian vowel letters between two consonants written as Latin ones: edit distance."""
    row = [0.0]
    for vowel in latin:
        row.append(row[-1] + _SHORT[vowel])
    for letter in persian:
        costs = _VOWELS[letter]
        above, row = row, [row[0] + costs[""]]
        for place, vowel in enumerate(latin):
            row.append(
                min(
                    above[place] + costs.get(vowel, _NEVER),
                    above[place + 1] + costs[""],
                    row[place] + _SHORT[vowel],
                )
            )
    return row[-1]
