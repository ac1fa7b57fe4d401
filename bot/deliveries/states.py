"""What can become of a delivery."""

from collections.abc import Mapping
from enum import StrEnum


class State(StrEnum):
    """How far a delivery is."""

    PENDING = "pending"
    ATTEMPTING = "attempting"
    """Committed before the channel is called: after a crash nobody knows how far that got."""
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    """Certainly not brought to the customer, and not tried any more."""
    UNKNOWN = "unknown"
    """A tip that may have been sent, or not; never tried again."""


_ON_THE_WAY = frozenset({State.PENDING, State.ATTEMPTING, State.SENT, State.UNKNOWN})

REPORTS: Mapping[State, frozenset[State]] = {
    State.DELIVERED: _ON_THE_WAY,
    State.READ: _ON_THE_WAY | {State.DELIVERED},
    State.FAILED: _ON_THE_WAY,
}
"""What a vendor may report, and in which states that is news. Everything else came too late:
vendors repeat their reports, and in any order. Of a pending delivery an earlier try, whose
answer was lost, may have arrived."""
