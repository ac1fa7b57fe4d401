"""What those outside saw and were promised: the evidence that the record is held against."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Acknowledgement:
    """What a 202 said of a message."""

    message_id: str
    conversation_id: str
    seq: int


@dataclass
class Said:
    """One message of a customer."""

    client_message_id: str
    text: str
    moment: int
    """Messages of one moment are written side by side; a later moment's come after them."""
    acknowledged: set[Acknowledgement] = field(default_factory=set)
    """Every different one: more than one is a fault."""


@dataclass(frozen=True)
class Seen:
    """A message as it was shown."""

    seq: int
    author: str
    text: str


@dataclass
class Diary:
    """Everything that one customer wrote, saw and bought."""

    name: str
    channel: str = "web_chat"
    customer_id: str = ""
    said: list[Said] = field(default_factory=list)
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    """By connection, in the order in which it was shown."""
    purchases: list[str] = field(default_factory=list)
    """Event ids that were answered with 202 or 200."""

    @property
    def progress(self) -> int:
        """Grows with every acknowledgement, and with everything that is shown."""
        acknowledged = sum(bool(each.acknowledged) for each in self.said)
        return acknowledged + sum(len(shown) for shown in self.seen.values())

    def heard_after(self, seq: int) -> bool:
        """Whether any connection has shown something of the other side after a message."""
        return any(
            shown
            and shown[-1].seq > seq
            and any(each.seq > seq and each.author != "customer" for each in reversed(shown))
            for shown in self.seen.values()
        )

    def show(self, connection: str, messages: list[dict[str, Any]]) -> None:
        self.seen[connection] += [
            Seen(each["seq"], each["author"], each["text"]) for each in messages
        ]


@dataclass
class AgentsDiary:
    """What the agent wrote: text by the conversation and the client's id, once acknowledged."""

    replies: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Refusals:
    """Answers that a retry would not have mended; each is a fault."""

    found: list[str] = field(default_factory=list)
