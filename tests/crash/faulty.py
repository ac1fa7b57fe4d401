"""Usher broken on purpose: the crash test has to find each of these, or it finds nothing.

Every function is called by gateways and workers before they start and puts a mistake that
people really make in the place of what Usher does.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from bot.conversations import intake
from bot.conversations.database import Database, now
from bot.conversations.intake import Accepted, Incoming
from bot.conversations.tables import Conversation, Delivery, Message
from bot.conversations.timeline import append_reply, lock_customers
from bot.deliveries import leases as channel_leases
from bot.errors import UsherError
from bot.faults import point
from bot.turns import beginning, ending
from bot.turns.ending import Finished
from bot.turns.leases import LeaseLost

COMMITS_LATE_SECONDS = 0.03
SHOWN_AT: Mapping[str, tuple[str, ...]] = {
    "acknowledge_early": ("intake.before_commit",),
    "forget_ids": ("intake.after_commit", "gateway.answered"),
    "commit_replies_apart": ("replies.after_commit",),
    "take_the_newest_first": ("call.webhooks.usher.turn.before_send",),
    "repeat_tips": ("delivery.after_send",),
}
"""The points at which a crash makes each mistake show."""


def acknowledge_early() -> None:
    """The 202 goes out before the message is committed."""
    honest = Database.write

    def commit_later(session: Session) -> None:
        time.sleep(COMMITS_LATE_SECONDS)
        point("intake.before_commit")
        with session:
            session.commit()
        point("intake.after_commit")

    @contextmanager
    def write(self: Database, name: str) -> Iterator[Session]:
        if name != "intake":
            with honest(self, name) as session:
                yield session
            return
        session = Session(self._writing, expire_on_commit=False)
        try:
            yield session
            session.flush()
        except BaseException:
            session.close()
            raise
        threading.Thread(target=commit_later, args=(session,)).start()

    Database.write = write  # type: ignore[method-assign]


def forget_ids() -> None:
    """A message that is sent again is a new one."""
    honest = intake.accept_all

    def accept_all(
        database: Database, messages: Sequence[Incoming], silence: timedelta
    ) -> Sequence[Accepted | UsherError]:
        keys = [each.key for each in messages]
        with database.read() as session:
            known = select(Message.client_message_id).where(Message.client_message_id.in_(keys))
            again = set(session.scalars(known))
        unlike = [
            replace(each, key=f"{each.key}#{uuid4().hex[:8]}") if each.key in again else each
            for each in messages
        ]
        return honest(database, unlike, silence)

    intake.accept_all = accept_all


def commit_replies_apart() -> None:
    """Replies are committed first, and the end of the turn after them."""
    honest = ending.complete_all

    def complete_all(
        database: Database, finished: Sequence[Finished]
    ) -> Sequence[Finished | LeaseLost]:
        with database.write("replies") as session:
            customers = lock_customers(session, (each.work.customer_id for each in finished))
            for each in finished:
                conversation = session.get_one(Conversation, each.work.lease.conversation_id)
                message = session.get_one(Message, each.work.message_id)
                customer = customers[each.work.customer_id]
                for reply in each.result.replies:
                    append_reply(session, customer, conversation, reply, answers=message)
        return honest(
            database, [replace(each, result=replace(each.result, replies=())) for each in finished]
        )

    ending.complete_all = complete_all


def take_the_newest_first() -> None:
    """Of what is waiting, a turn takes the last message."""

    def newest(waiting: Sequence[Message]) -> list[Message]:
        return list(waiting[-1:])

    beginning._fitting = newest


def repeat_tips() -> None:
    """What was being sent when a sender died is sent again, tips too."""

    def take_over(session: Session, channel: str) -> None:
        session.execute(
            update(Delivery)
            .where(Delivery.channel == channel, Delivery.state == "attempting")
            .values(state="pending", due_at=now())
            .execution_options(synchronize_session=False)
        )

    channel_leases._take_over = take_over
