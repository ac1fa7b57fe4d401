"""Addresses in the help center: of an article, and of a heading in it."""

import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

SECTION = "section"
"""What every anchor begins with, so that no heading takes an id of the page's own."""
_MAX_HEADING_LENGTH = 80
"""Characters that count: percent-encoded, one of Thai is nine bytes."""


def article_url(help_url: str, language: str, article: str, heading: str = "") -> str:
    """Where an article is shown, scrolled to a heading of it if one is given.

    Args:
        help_url: address of the help center, under which articles are found.
    """
    address = f"{help_url}/{language}/{article}"
    return f"{address}#{quote(heading_anchor(heading))}" if heading else address


def source_url(help_url: str, source: Mapping[str, str]) -> str:
    """Where a message's source is shown; `source` is one of the record, see `Source`."""
    # What was recorded before sources had headings goes to the article's beginning.
    heading = source.get("heading", "")
    return article_url(help_url, source["language"], source["article"], heading)


def heading_anchor(heading: str) -> str:
    """The id of a heading in plain text: its letters, digits and marks on them, in any language."""
    text = unicodedata.normalize("NFC", heading.strip()[:_MAX_HEADING_LENGTH]).casefold()
    spaced = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in text)
    # A mark alone is what is left of an emoji.
    words = (word for word in spaced.split() if any(map(str.isalnum, word)))
    return "-".join((SECTION, *words))
