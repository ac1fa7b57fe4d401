"""Purchase events come in: verified, recorded once, and turned into enrolments."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.customers import known_customer
from bot.conversations.database import Database
from bot.conversations.timeline import lock_customer
from bot.errors import InvalidInput
from bot.journeys.definitions import Journey
from bot.journeys.tables import Enrolment, Purchase, Step
from bot.languages import LANGUAGE_PATTERN

MAX_BODY_BYTES = 256 * 1024
MAX_PURCHASES = 20
"""Of a customer, so many on average are looked at for what they own."""

_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores every character but this one."""
_Id = Annotated[str, Field(min_length=1, max_length=255, pattern=_NO_NUL)]


class _Customer(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: Annotated[str, Field(max_length=255, pattern=_NO_NUL)] = ""
    visitor_id: Annotated[str, Field(max_length=64, pattern=_NO_NUL)] = ""
    language: Annotated[str, Field(pattern=LANGUAGE_PATTERN)] | None = None


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore")
    event_id: _Id
    order_id: _Id
    customer: _Customer
    products: Annotated[list[_Id], Field(min_length=1, max_length=100)]
    purchased_at: AwareDatetime | None = None


@dataclass(frozen=True)
class PurchaseEvent:
    """A purchase as any shop's webhook tells it."""

    source: str
    event_id: str
    order_id: str
    customer_external_id: str
    """The shop's id of the customer; may be empty when `visitor_id` is not."""
    visitor_id: str
    """The chat visitor who bought, when the shop knows."""
    language: str | None
    products: tuple[str, ...]
    purchased_at: datetime


def parse_generic(body: bytes, source: str = "generic") -> PurchaseEvent:
    """The event of a verified body.

    Raises:
        InvalidInput: names the key and what was expected.
    """
    try:
        event = _Event.model_validate(json.loads(body))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "body"
            raise InvalidInput(f"{where}: {first['msg']}") from error
        raise InvalidInput("The body is not valid JSON.") from error
    if not event.customer.id and not event.customer.visitor_id:
        raise InvalidInput("customer: 'id' or 'visitor_id' is needed.")
    return PurchaseEvent(
        source=source,
        event_id=event.event_id,
        order_id=event.order_id,
        customer_external_id=event.customer.id,
        visitor_id=event.customer.visitor_id,
        language=event.customer.language,
        products=tuple(dict.fromkeys(event.products)),
        purchased_at=event.purchased_at or datetime.now(UTC),
    )


def record(
    database: Database, event: PurchaseEvent, journeys: Sequence[Journey], default_language: str
) -> tuple[Purchase, bool]:
    """Record an event and enrol its customer; the same event again changes nothing.

    Returns:
        The purchase, and whether it is new.
    """
    with database.write("purchase") as session:
        customer = known_customer(
            session,
            external_id=event.customer_external_id or None,
            visitor_id=event.visitor_id or None,
            language=event.language or default_language,
        )
        customer = lock_customer(session, customer.id)
        known = session.scalars(
            select(Purchase).where(
                Purchase.source == event.source, Purchase.event_id == event.event_id
            )
        ).one_or_none()
        if known is not None:
            return known, False
        purchase = Purchase(
            source=event.source,
            event_id=event.event_id,
            order_id=event.order_id,
            customer_id=customer.id,
            products=list(event.products),
            purchased_at=event.purchased_at,
        )
        session.add(purchase)
        for journey in journeys:
            if journey.product in event.products:
                _enrol(session, journey, purchase)
        return purchase, True


def _enrol(session: Session, journey: Journey, purchase: Purchase) -> None:
    entered = session.scalars(
        select(Enrolment.id).where(
            Enrolment.journey == journey.name,
            Enrolment.customer_id == purchase.customer_id,
            Enrolment.order_id == purchase.order_id,
        )
    ).first()
    if entered is not None:
        return
    enrolment = Enrolment(
        journey=journey.name,
        version=journey.version,
        customer_id=purchase.customer_id,
        order_id=purchase.order_id,
    )
    session.add(enrolment)
    session.flush()
    due_at = purchase.purchased_at
    for number, step in enumerate(journey.steps, start=1):
        due_at += step.wait
        session.add(
            Step(
                enrolment_id=enrolment.id,
                customer_id=purchase.customer_id,
                number=number,
                texts=step.texts,
                context={"asks": "tip_check", "product": journey.product, "help": step.help},
                due_at=due_at,
            )
        )


def products_of(session: Session, customer_ids: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """What each customer has bought, the latest first, of the last few purchases."""
    ids = list(customer_ids)
    bought: dict[str, dict[str, None]] = {each: {} for each in ids}
    purchases = (
        select(Purchase.customer_id, Purchase.products)
        .where(Purchase.customer_id.in_(ids))
        .order_by(Purchase.purchased_at.desc())
        .limit(MAX_PURCHASES * len(ids))
    )
    for customer_id, products in session.execute(purchases):
        bought[customer_id] |= dict.fromkeys(products)
    return {customer_id: tuple(products) for customer_id, products in bought.items()}
