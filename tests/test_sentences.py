"""The parts of a message that may be asked about alone."""

import pytest

from bot.knowledge.language.sentences import both_ends, message_parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("ok", []),
        ("thanks", []),
        ("hello", []),
        ("How do I return it?", []),
        ("How do I return it? pls", ["How do I return it?"]),
        ("Hi!\nHow do I return it?", ["How do I return it?"]),
        ("Good morning How can I pay? thx", ["How can I pay?"]),
        ("Hi\nhow do I return\na coffee machine",
         ["how do I return", "a coffee machine", "how do I return\na coffee machine"]),
        ("Chào shop, ship về TP. HCM mất bao lâu",
         ["ship về TP.", "HCM mất bao lâu", "ship về TP. HCM mất bao lâu"]),
        ("สวัสดีค่ะ คิด ค่า ส่งยังไง", ["คิด ค่า ส่งยังไง"]),
        ("สวัสดีค่ะ เช็คสถานะ คำสั่งซื้อ ยังไง", ["เช็คสถานะ คำสั่งซื้อ ยังไง"]),
        ("สวัสดีค่ะ ตั้งค่า เครื่องชงกาแฟ ยังไง", ["ตั้งค่า เครื่องชงกาแฟ ยังไง"]),
        ("เครื่องเสีย ครับ เปลี่ยนได้ไหม", ["เครื่องเสีย ครับ", "เปลี่ยนได้ไหม"]),
        ("Hilton sent it. Where is it?", ["Hilton sent it.", "Where is it?"]),
        ("I paid 3.50 today. Where is it now", ["I paid 3.50 today.", "Where is it now"]),
        ("Chào shop, phí ship bao nhiêu ạ, cảm ơn shop nhiều", ["phí ship bao nhiêu ạ"]),
        ("Hi vọng hàng về sớm. Xuất hóa đơn cho công ty",
         ["Hi vọng hàng về sớm.", "Xuất hóa đơn cho công ty"]),
        ("สวัสดีค่ะ ของอยู่ไหนแล้วคะ ขอบคุณมากค่ะ", ["ของอยู่ไหนแล้วคะ"]),
        ("ย้ายบ้านค่ะ คืนของยังไง ขอบคุณค่ะ", ["ย้ายบ้านค่ะ", "คืนของยังไง", "ย้ายบ้านค่ะ คืนของยังไง"]),
        ("سلام\nبسته‌ام الان کجاست؟\nممنون", ["بسته‌ام الان کجاست؟"]),
        ("سلام خسته نباشید چطور باید سفارش بدم خیلی ممنون", ["چطور باید سفارش بدم"]),
    ],
)  # fmt: skip
def test_courtesies_and_other_sentences_are_left_out(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def texts(text: str) -> list[str]:
    return [part.text for part in message_parts(text)]


@pytest.mark.parametrize(
    ("text", "halves"),
    [
        ("How long does delivery take, and can I pay in cash?",
         ["How long does delivery take", "can I pay in cash?"]),
        ("Giao hàng mất bao lâu và có trả góp không?",
         ["Giao hàng mất bao lâu", "có trả góp không?"]),
        ("ส่งกี่วัน แล้วผ่อนได้ไหม", ["ส่งกี่วัน", "ผ่อนได้ไหม"]),
        ("گارانتی چند سال است و چطور پس بدهم؟", ["گارانتی چند سال است", "چطور پس بدهم؟"]),
        ("Can I get milk and sugar?", []),
        ("Có áo và quần không?", []),
    ],
)  # fmt: skip
def test_a_sentence_that_asks_twice_has_two_halves(text: str, halves: list[str]) -> None:
    assert [part.text for part in message_parts(text) if part.alone] == halves


def test_a_long_sentence_is_broken_at_pauses_and_loses_no_word() -> None:
    words = [f"word{n}" for n in range(100)]
    parts = texts(" ".join(words))
    assert len(parts) > 1
    assert all(len(part) <= 160 for part in parts)
    assert " ".join(parts).split() == words


def test_no_syllable_is_torn_apart() -> None:
    assert all(part.startswith("ที่") for part in texts("ที่" * 200))


@pytest.mark.parametrize(
    "text",
    [
        "?" * 4000,
        "hi " * 1500,
        "ค่ะ " * 1000,
        f"ขอบคุณ{'นะ' * 27}x\n" * 60,
        "سلام" * 1000,
        "[" * 4000,
    ],
)
def test_repeated_signs_are_read_in_no_time(text: str) -> None:
    assert all(part in text for part in texts(text))


def test_of_a_long_text_both_ends_are_kept() -> None:
    assert both_ends("short", 10) == "short"
    assert both_ends("0123456789", 7) == "012 789"
    assert both_ends("a word and a motorbike at the end", 20) == "a word the end"
