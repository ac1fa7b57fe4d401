"""The outbox: replies at least once, tips at most once, in order, by one sender."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text

from bot.channels.webhook.sending import WebhookChannel
from bot.conversations.database import Database, now
from bot.conversations.nudges import Nudges
from bot.conversations.tables import ChannelLease, Customer, Delivery, Message
from bot.deliveries import attempts, failures, leases, pacing, sender
from bot.deliveries.attempts import MAX_AGE, MAX_TRIES, Result
from bot.deliveries.outbox import Outbox
from bot.deliveries.pacing import Circuit, CircuitState, TokenBucket
from bot.deliveries.states import State
from bot.errors import Conflict, NotFound, Unavailable
from bot.messages import Author
from bot.settings import ROOT
from tests.conftest import free_port, wait_until
from tests.outboxes import (
    HELP,
    NOWHERE,
    OtherChannel,
    change_delivery,
    customer_on,
    deliveries,
    delivery,
    expire_lease,
    run_outbox,
    so,
    states,
    tell,
)
from tests.vendor import SECRET, Answer, Vendor, accept, vendor

DONE = {"sent", "failed", "unknown"}


@pytest.fixture
def app() -> Iterator[Vendor]:
    with vendor() as listening:
        yield listening
    assert listening.problems == []


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting is not what these tests are about."""
    monkeypatch.setattr(pacing, "BASE_SECONDS", 0.01)
    monkeypatch.setattr(Circuit, "FIRST_PAUSE", 0.05)


def send_all(database: Database, app: Vendor, worker: str = "worker") -> None:
    run_outbox(database, app, lambda: set(states(database)) <= DONE, worker)


def always(*answers: Answer) -> Any:
    """Answers one after the other; the last one for ever."""
    left = list(answers)

    def act(_: Mapping[str, Any]) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return act


# --- what is sent


def test_a_reply_is_sent_with_all_that_belongs_to_it(database: Database, app: Vendor) -> None:
    customer = customer_on(database, address="anna-1")
    source = {"article": "returns", "language": "en", "title": "Returns", "heading": "Pack it"}
    (id_,) = tell(
        database,
        customer,
        "Send it back. ☕",
        buttons=[{"title": "Yes", "text": "yes"}],
        sources=[source],
    )
    send_all(database, app)
    assert app.received == [
        {
            "delivery_id": id_,
            "to": "anna-1",
            "seq": 1,
            "author": "assistant",
            "text": "Send it back. ☕",
            "buttons": [{"title": "Yes", "text": "yes"}],
            "sources": [{"title": "Returns", "url": f"{HELP}/en/returns#section-pack-it"}],
            "language": "en",
        }
    ]
    found = delivery(database, id_)
    assert (found.state, found.receipt, found.tries) == ("sent", f"r-{id_}", 1)


def test_what_the_web_chat_shows_is_not_sent(database: Database, app: Vendor) -> None:
    customer = customer_on(database)
    tell(database, customer, "on the page", channel="web_chat")
    other = customer_on(database)
    tell(database, other, "in the app")
    run_outbox(database, app, lambda: states(database, other) == ["sent"])
    assert app.texts == ["in the app"]
    assert [each.tries for each in deliveries(database, customer)] == [0]


def test_messages_of_a_customer_are_sent_in_order_whatever_fails(
    database: Database, app: Vendor
) -> None:
    customers = [customer_on(database) for _ in range(3)]
    for customer in customers:
        tell(database, customer, *(str(number) for number in range(5)))
    failed = set()

    def act(message: Mapping[str, Any]) -> Answer:
        key = message["delivery_id"]
        if message["seq"] % 2 and key not in failed:
            failed.add(key)
            return Answer(500)
        return accept(message)

    app.act = act
    send_all(database, app)
    for customer in customers:
        mine = {each.id for each in deliveries(database, customer)}
        seqs = [each["seq"] for each in app.received if each["delivery_id"] in mine]
        assert seqs == [1, 1, 2, 3, 3, 4, 5, 5]
    assert set(states(database)) == {"sent"}


def test_a_message_that_failed_for_good_does_not_hold_back_the_next(
    database: Database, app: Vendor
) -> None:
    customer = customer_on(database)
    tell(database, customer, "refused", "taken")
    app.act = always(Answer(400), Answer())
    send_all(database, app)
    assert states(database, customer) == ["failed", "sent"]
    assert app.texts == ["refused", "taken"]


# --- ways to fail


@pytest.mark.parametrize(
    "answer",
    [Answer(500), Answer(drop=True), Answer(429)],
)
def test_a_reply_that_may_not_have_arrived_is_sent_again_under_the_same_id(
    database: Database, app: Vendor, answer: Answer
) -> None:
    (id_,) = tell(database, customer_on(database), "hello")
    held = Answer(answer.status, headers={"Retry-After": "0.01"}, drop=answer.drop)
    app.act = always(held, Answer())
    send_all(database, app)
    assert [each["delivery_id"] for each in app.received] == [id_, id_]
    assert states(database) == ["sent"]


@pytest.mark.parametrize("answer", [Answer(500), Answer(drop=True)])
def test_a_tip_that_may_have_arrived_is_never_sent_again(
    database: Database, app: Vendor, answer: Answer
) -> None:
    customer = customer_on(database)
    tell(database, customer, "a tip", is_tip=True)
    tell(database, customer, "a reply")
    app.act = always(answer, Answer())
    send_all(database, app)
    assert app.texts == ["a tip", "a reply"]
    assert states(database) == ["unknown", "sent"]


def test_a_tip_that_was_certainly_not_taken_is_sent_again(database: Database, app: Vendor) -> None:
    tell(database, customer_on(database), "a tip", is_tip=True)
    app.act = always(Answer(429, headers={"Retry-After": "0.01"}), Answer())
    send_all(database, app)
    assert app.texts == ["a tip"] * 2
    assert states(database) == ["sent"]


def test_a_tip_waits_for_an_app_that_is_not_there(database: Database) -> None:
    port = free_port()
    (id_,) = tell(database, customer_on(database), "a tip", is_tip=True)
    with vendor(port=port) as app:
        settings = app.settings()
    run_outbox(
        database, [WebhookChannel(settings)], lambda: delivery(database, id_).problem is not None
    )
    assert states(database) == ["pending"]
    with vendor(port=port) as app:
        send_all(database, app)
    assert app.texts == ["a tip"]


def test_a_redirect_is_not_followed_and_nothing_is_lost(database: Database, app: Vendor) -> None:
    with vendor() as elsewhere:
        app.act = always(Answer(307, headers={"Location": elsewhere.url}), Answer())
        tell(database, customer_on(database), "hello")
        send_all(database, app)
    assert elsewhere.received == []
    assert states(database) == ["sent"]


def test_what_is_refused_fails_visibly_and_is_not_tried_again(
    database: Database, app: Vendor
) -> None:
    (id_,) = tell(database, customer_on(database), "hello")
    app.act = always(Answer(410))
    send_all(database, app)
    found = delivery(database, id_)
    assert (found.state, found.tries, len(app.received)) == ("failed", 1, 1)
    assert "410" in (found.problem or "")


def test_a_message_that_the_app_never_takes_is_given_up_after_so_many_tries(
    database: Database, app: Vendor
) -> None:
    poison, *_ = tell(database, customer_on(database), "poison")
    change_delivery(database, poison, tries=MAX_TRIES - 1)
    tell(database, customer_on(database), "fine")
    app.act = lambda message: Answer(500) if message["text"] == "poison" else Answer()
    send_all(database, app)
    found = delivery(database, poison)
    assert found.state == "failed"
    assert str(MAX_TRIES) in (found.problem or "")


def test_tries_that_ended_its_sender_are_counted_too(database: Database, app: Vendor) -> None:
    (id_,) = tell(database, customer_on(database), "deadly")
    change_delivery(database, id_, tries=MAX_TRIES)
    send_all(database, app)
    assert app.received == []
    assert states(database) == ["failed"]


def test_what_is_older_than_a_day_is_not_sent(database: Database, app: Vendor) -> None:
    (id_,) = tell(database, customer_on(database), "yesterday's")
    with database.write("test") as session:
        message = session.get_one(Message, session.get_one(Delivery, id_).message_id)
        message.created_at = now() - MAX_AGE - timedelta(seconds=1)
    send_all(database, app)
    assert app.received == []
    assert states(database) == ["failed"]


def test_a_customer_without_an_address_is_a_visible_failure(
    database: Database, app: Vendor
) -> None:
    (id_,) = tell(database, customer_on(database, "other"), "hello")
    send_all(database, app)
    assert "address" in (delivery(database, id_).problem or "")


def test_an_unexpected_error_of_a_channel_may_have_been_a_send(
    database: Database, app: Vendor
) -> None:
    class Broken(WebhookChannel):
        async def send(self, address: str, outgoing: Any) -> str | None:
            await super().send(address, outgoing)
            raise KeyError(outgoing.text)

    (id_,) = tell(database, customer_on(database), "a tip", is_tip=True)
    run_outbox(database, [Broken(app.settings())], lambda: states(database) == ["unknown"])
    assert delivery(database, id_).problem == "KeyError"  # and not the customer's words
    assert len(app.received) == 1


def test_what_failed_is_listed_and_sent_again_when_an_operator_says_so(
    database: Database, app: Vendor
) -> None:
    customer = customer_on(database)
    first, second, tip, old = tell(database, customer, "first", "second", "a tip", "old")
    change_delivery(database, first, state="failed", problem="status 401", tries=9)
    change_delivery(database, second, state="failed")
    change_delivery(database, tip, state="unknown", is_tip=True)
    change_delivery(database, old, state="failed")
    with database.write("test") as session:
        delivered = session.get_one(Delivery, old)
        delivered.message.created_at = now() - MAX_AGE - timedelta(seconds=1)
    listed = {each.id: each for each in failures.latest(database)}
    assert set(listed) == {first, second, tip, old}
    assert (listed[first].problem, listed[first].tries) == ("status 401", 9)
    failures.retry(database, first)
    for wrong, why in ((first, "did not fail"), (tip, "no tip is sent twice"), (old, "older")):
        with pytest.raises(Conflict, match=why):
            failures.retry(database, wrong)
    with pytest.raises(NotFound):
        failures.retry(database, "nothing")
    assert failures.retry_all(database) == 1
    send_all(database, app)
    assert app.texts == ["first", "second"]
    assert states(database, customer) == ["sent", "sent", "unknown", "failed"]


# --- limits


def test_no_more_calls_than_allowed_are_under_way_at_once(database: Database, app: Vendor) -> None:
    for _ in range(12):
        tell(database, customer_on(database), "hello")
    first_three = threading.Barrier(3)

    def act(message: Mapping[str, Any]) -> Answer:
        if len(app.received) <= 3:
            first_three.wait(timeout=10)  # they really are side by side
        return accept(message)

    app.act = act
    channel = WebhookChannel(app.settings(webhook_channel_at_once=3))
    run_outbox(database, [channel], lambda: set(states(database)) == {"sent"})
    assert app.most_at_once == 3


def test_a_bucket_gives_out_no_more_than_its_rate() -> None:
    at = 0.0
    bucket = TokenBucket(4, clock=lambda: at)
    spent = 0
    for tick in range(101):
        at = tick / 10
        calls = bucket.available()
        bucket.spend(calls)
        spent += calls
    assert spent == 4 + 4 * 10  # a second's worth at first, then the rate
    assert 0 < bucket.wait() <= 0.25


def test_a_bucket_slower_than_one_a_second_gives_one_at_a_time() -> None:
    at = 0.0
    bucket = TokenBucket(0.5, clock=lambda: at)
    assert bucket.available() == 1
    bucket.spend(1)
    assert bucket.wait() == 2
    at = 2.0
    assert bucket.available() == 1


def test_what_the_vendor_asks_to_wait_for_is_waited_for_by_all(
    database: Database, app: Vendor
) -> None:
    for _ in range(3):
        tell(database, customer_on(database), "hello")
    app.act = always(Answer(429, headers={"Retry-After": "3600"}))
    channel = WebhookChannel(app.settings(webhook_channel_at_once=1))
    run_outbox(
        database,
        [channel],
        lambda: any("429" in (each.problem or "") for each in deliveries(database)),
    )
    assert len(app.received) == 1
    found = next(each for each in deliveries(database) if each.problem)
    assert (found.state, found.tries) == ("pending", 0)
    assert found.due_at - now() <= leases.MAX_WAIT


# --- the circuit


class Hands:
    """A clock that is moved by hand."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def test_a_circuit_opens_after_failures_in_a_row_and_pauses_grow() -> None:
    clock = Hands()
    circuit = Circuit(clock)
    for _ in range(Circuit.FAILURES - 1):
        assert not circuit.failed(circuit.permit())
    circuit.succeeded(circuit.permit())
    for _ in range(Circuit.FAILURES - 1):
        assert not circuit.failed(circuit.permit())
    assert circuit.room(8) == 8
    assert circuit.failed(circuit.permit())
    pauses = []
    for _ in range(12):
        assert circuit.state is CircuitState.OPEN
        assert circuit.room(8) == 0
        pauses.append(circuit.wait())
        clock.at += circuit.wait()
        assert circuit.room(8) == 1
        probe = circuit.permit()
        assert circuit.room(8) == 0  # one probe at a time
        assert circuit.failed(probe)
    assert pauses[:3] == pytest.approx([0.05, 0.1, 0.2])
    assert pauses[-1] == pytest.approx(Circuit.LONGEST_PAUSE)
    clock.at += circuit.wait()
    assert circuit.room(8) == 1
    circuit.succeeded(circuit.permit())
    assert (circuit.state, circuit.room(8)) == (CircuitState.CLOSED, 8)


def test_calls_from_before_the_circuit_opened_decide_nothing() -> None:
    clock = Hands()
    circuit = Circuit(clock)
    late = [circuit.permit() for _ in range(3)]
    for _ in range(Circuit.FAILURES):
        circuit.failed(circuit.permit())
    circuit.succeeded(late[0])
    assert circuit.failed(late[1])  # the channel's failure, not the message's
    assert circuit.state is CircuitState.OPEN
    clock.at += circuit.wait()
    assert circuit.room(1) == 1
    circuit.succeeded(late[2])
    assert circuit.state is CircuitState.HALF_OPEN


def test_a_probe_that_was_not_made_is_made_later() -> None:
    clock = Hands()
    circuit = Circuit(clock)
    for _ in range(Circuit.FAILURES):
        circuit.failed(circuit.permit())
    clock.at += circuit.wait()
    assert circuit.room(1) == 1
    circuit.withdrawn(circuit.permit())
    assert circuit.room(1) == 1


def test_while_the_app_is_down_no_tries_are_used_up_and_afterwards_all_arrives(
    database: Database,
) -> None:
    port = free_port()
    ids = [tell(database, customer_on(database), "hello")[0] for _ in range(8)]
    with vendor(port=port) as app:
        settings = app.settings()
    channel = WebhookChannel(settings)
    run_outbox(
        database,
        [channel],
        # Probes, after the circuit has opened: some delivery was tried, and its try not counted.
        lambda: sum(each.problem is not None for each in deliveries(database)) == len(ids),
    )
    assert set(states(database)) <= {"pending", "attempting"}
    assert sum(each.tries for each in deliveries(database)) <= len(ids)
    with vendor(port=port) as app:
        send_all(database, app)
    assert set(states(database)) == {"sent"}
    assert len(app.received) == len(ids)


def test_an_error_of_ours_on_one_channel_does_not_stop_the_others(
    database: Database, app: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(database: Database, lease: leases.Lease, *others: Any) -> list[attempts.Attempt]:
        if lease.channel == "other":
            raise KeyError("a mistake")
        return original(database, lease, *others)

    original = attempts.take
    monkeypatch.setattr(attempts, "take", take)
    customer = customer_on(database)
    tell(database, customer, "hello")
    channels = [OtherChannel(app.settings()), WebhookChannel(app.settings())]
    run_outbox(database, channels, lambda: states(database, customer) == ["sent"])


def test_a_dead_channel_costs_the_others_nothing(database: Database, app: Vendor) -> None:
    hanging = threading.Event()

    def hang(_: Mapping[str, Any]) -> Answer:
        hanging.wait()
        return Answer()

    with vendor(hang) as dead:
        for _ in range(20):
            tell(database, customer_on(database, "other"), "to nobody", channel="other")
        healthy = [customer_on(database) for _ in range(20)]
        for customer in healthy:
            tell(database, customer, "one", "two")
        channels = [OtherChannel(dead.settings()), WebhookChannel(app.settings())]

        def healthy_ones_are_through() -> bool:
            if set(states(database, *healthy)) != {"sent"} or dead.busy < 8:
                return False
            assert dead.most_at_once == dead.busy == 8  # still hanging, as many as allowed
            hanging.set()
            return True

        try:
            run_outbox(database, channels, healthy_ones_are_through)
        finally:
            hanging.set()
    assert len(app.received) == 40


# --- one sender, and what is left of a dead one


def test_of_two_outboxes_one_sends(database: Database, app: Vendor) -> None:
    for _ in range(10):
        tell(database, customer_on(database), "one", "two")

    async def both() -> None:
        boxes = [
            Outbox(database, [WebhookChannel(app.settings())], name, Nudges(NOWHERE), HELP)
            for name in ("first", "second")
        ]
        running = [asyncio.create_task(box.run()) for box in boxes]
        await so(lambda: set(states(database)) == {"sent"})
        with database.read() as session:
            assert session.get_one(ChannelLease, "webhook").token == 1
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    asyncio.run(both())
    assert len(app.received) == 20


def test_a_sender_that_stops_hands_the_channel_over_at_once(
    database: Database, app: Vendor
) -> None:
    tell(database, customer_on(database), "one")
    send_all(database, app, "first")
    assert leases.acquire(database, "webhook", "second", restarted=False) is not None


def test_a_worker_that_is_told_to_stop_lets_its_calls_end(
    database: Database, app: Vendor, valkey_url: str, tmp_path: Path
) -> None:
    tell(database, customer_on(database), "a tip", is_tip=True)
    arrived, answer = threading.Event(), threading.Event()

    def act(message: Mapping[str, Any]) -> Answer:
        arrived.set()
        answer.wait(timeout=10)
        return accept(message)

    app.act = act
    worker = subprocess.Popen(
        [sys.executable, "-m", "bot.worker"],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "REDIS_URL": valkey_url,
            "USHER_DATA_DIR": str(tmp_path / "data"),
            "USHER_METRICS_PORT": "0",
            "USHER_WEBHOOK_CHANNEL_URL": app.url,
            "USHER_WEBHOOK_CHANNEL_SECRET": SECRET,
        },
        stdout=subprocess.DEVNULL,
    )
    try:
        assert arrived.wait(timeout=60)
        worker.send_signal(signal.SIGTERM)
        answer.set()
        assert worker.wait(timeout=20) == 0
    finally:
        worker.kill()
    assert states(database) == ["sent"]
    assert leases.acquire(database, "webhook", "another", restarted=False) is not None


def test_a_lease_is_had_by_one_until_it_ends(database: Database) -> None:
    first = leases.acquire(database, "webhook", "first", restarted=True)
    assert first is not None
    assert first.is_ours()
    assert leases.acquire(database, "webhook", "second", restarted=True) is None
    expire_lease(database)
    second = leases.acquire(database, "webhook", "second", restarted=False)
    assert second is not None
    assert second.token > first.token
    with pytest.raises(leases.LeaseLost):
        leases.renew(database, first)
    leases.release(database, first)  # changes nothing
    leases.renew(database, second)


def test_a_lease_from_before_the_clock_was_put_back_does_not_last_for_hours(
    database: Database,
) -> None:
    leases.acquire(database, "webhook", "first", restarted=False)
    with database.write("test") as session:
        session.get_one(ChannelLease, "webhook").leased_until = now() + timedelta(hours=1)
    assert leases.acquire(database, "webhook", "second", restarted=False) is not None


def test_clocks_of_two_machines_may_differ_by_seconds(database: Database) -> None:
    leases.acquire(database, "webhook", "first", restarted=False)
    with database.write("test") as session:
        ahead = now() + leases.LEASE + timedelta(seconds=3)
        session.get_one(ChannelLease, "webhook").leased_until = ahead
    assert leases.acquire(database, "webhook", "second", restarted=False) is None


def test_a_delivery_put_off_before_the_clock_was_put_back_does_not_wait_for_hours(
    database: Database, app: Vendor
) -> None:
    (id_,) = tell(database, customer_on(database), "hello")
    change_delivery(database, id_, due_at=now() + timedelta(hours=1))
    send_all(database, app)
    assert app.texts == ["hello"]


def test_a_sender_that_was_taken_for_dead_writes_nothing(database: Database) -> None:
    reply, *_ = tell(database, customer_on(database), "a reply")
    tip, *_ = tell(database, customer_on(database), "a tip", is_tip=True)
    frozen = leases.acquire(database, "webhook", "frozen", restarted=False)
    assert frozen is not None
    assert len(attempts.take(database, frozen, 10, HELP)) == 2
    expire_lease(database)
    assert leases.acquire(database, "webhook", "second", restarted=False) is not None
    assert (delivery(database, reply).state, delivery(database, tip).state) == (
        "pending",
        "unknown",
    )
    with pytest.raises(leases.LeaseLost):
        attempts.finish(database, frozen, [Result(reply, State.SENT)])
    with pytest.raises(leases.LeaseLost):
        attempts.take(database, frozen, 10, HELP)
    assert delivery(database, reply).state == "pending"


def test_an_attempt_that_its_sender_never_knew_of_was_not_made(database: Database) -> None:
    reply, *_ = tell(database, customer_on(database), "a reply")
    tip, *_ = tell(database, customer_on(database), "a tip", is_tip=True)
    lease = leases.acquire(database, "webhook", "worker", restarted=False)
    assert lease is not None
    attempts.take(database, lease, 10, HELP)  # of a commit whose answer was lost
    attempts.withdraw(database, lease, [reply])
    assert (delivery(database, reply).state, delivery(database, reply).tries) == ("attempting", 1)
    assert (delivery(database, tip).state, delivery(database, tip).tries) == ("pending", 0)


def test_a_sender_that_cannot_renew_for_a_while_goes_on_when_nobody_has_taken_over(
    database: Database, app: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(sender, "PAUSE_AFTER_ERROR", 0.02)
    renewals = []

    def renew(database: Database, lease: leases.Lease) -> None:
        renewals.append(lease)
        if len(renewals) < 3:
            lease.ends_at = 0.0  # as if it were over
            raise Unavailable("The database does not answer.")
        original(database, lease)

    original = leases.renew
    monkeypatch.setattr(leases, "renew", renew)
    tip_to = customer_on(database)

    def act(message: Mapping[str, Any]) -> Answer:
        wait_until(lambda: len(renewals) >= 3)  # its call outlives the lease
        return accept(message)

    app.act = act
    tell(database, tip_to, "a tip", is_tip=True)
    run_outbox(database, app, lambda: states(database, tip_to) == ["sent"])
    assert app.texts == ["a tip"]
    with database.read() as session:
        assert session.get_one(ChannelLease, "webhook").token == 1


def test_an_outbox_that_lost_its_channel_stops_sending_on_it(
    database: Database, app: Vendor
) -> None:
    blocked, taken_over = threading.Event(), threading.Event()

    def act(message: Mapping[str, Any]) -> Answer:
        if message["text"] == "first":
            blocked.set()
            taken_over.wait(timeout=10)
        return accept(message)

    app.act = act
    customer = customer_on(database)
    first, second = tell(database, customer, "first", "second")
    results: list[leases.Lease | None] = []

    def take_over() -> None:
        blocked.wait(timeout=10)
        expire_lease(database)
        results.append(leases.acquire(database, "webhook", "other", restarted=False))
        taken_over.set()

    thread = threading.Thread(target=take_over)
    thread.start()
    run_outbox(
        database,
        app,
        # Its answer came, and was not written.
        lambda: bool(results) and app.busy == 0,
    )
    thread.join()
    assert results[0] is not None
    assert (delivery(database, first).state, delivery(database, second).state) == (
        "pending",
        "pending",
    )
    assert app.texts == ["first"]


ZYGOTE = """
import asyncio, os, sys
from bot.channels.webhook.sending import WebhookChannel
from bot.conversations.database import Database
from bot.conversations.nudges import Nudges
from bot.deliveries.outbox import Outbox
from bot.settings import load_settings
url, app, secret = sys.argv[1:]
settings = load_settings(
    _env_file=None, webhook_channel_url=app, webhook_channel_secret=secret
)
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        nudges = Nudges("redis://127.0.0.1:1/0")
        outbox = Outbox(Database(url), [WebhookChannel(settings)], "worker", nudges, "")
        asyncio.run(outbox.run())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.stderr)
"""

POINTS = [
    "channel_lease.before_commit",
    "channel_lease.after_commit",
    "delivery_attempt.before_commit",
    "delivery_attempt.after_commit",
    "delivery.before_send",
    "delivery.after_send",
    "delivery_result.before_commit",
    "delivery_result.after_commit",
]


def test_a_crash_at_any_point_loses_no_reply_and_doubles_no_tip(
    database: Database, app: Vendor, tmp_path: Path
) -> None:
    orders = tmp_path / "faults"
    orders.mkdir()
    url = database.engine.url.render_as_string(hide_password=False)
    with subprocess.Popen(
        [sys.executable, "-c", ZYGOTE, url, app.url, SECRET],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "USHER_FAULTS": str(orders), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as zygote:
        assert zygote.stdin is not None
        assert zygote.stderr is not None
        for point in POINTS:
            (orders / point).write_text("SIGKILL")
            reply_to, tip_to = customer_on(database), customer_on(database)
            tell(database, reply_to, f"reply {point}")
            tell(database, tip_to, f"tip {point}", is_tip=True)
            zygote.stdin.write("go\n")
            assert int(zygote.stderr.readline()) == -signal.SIGKILL
            send_all(database, app)  # under the same name: nobody waits for the lease to end
            assert states(database, reply_to) == ["sent"]
            assert 1 <= app.texts.count(f"reply {point}") <= 2
            (tip,) = states(database, tip_to)
            sent = app.texts.count(f"tip {point}")
            assert (tip, sent) in {("sent", 1), ("unknown", 1), ("unknown", 0)}
            if point.startswith(("channel_lease", "delivery_attempt.before")):
                assert tip == "sent"  # nothing had been begun
        zygote.stdin.close()


# --- any size


def test_what_is_due_is_found_by_the_indexes_alone(database: Database) -> None:
    customer = customer_on(database)
    tell(database, customer, *("hello",) * 3)
    _many_old_deliveries(database, 2_000)
    plan = _plan(database)
    assert "deliveries_to_send" in plan, plan
    assert "unfinished_deliveries" in plan, plan
    for table in ("deliveries", "messages", "earlier"):
        assert f"SCAN {table}" not in plan, plan
        assert f"Seq Scan on {table}" not in plan, plan


def _many_old_deliveries(database: Database, count: int) -> None:
    with database.write("test") as session:
        for start in range(count // 1000):
            customer, conversation = f"c{start}", f"v{start}"
            session.add(Customer(id=customer, language="en", last_seq=1000))
            session.flush()
            session.execute(
                text(
                    "INSERT INTO conversations (id, customer_id, channel, language, owner,"
                    " opened_at, last_message_at, tracker_seq, lease_token)"
                    " VALUES (:id, :customer, 'webhook', 'en', 'assistant', :at, :at, 0, 0)"
                ),
                {"id": conversation, "customer": customer, "at": now().replace(tzinfo=None)},
            )
            rows = [(f"m{start}.{seq}", seq) for seq in range(1, 1001)]
            session.execute(
                insert(Message),
                [
                    {
                        "id": id_,
                        "conversation_id": conversation,
                        "customer_id": customer,
                        "seq": seq,
                        "author": Author.ASSISTANT,
                        "text": "old",
                    }
                    for id_, seq in rows
                ],
            )
            session.execute(
                insert(Delivery),
                [
                    {
                        "id": f"d{id_}",
                        "message_id": id_,
                        "customer_id": customer,
                        "seq": seq,
                        "channel": "webhook",
                        "state": "sent",
                    }
                    for id_, seq in rows
                ],
            )


def _plan(database: Database) -> str:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    query = attempts.due("webhook", 8).compile(database.engine)
    with database.engine.connect() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql("ANALYZE")
        rows = connection.exec_driver_sql(explain + str(query), _parameters(database, query))
        return "\n".join(str(row[-1]) for row in rows)


def _parameters(database: Database, query: Any) -> Any:
    values = query.params
    if database.is_sqlite:
        return tuple(
            value.replace(tzinfo=None).isoformat(" ") if hasattr(value, "tzinfo") else value
            for value in (values[name] for name in query.positiontup)
        )
    return values


def test_an_outbox_without_channels_has_nothing_to_do(database: Database) -> None:
    asyncio.run(Outbox(database, [], "worker", Nudges(NOWHERE), HELP).run())
