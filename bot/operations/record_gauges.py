"""Gauges read from the record when somebody scrapes the gateway's metrics.

What waits is the same for every process, so one kind of process tells it. Only what has an
index is counted, and not more often than every few seconds, however many scrape.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import ChannelLease, Delivery, Message, Turn
from bot.errors import Unavailable
from bot.handoff.tables import Handoff

KEPT_SECONDS = 5.0

_NAMES = {
    "usher_record_up": "1 when the database answers.",
    "usher_dead_letters": "Turns that were given up and wait for an operator.",
    "usher_pending_messages": "Customers' messages that wait for the end of their turn.",
    "usher_pending_oldest_seconds": "Age of the oldest of them.",
    "usher_handoffs": "Conversations that wait for an agent, or that one has.",
    "usher_handoff_oldest_waiting_seconds": "How long the longest waits for an agent.",
    "usher_deliveries_waiting": "Deliveries that are not sent yet; of web pages none is sent.",
    "usher_deliveries_overdue_seconds": "How long the next of them could have been sent.",
}


class RecordGauges(Collector):
    """Told anew at a scrape, unless it was done a moment ago."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._at = -KEPT_SECONDS
        self._told: Sequence[GaugeMetricFamily] = ()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The names alone, so that registering asks no database."""
        return [GaugeMetricFamily(name, about) for name, about in _NAMES.items()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        with self._lock:
            if monotonic() - self._at >= KEPT_SECONDS:
                self._told, self._at = self._look(), monotonic()
            told = self._told
        yield from told

    def _look(self) -> Sequence[GaugeMetricFamily]:
        try:
            with self._database.read() as session:
                return [_gauge("usher_record_up", 1), *_waiting(session), *_deliveries(session)]
        except Unavailable:
            return [_gauge("usher_record_up", 0)]


def _waiting(session: Session) -> Iterator[GaugeMetricFamily]:
    # Conditions are written out: for a parameter neither database takes a partial index.
    dead = select(func.count()).select_from(Turn).where(text("state = 'dead'"))
    yield _gauge("usher_dead_letters", session.scalars(dead).one())
    pending = select(func.count(), func.min(Message.created_at)).where(Message.pending)
    count, oldest = session.execute(pending).one()
    yield _gauge("usher_pending_messages", count)
    yield _gauge("usher_pending_oldest_seconds", _age(oldest))
    waiting, first = _handoffs(session, claimed=False)
    handoffs = GaugeMetricFamily("usher_handoffs", _NAMES["usher_handoffs"], labels=["state"])
    handoffs.add_metric([Owner.WAITING], waiting)
    handoffs.add_metric([Owner.AGENT], _handoffs(session, claimed=True)[0])
    yield handoffs
    yield _gauge("usher_handoff_oldest_waiting_seconds", _age(first))


def _handoffs(session: Session, *, claimed: bool) -> tuple[int, datetime | None]:
    """How many are open, and since when the first of them."""
    has_agent = Handoff.agent_id.is_not(None) if claimed else Handoff.agent_id.is_(None)
    wanted = select(func.count(), func.min(Handoff.requested_at)).where(
        Handoff.resolved_at.is_(None), has_agent
    )
    count, first = session.execute(wanted).one()
    return count, first


def _deliveries(session: Session) -> Iterator[GaugeMetricFamily]:
    """Of the channels that are sent to; a web page may stay away for ever."""
    names = ("usher_deliveries_waiting", "usher_deliveries_overdue_seconds")
    waiting, overdue = (GaugeMetricFamily(name, _NAMES[name], labels=["channel"]) for name in names)
    for channel in session.scalars(select(ChannelLease.channel)).all():
        count, first = session.execute(
            select(func.count(), func.min(Delivery.due_at)).where(
                text("state IN ('pending', 'attempting')"), Delivery.channel == channel
            )
        ).one()
        waiting.add_metric([channel], count)
        overdue.add_metric([channel], _age(first))
    yield from (waiting, overdue)


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, _NAMES[name], value=value)


def _age(since: Any) -> float:
    """Seconds; 0 when nothing waits."""
    return max(0.0, (now() - since).total_seconds()) if isinstance(since, datetime) else 0.0
