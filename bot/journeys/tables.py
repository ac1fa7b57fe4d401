"""Purchases, enrolments in journeys, and the steps that fall due."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversations.database import Base, UtcDateTime, now
from bot.conversations.tables import new_id


class Purchase(Base):
    """A purchase event, recorded once for each source and event id."""

    __tablename__ = "purchases"
    __table_args__ = (UniqueConstraint("source", "event_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    source: Mapped[str] = mapped_column(String(64))
    event_id: Mapped[str] = mapped_column(String(255))
    order_id: Mapped[str] = mapped_column(String(255))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    products: Mapped[list[str]] = mapped_column(JSON)
    purchased_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Enrolment(Base):
    """A customer on a journey; one for each order and journey."""

    __tablename__ = "enrolments"
    __table_args__ = (UniqueConstraint("journey", "customer_id", "order_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    journey: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(16))
    """Of the journey's file when the customer entered."""
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    order_id: Mapped[str] = mapped_column(String(255))
    entered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Step(Base):
    """A tip with the time at which it falls due; its words are fixed at entry."""

    __tablename__ = "steps"
    __table_args__ = (
        Index("due_steps", "state", "due_at"),
        Index("steps_of_enrolment", "enrolment_id", "number"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    enrolment_id: Mapped[str] = mapped_column(ForeignKey("enrolments.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    number: Mapped[int]
    texts: Mapped[dict[str, str]] = mapped_column(JSON)
    context: Mapped[dict[str, Any]] = mapped_column(JSON)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(16), default="due")
    """`due`, `sent` or `expired`."""
    message_id: Mapped[str | None] = mapped_column(ForeignKey("messages.id"), index=True)
