"""What a channel is to the outbox: a way to send, limits, and four ways to fail."""

from dataclasses import dataclass
from typing import Protocol

from bot.errors import UsherError
from bot.messages import Button


@dataclass(frozen=True)
class SourceLink:
    """The article that a message was taken from, as a link that works everywhere."""

    title: str
    url: str


@dataclass(frozen=True)
class Outgoing:
    """One message as it is given to a channel."""

    delivery_id: str
    """The same on every try: by it the vendor knows a message that it has already got."""
    seq: int
    """The message's number in what the customer sees; grows, but not by one on each channel."""
    author: str
    """`assistant`, `agent` or `system`."""
    text: str
    buttons: tuple[Button, ...]
    sources: tuple[SourceLink, ...]
    language: str
    """Of the conversation, for what the channel itself says, and for right-to-left text."""


@dataclass(frozen=True)
class Limits:
    """How fast a vendor may be sent to, by the whole fleet together."""

    per_second: float
    """Messages on average; after a pause as many as one second's at once, at least one."""
    at_once: int
    """Calls under way at the same time."""


class Refused(UsherError):
    """The vendor will never take this message: trying again is of no use."""

    code = "refused"


class Busy(UsherError):
    """The vendor took nothing and asks for a pause."""

    code = "busy"

    def __init__(self, message: str, retry_after: float) -> None:
        """
        Args:
            retry_after: seconds.
        """
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(UsherError):
    """The vendor has certainly not got the message."""

    code = "unreachable"


class Uncertain(UsherError):
    """The vendor may have got the message, or not: no answer, or one that does not tell."""

    code = "uncertain"


class Channel(Protocol):
    """A way to send messages."""

    @property
    def name(self) -> str:
        """As in `deliveries.channel`; at most 32 characters."""

    @property
    def limits(self) -> Limits: ...

    async def send(self, address: str, outgoing: Outgoing) -> str | None:
        """Send one message.

        Args:
            address: the customer's id at the vendor.

        Returns:
            The vendor's id of the message, if it gives one.

        Raises:
            Refused, Busy, Unreachable: as they say. Whatever else is raised counts as
                `Uncertain`.
        """

    async def close(self) -> None: ...
