"""Purchase events: verified, read, recorded once; and the tips that follow them."""

import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from bot.conversations.database import Database, now
from bot.conversations.tables import Customer
from bot.errors import InvalidInput, NotFound, Unauthenticated
from bot.journeys.definitions import Journey, StepDefinition
from bot.journeys.purchases import (
    PurchaseEvent,
    parse_generic,
    products_of,
    record,
)
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.signatures import TOLERANCE_SECONDS, sign, verify
from tests.scenes import at_once, new_customer, successes

BODY = b'{"event_id": "e1"}'
TEXTS = {"en": "tip", "vi": "tip vi", "th": "tip th", "fa": "tip fa"}
JOURNEY = Journey(
    "brio",
    "v1",
    "brio",
    (
        StepDefinition(timedelta(seconds=10), "brio-setup", TEXTS),
        StepDefinition(timedelta(days=3), "brio-cleaning", TEXTS),
    ),
)


def event(**changes: Any) -> PurchaseEvent:
    values = {
        "source": "generic",
        "event_id": "e1",
        "order_id": "o1",
        "customer_external_id": "c1",
        "visitor_id": "",
        "language": None,
        "products": ("brio",),
        "purchased_at": now(),
    }
    return PurchaseEvent(**(values | changes))


def count(database: Database, table: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_good_signature_is_accepted() -> None:
    verify(BODY, sign(BODY, "key"), ["key"])


def test_the_signature_is_what_the_documentation_says() -> None:
    digest = hmac.new(b"key", b"1700000000." + BODY, hashlib.sha256).hexdigest()
    assert sign(BODY, "key", 1700000000) == f"t=1700000000,v1={digest}"


def test_both_secrets_are_accepted_while_they_are_rotated() -> None:
    for secret in ("new", "old"):
        verify(BODY, sign(BODY, secret), ["new", "old"])


@pytest.mark.parametrize("header", [None, "", "t=1", "v1=" + "0" * 64, "t=x,v1=" + "0" * 64, "é"])
def test_a_missing_or_malformed_signature_is_refused(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        verify(BODY, header, ["key"])


def test_a_forged_signature_and_a_tampered_body_are_refused() -> None:
    with pytest.raises(Unauthenticated):
        verify(BODY, sign(BODY, "guess"), ["key"])
    with pytest.raises(Unauthenticated):
        verify(BODY + b" ", sign(BODY, "key"), ["key"])
    with pytest.raises(Unauthenticated):
        verify(BODY, sign(BODY, "key", int(time.time()) - 1).replace("t=", "t=0"), ["another"])


def test_a_signature_without_any_secret_set_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        verify(BODY, sign(BODY, ""), [])


@pytest.mark.parametrize("away", [-TOLERANCE_SECONDS - 5, TOLERANCE_SECONDS + 5])
def test_an_old_signature_and_one_from_the_future_are_refused(away: int) -> None:
    at = int(time.time()) + away
    with pytest.raises(Unauthenticated, match="five minutes"):
        verify(BODY, sign(BODY, "key", at), ["key"])
    inside = at - (10 if away > 0 else -10)
    verify(BODY, sign(BODY, "key", inside), ["key"])


@given(st.binary(max_size=200), st.text(max_size=120))
def test_no_made_up_signature_fits(body: bytes, header: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(body, header, ["key"])


GOOD = {"event_id": "e", "order_id": "o", "customer": {"id": "c"}, "products": ["brio"]}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"event_id": ""}, "event_id"),
        ({"event_id": None}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"order_id": "x" * 256}, "order_id"),
        ({"products": []}, "products"),
        ({"products": "brio"}, "products"),
        ({"products": [""]}, "products.0"),
        ({"products": ["p"] * 101}, "products"),
        ({"customer": {}}, "customer"),
        ({"customer": {"id": ["c"]}}, "customer.id"),
        ({"customer": {"id": "c", "language": "fr"}}, "customer.language"),
        ({"purchased_at": "yesterday"}, "purchased_at"),
        ({"purchased_at": "2026-11-20T10:00:00"}, "purchased_at"),
        ({"event_id": "\ud800"}, "event_id"),
        ({"event_id": "a\0b"}, "event_id"),
        ({"customer": {"id": "a\0b"}}, "customer.id"),
        ({"products": ["a\0b"]}, "products.0"),
    ],
)
def test_a_bad_event_is_refused_by_the_name_of_its_key(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInput, match=named):
        parse_generic(json.dumps(GOOD | changes).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 50_000, b'"x"'])
def test_a_body_that_is_no_event_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_generic(body)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_never_break_the_reader(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_generic(body)


def test_a_good_event_is_read_without_repeated_products_and_unknown_keys() -> None:
    sent = GOOD | {"products": ["brio", "clara", "brio"], "total": 12, "purchased_at": None}
    read = parse_generic(json.dumps(sent).encode())
    assert read.products == ("brio", "clara")
    assert abs(read.purchased_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_same_event_twice_is_recorded_once(database: Database) -> None:
    first, new = record(database, event(), [JOURNEY], "en")
    again, new_again = record(database, event(), [JOURNEY], "en")
    assert (new, new_again) == (True, False)
    assert first.id == again.id
    assert count(database, Enrolment) == 1
    assert count(database, Step) == 2


def test_the_same_event_id_of_another_source_is_another_purchase(database: Database) -> None:
    assert record(database, event(), [], "en")[1]
    assert record(database, event(source="demo"), [], "en")[1]
    assert count(database, Purchase) == 2
    assert count(database, Customer) == 1


def test_a_purchase_enrols_in_the_journeys_of_its_products_alone(database: Database) -> None:
    other = Journey("volta", "v1", "volta", JOURNEY.steps)
    record(database, event(products=("brio", "clara")), [JOURNEY, other], "en")
    with database.read() as session:
        [enrolment] = session.scalars(select(Enrolment))
        steps = session.scalars(select(Step).order_by(Step.number)).all()
        [purchase] = session.scalars(select(Purchase))
    assert (enrolment.journey, enrolment.version) == ("brio", "v1")
    waits = [each.due_at - purchase.purchased_at for each in steps]
    assert waits == [timedelta(seconds=10), timedelta(days=3, seconds=10)]
    assert [each.context["help"] for each in steps] == ["brio-setup", "brio-cleaning"]


def test_another_event_of_the_same_order_does_not_enrol_again(database: Database) -> None:
    record(database, event(), [JOURNEY], "en")
    record(database, event(event_id="e2"), [JOURNEY], "en")
    assert count(database, Enrolment) == 1
    record(database, event(event_id="e3", order_id="o2"), [JOURNEY], "en")
    assert count(database, Enrolment) == 2


def test_twenty_concurrent_equal_events_of_a_known_visitor_make_one_purchase(
    database: Database,
) -> None:
    sent = event(visitor_id=new_customer(database), customer_external_id="")
    results = successes(at_once(lambda one: record(database, one, [JOURNEY], "en"), [sent] * 20))
    assert sum(new for _, new in results) == 1
    assert count(database, Purchase) == 1
    assert count(database, Step) == 2


def test_twenty_concurrent_equal_events_of_a_new_customer_make_one_purchase(
    database: Database,
) -> None:
    results = successes(at_once(lambda one: record(database, one, [JOURNEY], "en"), [event()] * 20))
    assert sum(new for _, new in results) == 1
    assert count(database, Purchase) == 1
    assert count(database, Customer) == 1


def test_a_customer_whom_another_process_makes_at_this_moment_is_taken(
    database: Database,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.write("test") as session:
            session.add(Customer(external_id="c1", language="en"))
            session.flush()
            recording = pool.submit(record, database, event(), [JOURNEY], "en")
            wait([recording], timeout=0.2)
        assert recording.result(timeout=10)[1]
    assert count(database, Customer) == 1


def test_an_unknown_visitor_is_not_found_and_nothing_is_recorded(database: Database) -> None:
    with pytest.raises(NotFound):
        record(database, event(visitor_id="nobody"), [JOURNEY], "en")
    assert count(database, Purchase) == 0


def test_what_was_bought_last_comes_first(database: Database) -> None:
    customer = new_customer(database)
    for number, product in enumerate(("brio", "clara", "brio")):
        bought = now() + timedelta(seconds=number)
        sent = event(
            event_id=str(number), visitor_id=customer, products=(product,), purchased_at=bought
        )
        record(database, sent, [], "en")
    with database.read() as session:
        assert products_of(session, [customer]) == {customer: ("brio", "clara")}
