"""Who owns a conversation: one pure state machine, the only place that decides it.

    assistant ──request──▶ waiting ──claim──▶ agent ──resolve──▶ assistant
        │                     │                 │
        └───────────────close─┴─────────────────┘──▶ closed

The assistant speaks only while it is the owner, and to those who wait about what `LISTENS` says.
"""

from enum import StrEnum

from bot.errors import Conflict


class Owner(StrEnum):
    """Who answers the customer's next message."""

    ASSISTANT = "assistant"
    WAITING = "waiting"
    AGENT = "agent"
    CLOSED = "closed"


LISTENS = frozenset({Owner.ASSISTANT, Owner.WAITING})
"""Owners for whom the assistant takes turns. While a customer waits, it lets them leave the queue,
hears of danger and of who needs no human any more; everything else is the human's."""


class Act(StrEnum):
    """What moves a conversation from one owner to the next."""

    REQUEST = "request"
    CLAIM = "claim"
    RELEASE = "release"
    RESOLVE = "resolve"
    CLOSE = "close"


_NEXT = {
    (Owner.ASSISTANT, Act.REQUEST): Owner.WAITING,
    (Owner.WAITING, Act.CLAIM): Owner.AGENT,
    (Owner.AGENT, Act.RELEASE): Owner.WAITING,
    (Owner.AGENT, Act.RESOLVE): Owner.ASSISTANT,
    (Owner.WAITING, Act.RESOLVE): Owner.ASSISTANT,
    (Owner.ASSISTANT, Act.CLOSE): Owner.CLOSED,
    (Owner.WAITING, Act.CLOSE): Owner.CLOSED,
    (Owner.AGENT, Act.CLOSE): Owner.CLOSED,
}


def after(owner: Owner, act: Act) -> Owner:
    """The owner after an act.

    Raises:
        Conflict: the act is not possible now, for example a second claim.
    """
    try:
        return _NEXT[owner, act]
    except KeyError:
        raise Conflict(f"A conversation that is with '{owner}' cannot be '{act}'ed.") from None
