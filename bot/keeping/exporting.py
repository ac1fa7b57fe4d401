"""Everything that Usher has of one customer, as JSON, written piece by piece.

Rows are as they are in the record, under the names of its tables and columns; only hashes of
tokens are left out. A page of rows is in memory at a time, however much there is.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, inspect, select, tuple_

from bot.conversations.database import Base, Database, now
from bot.conversations.tables import (
    Address,
    Conversation,
    Customer,
    Delivery,
    Judgement,
    Message,
    Remark,
    Turn,
    VisitorToken,
)
from bot.errors import NotFound, Unavailable
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.keeping.tables import Leftover
from bot.keeping.trackers import Trackers

PAGE = 500
"""Rows that are read at once."""
WITHHELD = {"token_hash"}
"""Columns that say nothing of the customer, and let in whoever can invert them."""


class Export:
    """One customer's export; what could not be had is in `missing` when it is written."""

    def __init__(self, database: Database, trackers: Trackers, customer_id: str) -> None:
        self._database = database
        self._trackers = trackers
        self._customer_id = customer_id
        self.missing: list[str] = []

    def chunks(self) -> Iterator[str]:
        """The JSON text, in pieces.

        Raises:
            NotFound: there is no such customer.
            Unavailable: the database does not answer; what was written so far is no JSON.
        """
        with self._database.read() as session:
            customer = session.get(Customer, self._customer_id)
        if customer is None:
            raise NotFound(f"There is no customer with the id {self._customer_id}.")
        yield f'{{\n"exported_at": {_json(now())},\n"customer": {_json(_row(customer))}'
        for name, kind, belongs in self._tables():
            yield f',\n"{name}": ['
            yield from _separated(_json(_row(each)) for each in self._rows(kind, belongs))
            yield "]"
        yield ',\n"trackers": {'
        with suppress(Unavailable):
            yield from _separated(self._written_trackers())
        yield "}\n}\n"

    def _tables(self) -> Iterator[tuple[str, type[Base], ColumnElement[bool]]]:
        """Every table that tells of customers, and which of its rows are this one's."""
        customer = self._customer_id
        conversations = select(Conversation.id).where(Conversation.customer_id == customer)
        mine: tuple[type[Any], ...] = (
            VisitorToken, Address, Conversation, Message, Delivery, Purchase, Enrolment, Step,
            Leftover,
        )  # fmt: skip
        for kind in mine:
            yield kind.__tablename__, kind, kind.customer_id == customer
        yield "turns", Turn, Turn.conversation_id.in_(conversations)
        yield "handoffs", Handoff, Handoff.conversation_id.in_(conversations)
        questions = select(Message.id).where(Message.customer_id == customer)
        yield "judgements", Judgement, Judgement.question_id.in_(questions)
        yield "remarks", Remark, Remark.message_id.in_(questions)

    def _rows(self, kind: type[Base], belongs: ColumnElement[bool]) -> Iterator[Base]:
        """A table's rows; each page is read for itself: a slow reader keeps nobody waiting."""
        keys: Any = _order(kind)
        after: ColumnElement[bool] | None = None
        while True:
            wanted: Select[Any] = select(kind).where(belongs).order_by(*keys).limit(PAGE)
            with self._database.read() as session:
                page = session.scalars(wanted if after is None else wanted.where(after)).all()
            yield from page
            if len(page) < PAGE:
                return
            after = _behind(keys, page[-1])

    def _written_trackers(self) -> Iterator[str]:
        belongs = Conversation.customer_id == self._customer_id
        for conversation in self._rows(Conversation, belongs):
            assert isinstance(conversation, Conversation)
            try:
                tracker = self._trackers.read(conversation.id)
            except Unavailable as problem:
                self.missing.append(f"trackers: {problem}")
                raise
            if tracker is not None:
                yield f"{_json(conversation.id)}: {_json(tracker)}"


def _order(kind: type[Base]) -> tuple[Any, ...]:
    """Columns that order a table's rows of one customer, each place once."""
    if kind is Turn:
        return Turn.conversation_id, Turn.last_seq, Turn.id
    if kind in {Message, Delivery}:
        return (kind.seq,)
    return tuple(getattr(kind, str(column.key)) for column in inspect(kind).primary_key)


def _behind(keys: tuple[Any, ...], last: Base) -> ColumnElement[bool]:
    values = [getattr(last, key.key) for key in keys]
    return tuple_(*keys) > tuple_(*values)


def _row(row: Base) -> dict[str, Any]:
    columns = inspect(type(row)).columns
    return {key: getattr(row, key) for key in columns.keys() if key not in WITHHELD}  # noqa: SIM118


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()


def _separated(pieces: Iterable[str]) -> Iterator[str]:
    for number, piece in enumerate(pieces):
        yield ",\n" if number else "\n"
        yield piece
