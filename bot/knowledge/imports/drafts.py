"""An article on its way from somebody's export to a file."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from bot.knowledge.articles.front_matter import MAX_TITLE
from bot.knowledge.language.vietnamese import without_accents

_MAX_SLUG = 60
_HASH_LENGTH = 8


@dataclass(frozen=True)
class Draft:
    """What an import made of a row or a page."""

    source: Path
    line: int
    """Where in the source it was found."""
    id: str
    language: str
    title: str
    body: str
    """Markdown."""
    questions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    updated: str = ""

    def renamed(self) -> "Draft":
        """The same with an id that also depends on the title: for when the id is taken."""
        return replace(self, id=f"{self.id[:_MAX_SLUG]}-{_hash(self.title)}")

    def as_markdown(self) -> str:
        """The content of an article file."""
        front: dict[str, object] = {"id": self.id, "language": self.language, "title": self.title}
        lists = {"questions": self.questions, "tags": self.tags, "products": self.products}
        front |= {key: list(texts) for key, texts in lists.items() if texts}
        if self.updated:
            front["updated"] = self.updated
        keys = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=10_000)
        return f"---\n{keys}---\n{self.body.strip()}\n"


def id_of(text: str) -> str:
    """An id that a title or a file's name always gives: its Latin letters and digits.

    What other letters say is kept as a hash, so that Thai and Persian titles have ids as
    stable as English ones.
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    plain = without_accents(folded)
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    said_all = all(char.isascii() or not char.isalnum() for char in plain)
    if slug and said_all and len(slug) <= _MAX_SLUG:
        return slug
    beginning = slug[:_MAX_SLUG].rstrip("-") or "article"
    return f"{beginning}-{_hash(folded)}"


def one_line_title(text: str) -> str:
    """A text as a title: one line that is not too long, cut between words."""
    text = " ".join(text.split())
    if len(text) <= MAX_TITLE:
        return text
    cut = text[: MAX_TITLE - 2]
    return f"{cut[: max(cut.rfind(' '), MAX_TITLE // 2)].rstrip()} …"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
