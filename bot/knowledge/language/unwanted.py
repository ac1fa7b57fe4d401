"""What a customer does not want done: "I do not want to delete my account", "please don't cancel".

Vectors hardly see a "not", so that its opposite would be explained.
"""

import re
from collections.abc import Iterator

from bot.knowledge.language.normalising import normalise

_NOT = {
    "en": r"(?:do not|don't|dont|did not|didn't|didnt|never) (?:really )?"
    r"(?:want|wish|need|mean|intend|plan)(?:ed)? (?:you |anyone |anybody )?to\b"
    r"|(?:have )?no (?:intention|plan)s? (?:to|of)\b|there is no need to\b"
    r"|(?<![\w'] )(?<!\w)(?:please |pls |so |and |just )*(?:do not|don't|dont)"
    r"(?! (?:know|work|have|see|get|understand|find|like|think|want|need|remember|receive))\b",
    "vi": r"(?:không|ko|kg|hông|chưa|chẳng|khong|chua|đâu có|dau co)(?: hề| he| có| co)? "
    r"(?:muốn|định|cần|có ý định|muon|dinh|can)\b"
    r"|(?:xin |làm ơn |lam on |vui lòng )?(?<!\w)(?:đừng(?: có)?|dung co)\b",
    "th": r"ไม่(?:ได้|เคย)?(?:อยาก(?:จะ)?|ต้องการ(?:จะ|ให้)?|คิดจะ|ตั้งใจจะ|ประสงค์จะ)|อย่า(?!ง)(?:เพิ่ง)?",
    "fa": r"(?:اصلا )?نمی ?خوا(?:هم|م|هیم|یم)(?: که)?\b|قصد ندار(?:م|یم)(?: که)?\b",
}
_NOT_DOING_PERSIAN = re.compile(r"\bن(?=(?:کن|ده|فرست|بر|بند|گیر|زن)(?:ید|ین|م|یم)?\b)")
"""Persian says it within the verb: "do not cancel" is one letter longer than "cancel"."""
_ANY_MORE = re.compile(
    r"\b(?:any ?more|any longer|nữa|nua)\b|แล้ว|อีก(?:แล้ว|ต่อไป)|\bدیگ[هر]", re.IGNORECASE
)
"""Who does not want something any more wants it to change."""
_QUESTION = re.compile(
    r"[?؟]\s*$|\b(?:how|what|when|where|why|which|can|could|will|would|is there|bao|sao|nào|đâu|gì"
    r"|mấy|được không|không ạ|چطور|چطوری|چقدر|چند|کجا|چرا|آیا|چی|چه|باید)\b"
    r"|ไหม|มั้ย|ยังไง|อย่างไร|เท่าไหร่|เท่าไร|กี่|อะไร|ไหน|บ้าง",
    re.IGNORECASE,
)
"""Who asks how something is done has said what they want."""
_CLAUSE = re.compile(
    r"[,;.!،؛\n]+\s*|\s+(?:but|only|just|instead|rather)\s+|\s+(?:mà|chỉ|chi|thay vào đó|nhưng)\s+"
    r"|\s*(?:แต่|แค่|เพียงแต่)|\s+(?:فقط|بلکه|ولی|اما)\s+",
    re.IGNORECASE,
)
_PATTERNS = {language: re.compile(pattern, re.IGNORECASE) for language, pattern in _NOT.items()}


def unwanted(text: str, language: str) -> tuple[str, str] | None:
    """What a message says that is not wanted, as if it were, and the rest of it.

    None: nothing is said not to be wanted.
    """
    said = normalise(text, keep_case=True)
    if _QUESTION.search(said) or _ANY_MORE.search(said):
        return None
    clauses = list(_clauses(said))
    for n, clause in enumerate(clauses):
        positive = _positive(clause, language)
        if positive:
            return positive, " ".join(clauses[:n] + clauses[n + 1 :])
    return None


def _clauses(text: str) -> Iterator[str]:
    return (each.strip() for each in _CLAUSE.split(text) if each.strip())


def _positive(clause: str, language: str) -> str | None:
    """A clause without its "not", None if it has none."""
    pattern = _PATTERNS.get(language)
    if language == "fa" and _NOT_DOING_PERSIAN.search(clause):
        return _NOT_DOING_PERSIAN.sub("", clause)
    if pattern is None or not pattern.search(clause):
        return None
    return " ".join(pattern.sub(" ", clause, count=1).split())
