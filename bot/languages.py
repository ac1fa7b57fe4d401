"""The languages that Usher speaks, one row each. Imports nothing of ours."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Language:
    """What is true of a language wherever it is written."""

    code: str
    """ISO 639-1."""
    name: str
    """As its speakers write it."""
    direction: Literal["ltr", "rtl"] = "ltr"
    digits: str = ""
    """What its writers may type for 0–9, beside these: ten characters in order, or several tens."""


LANGUAGES: Mapping[str, Language] = {
    language.code: language
    for language in (
        Language("en", "English"),
        Language("vi", "Tiếng Việt"),
        Language("th", "ไทย", digits="๐๑๒๓๔๕๖๗๘๙"),
        # Arabic keyboards have digits of their own.
        Language("fa", "فارسی", direction="rtl", digits="۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩"),
    )
}
"""By code."""
LANGUAGE_NAMES: Mapping[str, str] = {code: language.name for code, language in LANGUAGES.items()}
LANGUAGE_PATTERN = f"^({'|'.join(LANGUAGES)})$"
"""Fits their codes alone."""
