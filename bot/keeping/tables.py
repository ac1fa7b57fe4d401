"""What is still to be done after conversations were removed."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from bot.conversations.database import Base, UtcDateTime, now


class Leftover(Base):
    """A removed conversation that Redis may still have a tracker of.

    Written in the transaction that removes the conversation, and itself removed when the
    tracker is certainly gone. It refers to nothing: what it names is not there any more.
    """

    __tablename__ = "leftovers"

    conversation_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(32), index=True)
    removed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    is_erasure: Mapped[bool] = mapped_column(default=False)
    """Its customer is to be forgotten, not only the conversation."""
