"""One spelling for what people write in many: the same on both sides of a comparison."""

import re
import unicodedata

_TABLE = str.maketrans(
    # Arabic letters and forms → Persian; Persian, Arabic and Thai digits → 0–9
    "يىئكأإٱةۀۂ۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩๐๑๒๓๔๕๖๗๘๙",
    "یییکاااههه" + "0123456789" * 3,
)
_INVISIBLE = re.compile("[\u064b-\u0652\u0640\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_REPEATED = re.compile(r"(\D)\1{3,}")


def normalise(text: str) -> str:
    """Lower case, compatible forms, Persian letters, plain digits, single spaces."""
    text = unicodedata.normalize("NFKC", text).replace("\u200c", " ")
    text = _INVISIBLE.sub("", text).translate(_TABLE).lower()
    text = _REPEATED.sub(r"\1\1", text)
    return " ".join(text.split())
