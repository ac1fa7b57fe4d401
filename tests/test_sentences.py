"""The sentences of a message."""

import pytest

from bot.knowledge.language.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("ok", ["ok"]),
        ("How do I return it?", ["How do I return it?"]),
        ("How do I return it? pls", ["How do I return it? pls"]),
        ("Hi!\nHow do I return it?", ["Hi!\nHow do I return it?"]),
        ("Good morning! How do I return it?", ["Good morning!", "How do I return it?"]),
        ("ขอคืนสินค้าค่ะ\nต้องทำยังไง", ["ขอคืนสินค้าค่ะ", "ต้องทำยังไง"]),
        ("سلام وقت بخیر؟ چطور پس بفرستم؟", ["سلام وقت بخیر؟", "چطور پس بفرستم؟"]),
        ("I paid 3.50 today. Where is it now", ["I paid 3.50 today.", "Where is it now"]),
    ],
)  # fmt: skip
def test_short_ones_join_a_neighbour(text: str, expected: list[str]) -> None:
    assert list(sentences(text)) == expected


def test_a_long_one_is_broken_at_pauses_and_loses_no_word() -> None:
    words = [f"word{n}" for n in range(100)]
    parts = list(sentences(" ".join(words)))
    assert len(parts) > 1
    assert all(len(part) <= 160 for part in parts)
    assert " ".join(parts).split() == words
