"""Agents, their sessions, and the handoffs that they work off."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversations.database import Base, UtcDateTime, now
from bot.conversations.tables import new_id


class Agent(Base):
    """A human who answers customers."""

    __tablename__ = "agents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    password_hash: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class AgentSession(Base):
    """A signed-in browser; only the token's hash is kept."""

    __tablename__ = "agent_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    agent_id: Mapped[str] = mapped_column(ForeignKey("agents.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Handoff(Base):
    """One request for a human, from the asking to the resolving."""

    __tablename__ = "handoffs"
    __table_args__ = (
        Index(
            "one_open_handoff",
            "conversation_id",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        Index("handoffs_of_conversation", "conversation_id", "requested_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    reason: Mapped[str] = mapped_column(String(32))
    is_urgent: Mapped[bool] = mapped_column(default=False)
    """It goes before what has waited for longer."""
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    """The articles that the assistant had in mind."""
    question_id: Mapped[str | None] = mapped_column(String(32))
    """The customer's message that the candidates are for; none when nothing was asked."""
    requested_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    agent_id: Mapped[str | None] = mapped_column(ForeignKey("agents.id"))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
