"""Products, orders, addresses and phone numbers in messages."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.knowledge.language.entities import EntityKind, EntityRecogniser, masked
from bot.knowledge.language.normalising import normalise

RECOGNISE = EntityRecogniser(
    {"brio": "brio", "บริโอ": "brio", "بریو": "brio", "Máy lọc Clara": "clara", "E-Bike 2": "volta"}
)


def found(text: str) -> list[tuple[EntityKind, str]]:
    return [(entity.kind, entity.value) for entity in RECOGNISE(normalise(text))]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("Where is BR-10234?", "BR-10234"),
        ("where is #10234", "10234"),
        ("my order #123", "123"),
        ("order 48213 still not here", "48213"),
        ("order10234", "10234"),
        ("Order number is AB12345.", "AB12345"),
        ("order 0912345678", "0912345678"),
        ("tracking code RR123456789GB", "RR123456789GB"),
        ("đơn hàng 48213 đâu rồi", "48213"),
        ("don hang 48213 dau roi", "48213"),
        ("mã đơn của em là BR-1023 ạ", "BR-1023"),
        ("คำสั่งซื้อ 48213 ถึงไหนแล้ว", "48213"),
        ("คำสั่งซื้อ๔๘๒๑๓ถึงไหนแล้ว", "48213"),
        ("ออเดอร์หมายเลข 48213", "48213"),
        ("سفارش ۴۸۲۱۳ کجاست", "48213"),
        ("شماره سفارشم ٤٨٢١٣ هست", "48213"),
        ("48213", "48213"),
        ("# 48213", "48213"),
    ],
)
def test_order_numbers(text: str, number: str) -> None:
    assert found(text) == [(EntityKind.ORDER, number)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("sđt em 090.123.4567 nhé", "0901234567"),
        ("gọi 0901234567 2 lần", "0901234567"),
        ("024 3825 1234", "02438251234"),
        ("เบอร์0812345678ค่ะ", "0812345678"),
        ("๐๘๑-๒๓๔-๕๖๗๘", "0812345678"),
        ("02 123 4567", "021234567"),
        ("شماره من ۰۹۱۲۳۴۵۶۷۸۹ است", "09123456789"),
        ("(021) 8888 8888", "02188888888"),
        ("(212) 555-0123", "2125550123"),
        ("call +1-800-555-0199 please", "+18005550199"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("07700 900123", "07700900123"),
        ("+84 90 123 45 67", "+84901234567"),
        ("0084901234567", "+84901234567"),
        ("+98 912 345 6789", "+989123456789"),
    ],
)
def test_phone_numbers(text: str, number: str) -> None:
    assert found(text) == [(EntityKind.PHONE, number)]


@pytest.mark.parametrize(
    "text", ["Mail A.Nguyen+shop@Example.com!", "อีเมลa.nguyen+shop@example.comค่ะ"]
)
def test_addresses(text: str) -> None:
    assert found(text) == [(EntityKind.EMAIL, "a.nguyen+shop@example.com")]


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("my BRIO leaks", "brio"),
        ("เครื่องบริโอเสีย", "brio"),
        ("بريو خراب شد", "brio"),
        ("máy lọc clara kêu to", "clara"),
        ("may loc clara keu to", "clara"),
        ("the e-bike 2's battery", "volta"),
        ("two brios leak", "brio"),
    ],
)
def test_products_by_whatever_customers_call_them(text: str, product: str) -> None:
    assert found(text) == [(EntityKind.PRODUCT, product)]


@pytest.mark.parametrize(
    "text",
    ["i want to order 250 pieces", "order for 1000 people", "đơn 500000đ có freeship không",
     "đơn 500000 đ", "price 2.100.000", "on 2024-01-15 10:30", "WH-1000XM5", "ISO-9001", "E21",
     "iPhone 15 Pro Max 256GB", "brioche", "## 100 km", "@brand", "2019 2020"],
)  # fmt: skip
def test_other_numbers_and_names_are_no_entities(text: str) -> None:
    assert found(text) == []


def test_several_entities_come_in_their_order() -> None:
    text = "order 48213 of my brio, call 0901234567 or a@b.com, card 4111 1111 1111 1111"
    assert [kind for kind, _ in found(text)] == [
        EntityKind.ORDER,
        EntityKind.PRODUCT,
        EntityKind.PHONE,
        EntityKind.EMAIL,
        EntityKind.NUMBER,
    ]


@pytest.mark.parametrize(
    ("text", "language", "left"),
    [
        ("order 48213 of my brio is late", "en", "order of my brio is late"),
        ("where is BR-10234?", "en", "where is order?"),
        ("BR-10234 đâu rồi", "vi", "đơn hàng đâu rồi"),
        ("call me at +84 90 123 45 67, please", "en", "call me at, please"),
        ("๔๘๒๑๓", "th", "คำสั่งซื้อ"),
        ("۰۹۱۲۳۴۵۶۷۸۹", "fa", "شماره تلفن"),
        ("a@b.com", "de", "email"),
        ("no numbers ; here", "en", "no numbers ; here"),
    ],
)
def test_a_masked_text_says_what_was_meant_without_the_numbers(
    text: str, language: str, left: str
) -> None:
    text = normalise(text)
    assert masked(text, RECOGNISE(text), language) == left


NASTY = st.text(alphabet="0123456789 +-.()#@_/aborder:đนคำสั่งซื้อบริโอسفارش", max_size=80)


@given(st.text(max_size=200) | NASTY)
@example("1" * 4000)
@example("1-" * 2000)
@example("a1" * 2000)
@example("+1 (0) 22 " * 400)
@example("order # " * 500)
@example("a@" * 2000)
@example("คำสั่งซื้อ" * 400)
@example("บริโอ" * 800)
def test_any_text_is_read_and_entities_are_where_they_say(text: str) -> None:
    for each in (text, normalise(text)):
        entities = RECOGNISE(each)
        end = 0
        for entity in entities:
            assert end <= entity.start < entity.end <= len(each)
            assert each[entity.start : entity.end] == entity.text
            end = entity.end
        remaining = masked(each, entities, "en")
        for entity in entities:
            if entity.kind in {EntityKind.EMAIL, EntityKind.PHONE}:
                assert entity.text not in remaining


def test_threads_share_one_recogniser() -> None:
    texts = [f"order {n}" for n in range(10_000, 10_400)]
    with ThreadPoolExecutor(8) as pool:
        entities = list(pool.map(RECOGNISE, texts))
    assert [each[0].value for each in entities] == [text.removeprefix("order ") for text in texts]


def test_a_name_that_the_shop_gives_is_not_taken_for_a_form_of_another() -> None:
    recognise = EntityRecogniser({"air": "fan", "airs": "pump"})
    assert [each.value for each in recognise("an air and two airs")] == ["fan", "pump"]


def test_a_shop_without_products_still_knows_orders() -> None:
    assert [entity.value for entity in EntityRecogniser({})("order 48213")] == ["48213"]
