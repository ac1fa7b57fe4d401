"""Vietnamese as it is typed in a hurry: accents left out, common words abbreviated.

The embedding model reads unaccented Vietnamese badly (top-1 0.4 against 0.9 on the same kind
of questions), so the accents are put back first. Which accented syllable is meant is decided
by the articles' own words and those of everyday talk: the most probable path through their
syllable pairs (Viterbi 1967).
"""

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from bot.knowledge.language.common_words import VIETNAMESE

_WORD = re.compile(r"\w+")
_NO_UNIT = re.compile(
    r"\b(?<!\d )(?<!/)(?<!size )(?<!cỡ )(?<!loại )(?<!usb )"
    r"(?!(?:(?<=nhiêu )|(?<=nhieu )|(?<=mấy )|(?<=may )|(?<=mỗi )|(?<=moi ))(?:kg|km|m)\b)"
    r"\w+\b(?!/)"
)
"""Words that are no size and no unit, as in "5 kg", "how many kg" and "km/h"."""
_HARDLY_ANY = 0.2
"""Share of words with accents up to which the others lack theirs; two thirds have some."""

# Chat shorthand that no article is written in.
SHORTHAND = {
    "k": "không", "ko": "không", "kg": "không", "kh": "không", "khg": "không", "hok": "không",
    "hong": "không", "dc": "được", "đc": "được", "dk": "được", "j": "gì", "z": "vậy",
    "v": "vậy", "vs": "với", "ntn": "như thế nào", "tk": "tài khoản", "sdt": "số điện thoại",
    "sđt": "số điện thoại", "dt": "điện thoại", "đt": "điện thoại", "sp": "sản phẩm",
    "bh": "bảo hành", "bn": "bao nhiêu", "bnhieu": "bao nhiêu", "ng": "người", "mn": "mọi người",
    "e": "em", "a": "anh", "c": "chị", "m": "mình", "mk": "mình", "r": "rồi", "h": "giờ",
    "lm": "làm", "trc": "trước", "hsd": "hạn sử dụng",
    "hd": "hướng dẫn", "hdsd": "hướng dẫn sử dụng",
    "tt": "thanh toán", "ck": "chuyển khoản", "cod": "thanh toán khi nhận hàng", "ib": "nhắn tin",
    "gd": "giao dịch", "dh": "đơn hàng", "đh": "đơn hàng", "km": "khuyến mãi", "vc": "vận chuyển",
}  # fmt: skip


def without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(each for each in decomposed if not unicodedata.combining(each))


class AccentRestorer:
    """Puts accents back, as far as the words of a corpus and of everyday talk tell which."""

    def __init__(self, corpus: Iterable[str]) -> None:
        """
        Args:
            corpus: accented Vietnamese texts, normalised.
        """
        self._words: Counter[str] = Counter()
        self._pairs: Counter[tuple[str, str]] = Counter()
        for text in (*_EVERYDAY, *corpus):
            words = _WORD.findall(text)
            self._words.update(words)
            self._pairs.update(pairwise(words))
        self._total = self._words.total() + 1
        self._spellings: dict[str, list[str]] = defaultdict(list)
        for word in self._words:
            self._spellings[without_accents(word)].append(word)

    def restore(self, text: str) -> str:
        """Normalised text with shorthand written out and, if it has hardly any, with accents."""
        words = _WORD.findall(text)
        accented = sum(without_accents(word) != word for word in words)
        text = _NO_UNIT.sub(lambda word: SHORTHAND.get(word[0], word[0]), text)
        if accented > _HARDLY_ANY * len(words):
            return text
        restored = iter(self._most_probable(_WORD.findall(text)))
        return _WORD.sub(lambda _: next(restored), text)

    def _most_probable(self, words: Sequence[str]) -> list[str]:
        """One spelling for each word; what has accents keeps them."""
        # Of each spelling of each word: the score of the best path to it, and whence it comes.
        steps: list[dict[str, tuple[float, str]]] = [{"": (0.0, "")}]
        for word in words:
            spellings = self._spellings.get(word, [word]) if word.isascii() else [word]
            steps.append(
                {
                    spelling: max(
                        (score + self._log_probability(before, spelling), before)
                        for before, (score, _) in steps[-1].items()
                    )
                    for spelling in spellings
                }
            )
        path = [max(steps[-1], key=lambda spelling: steps[-1][spelling])]
        for step in reversed(steps[1:]):
            path.append(step[path[-1]][1])
        return path[-2::-1]

    def _log_probability(self, before: str, word: str) -> float:
        alone = (self._words[word] + 0.1) / self._total
        together = self._pairs[before, word] / (self._words[before] + 1) if before else 0.0
        return math.log(0.7 * together + 0.3 * alone)


_EVERYDAY = " ".join(VIETNAMESE.split()).split(", ")
