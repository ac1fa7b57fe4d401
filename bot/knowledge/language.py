"""Which language a message is written in, also a short one.

Three of the four languages betray themselves by their letters. What is left is Latin text
without a single Vietnamese accent: English, or Vietnamese typed in a hurry. Those two are
told apart by character n-grams of the articles themselves, once as written and once with
the accents taken off.
"""

import re
from collections.abc import Iterable

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from bot.knowledge.vietnamese import without_accents

_THAI = re.compile(r"[\u0e00-\u0e7f]")
_PERSIAN = re.compile(r"[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufeff]")
_VIETNAMESE = re.compile(
    r"[ăâđêôơưĂÂĐÊÔƠƯạảấầẩẫậắằẳẵặẹẻẽếềểễệỉĩịọỏốồổỗộớờởỡợụủũứừửữựỳỵỷỹ]", re.IGNORECASE
)
_LATIN = re.compile(r"[A-Za-z]")
_SURE = 0.75
_LONG = 16
"""Letters from which on a text speaks for itself."""


class LanguageDetector:
    """Tells the language of a message, with the conversation's language as a hint."""

    def __init__(self, samples: Iterable[tuple[str, str]]) -> None:
        """
        Args:
            samples: (language, text) pairs to learn unaccented Vietnamese and English from.
        """
        texts: list[str] = []
        vietnamese: list[int] = []
        for language, text in samples:
            if language in {"en", "vi"}:
                texts.append(without_accents(text).lower())
                vietnamese.append(int(language == "vi"))
        self._model = None
        if len(set(vietnamese)) == 2:  # both languages were seen
            self._model = make_pipeline(
                HashingVectorizer(analyzer="char_wb", ngram_range=(1, 3), n_features=2**14),
                LogisticRegression(C=10, max_iter=300, class_weight="balanced"),
            )
            self._model.fit(texts, np.array(vietnamese))

    def detect(self, text: str, hint: str) -> str:
        """The language of a text: `en`, `vi`, `th`, `fa`, or the hint when nothing tells."""
        letters = {
            "th": len(_THAI.findall(text)),
            "fa": len(_PERSIAN.findall(text)),
            "vi": 4 * len(_VIETNAMESE.findall(text)),
        }
        latin = len(_LATIN.findall(text))
        best = max(letters, key=lambda language: letters[language])
        if letters[best] and (best == "vi" or letters[best] * 2 >= latin or hint == best):
            return best
        if latin < 2 or self._model is None:
            return hint
        probability = float(self._model.predict_proba([without_accents(text).lower()])[0, 1])
        # The shorter the text, the more evidence it takes to leave the conversation's language.
        needed = _SURE + (1 - _SURE) * max(0.0, 1 - latin / _LONG)
        if hint == "vi":
            return "en" if 1 - probability > needed else "vi"
        if probability > needed:
            return "vi"
        # A few English words on a Thai or Persian page are names; a sentence is English.
        return "en" if hint == "en" or len(text.split()) >= 3 else hint
