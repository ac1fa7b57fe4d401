"""Conversations on a channel, their deliveries, and outboxes that run until something is so."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from bot.channels.base import Channel
from bot.channels.webhook.sending import WebhookChannel
from bot.conversations.database import Database, now
from bot.conversations.nudges import Nudges
from bot.conversations.tables import Address, ChannelLease, Delivery
from bot.conversations.timeline import append, lock_customer, open_conversation
from bot.deliveries.outbox import Outbox
from bot.messages import Author
from tests.scenes import SILENCE, new_customer
from tests.vendor import Vendor

HELP = "https://shop.example/help"
NOWHERE = "redis://127.0.0.1:1/0"
"""Nudges are not needed: what is in the database is found without them."""
PATIENCE = 20


class OtherChannel(WebhookChannel):
    """A second channel beside the first."""

    name = "other"


def customer_on(database: Database, channel: str = "webhook", address: str = "") -> str:
    """A customer who is reached on a channel."""
    customer = new_customer(database)
    with database.write("test") as session:
        session.add(Address(channel=channel, address=address or uuid4().hex, customer_id=customer))
    return customer


def tell(
    database: Database,
    customer_id: str,
    *texts: str,
    channel: str = "webhook",
    is_tip: bool = False,
    **columns: Any,
) -> list[str]:
    """Write messages to a customer; the ids of their deliveries."""
    with database.write("test") as session:
        customer = lock_customer(session, customer_id)
        conversation = open_conversation(session, customer, SILENCE, channel)
        for text in texts:
            append(
                session,
                customer,
                conversation,
                Author.ASSISTANT,
                text,
                is_tip=is_tip,
                **columns,
            )
        session.flush()
        newest = (
            select(Delivery.id)
            .where(Delivery.customer_id == customer_id)
            .order_by(Delivery.seq.desc())
            .limit(len(texts))
        )
        return list(session.scalars(newest))[::-1]


def deliveries(database: Database, *customer_ids: str) -> Sequence[Delivery]:
    """In the order of what customers see."""
    wanted = select(Delivery).order_by(Delivery.customer_id, Delivery.seq)
    if customer_ids:
        wanted = wanted.where(Delivery.customer_id.in_(customer_ids))
    with database.read() as session:
        return session.scalars(wanted).all()


def states(database: Database, *customer_ids: str) -> list[str]:
    return [each.state for each in deliveries(database, *customer_ids)]


def delivery(database: Database, delivery_id: str) -> Delivery:
    with database.read() as session:
        return session.get_one(Delivery, delivery_id)


def change_delivery(database: Database, delivery_id: str, **columns: object) -> None:
    with database.write("test") as session:
        found = session.get_one(Delivery, delivery_id)
        for name, value in columns.items():
            setattr(found, name, value)


def expire_lease(database: Database, channel: str = "webhook") -> None:
    """As if its sender had been frozen for longer than a lease."""
    with database.write("test") as session:
        session.get_one(ChannelLease, channel).leased_until = now() - timedelta(seconds=1)


def run_outbox(
    database: Database,
    channels: Sequence[Channel] | Vendor,
    until: Callable[[], bool],
    worker: str = "worker",
) -> None:
    """Send until something is so, then stop as a worker stops."""
    if isinstance(channels, Vendor):
        channels = [WebhookChannel(channels.settings())]
    asyncio.run(_run(Outbox(database, channels, worker, Nudges(NOWHERE), HELP), until))


async def _run(outbox: Outbox, until: Callable[[], bool]) -> None:
    sending = asyncio.create_task(outbox.run())
    try:
        await so(lambda: until() or sending.done())
        assert not sending.done(), sending
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def so(what: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not await asyncio.to_thread(what):  # noqa: ASYNC110  only the database knows
            await asyncio.sleep(0.01)
