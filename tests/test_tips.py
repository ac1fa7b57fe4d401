"""Due steps become tips: in order, exactly once, in the customer's language."""

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.conversations.database import Database, now
from bot.journeys.definitions import Journey, StepDefinition
from bot.journeys.purchases import PurchaseEvent, record
from bot.journeys.tables import Step
from bot.journeys.tips import EXPIRES_AFTER, send_next
from bot.languages import LANGUAGES
from tests.scenes import (
    SILENCE,
    at_once,
    new_customer,
    say,
    successes,
    timeline,
)


def journey(steps: int, name: str = "brio") -> Journey:
    return Journey(
        name,
        "v1",
        name,
        tuple(
            StepDefinition(
                timedelta(minutes=1),
                "help",
                {language: f"{name} {n} {language}" for language in LANGUAGES},
            )
            for n in range(1, steps + 1)
        ),
    )


def buy(
    database: Database, customer: str, steps: int = 3, ago: timedelta = timedelta(hours=1)
) -> None:
    bought = now() - ago
    event = PurchaseEvent("shop", customer, "o", "", customer, None, ("brio",), bought)
    record(database, event, [journey(steps)], "en")


def send_all(database: Database) -> int:
    sent = 0
    while send_next(database, SILENCE) is not None:
        sent += 1
    return sent


def test_due_tips_are_sent_in_order_and_once(database: Database) -> None:
    customer = new_customer(database)
    buy(database, customer)
    assert send_all(database) == 3
    assert send_all(database) == 0
    said = timeline(database, customer)
    assert [each.text for each in said] == ["brio 1 en", "brio 2 en", "brio 3 en"]
    assert {each.author for each in said} == {"assistant"}
    assert said[0].context == {"asks": "tip_check", "product": "brio", "help": "help"}


def test_a_tip_that_is_not_due_is_not_sent(database: Database) -> None:
    customer = new_customer(database)
    buy(database, customer, steps=3, ago=timedelta(seconds=90))
    assert send_all(database) == 1
    assert [each.text for each in timeline(database, customer)] == ["brio 1 en"]


def test_two_senders_send_every_tip_exactly_once(database: Database) -> None:
    customers = [new_customer(database) for _ in range(6)]
    for customer in customers:
        buy(database, customer)
    counts = successes(at_once(lambda _: send_all(database), range(2)))
    send_all(database)  # a sender may stop while the other still holds the last one
    assert sum(counts) <= 18
    for customer in customers:
        texts = [each.text for each in timeline(database, customer)]
        assert texts == ["brio 1 en", "brio 2 en", "brio 3 en"]


def test_a_tip_does_not_overtake_the_one_before_it_that_another_sender_holds(
    database: Database, request: pytest.FixtureRequest
) -> None:
    customer = new_customer(database)
    buy(database, customer, steps=2)
    first = select(Step).where(Step.number == 1).with_for_update()
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time: nothing can overtake")
    with ThreadPoolExecutor(1) as pool:
        with database.write("test") as session:
            session.scalars(first).one()
            sending = pool.submit(send_next, database, SILENCE)
            wait([sending], timeout=0.3)
        sending.result(timeout=10)
    assert [each.text for each in timeline(database, customer)] in ([], ["brio 1 en"])


def test_a_tip_that_is_too_late_expires_and_the_next_is_sent(database: Database) -> None:
    customer = new_customer(database)
    late = EXPIRES_AFTER + timedelta(seconds=90)
    buy(database, customer, steps=2, ago=late)
    sent = [send_next(database, SILENCE) for _ in range(3)]
    assert sent[0] == (customer, "")
    assert sent[1] is not None
    assert sent[2] is None
    assert [each.text for each in timeline(database, customer)] == ["brio 2 en"]
    with database.read() as session:
        states = session.scalars(select(Step.state).order_by(Step.number)).all()
    assert states == ["expired", "sent"]


def test_a_tip_is_written_in_the_language_of_the_conversation(database: Database) -> None:
    for language in LANGUAGES:
        customer = new_customer(database, language)
        buy(database, customer, steps=1)
        send_all(database)
        assert timeline(database, customer)[-1].text == f"brio 1 {language}"


def test_a_tip_follows_a_customer_who_changed_the_language(database: Database) -> None:
    customer = new_customer(database, "en")
    buy(database, customer, steps=1)
    say(database, customer, "سلام", language="fa")
    send_all(database)
    assert timeline(database, customer)[-1].text == "brio 1 fa"
