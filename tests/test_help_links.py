"""Links into the help center: articles and the headings in them."""

from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.conversations.tables import Message
from bot.conversations.timeline import as_seen_by_customer
from bot.help_links import article_url, heading_anchor

HELP = "https://shop.example/help"
RETURNS = {"article": "returns", "language": "en", "title": "Return a product"}


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("How to pack it", "section-how-to-pack-it"),
        ("  2. Wi-Fi & `reset`!", "section-2-wi-fi-reset"),
        ("Khi không có nước", "section-khi-không-có-nước"),
        ("วางเครื่องและเติมน้ำ", "section-วางเครื่องและเติมน้ำ"),
        ("ترمزها و باران", "section-ترمزها-و-باران"),
        ("می‌خواهم", "section-می-خواهم"),
        ("❤️ Care", "section-care"),
        ("!?", "section"),
    ],
)
def test_an_anchor_is_the_words_of_its_heading(heading: str, anchor: str) -> None:
    assert heading_anchor(heading) == anchor


def test_two_ways_to_write_an_accent_are_one_anchor() -> None:
    assert heading_anchor("Nu\u031bo\u031b\u0301c") == heading_anchor("Nước") == "section-nước"


def test_an_anchor_of_a_heading_without_end_is_short() -> None:
    assert len(heading_anchor("x" * 100_000)) < 100


@given(st.text())
def test_a_link_is_one_address_whose_fragment_is_the_anchor(heading: str) -> None:
    url = article_url(HELP, "th", "returns", heading)
    assert url.isascii()
    parts = urlsplit(url)
    assert parts.path == "/help/th/returns"
    assert unquote(parts.fragment) == (heading_anchor(heading) if heading else "")


def message(source: dict[str, str]) -> Message:
    return Message(
        seq=2,
        author="assistant",
        text="Use the original box.",
        buttons=[],
        sources=[source],
        created_at=datetime(2026, 11, 20, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("heading", "url"),
    [
        ({"heading": "How to pack it"}, f"{HELP}/en/returns#section-how-to-pack-it"),
        ({"heading": ""}, f"{HELP}/en/returns"),
        ({}, f"{HELP}/en/returns"),  # recorded before headings were
    ],
)
def test_the_chat_shows_a_source_as_a_link_to_its_heading(
    heading: dict[str, str], url: str
) -> None:
    shown = as_seen_by_customer(message(RETURNS | heading), HELP)
    assert shown["sources"] == [RETURNS | {"url": url}]
