"""When a channel may be called: the vendor's limits, and a pause when it does not answer."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

BASE_SECONDS = 1.0
MAX_SECONDS = 300.0

Clock = Callable[[], float]


def backoff(tries: int) -> float:
    """Seconds until the next try: exponential, with full jitter.

    "Full jitter" is what spreads many waiting senders best; see
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Args:
        tries: so far, at least 1.
    """
    return random.uniform(0, min(MAX_SECONDS, BASE_SECONDS * 2.0 ** min(tries - 1, 20)))  # noqa: S311


class TokenBucket:
    """So many calls in a second on average; after a pause as many as one second's at once."""

    def __init__(self, per_second: float, clock: Clock = monotonic) -> None:
        self._rate = per_second
        self._size = max(1.0, per_second)
        self._clock = clock
        self._tokens = self._size
        self._filled_at = clock()

    def available(self) -> int:
        """Calls that may be made now."""
        at = self._clock()
        self._tokens = min(self._size, self._tokens + (at - self._filled_at) * self._rate)
        self._filled_at = at
        return int(self._tokens)

    def spend(self, calls: int) -> None:
        self._tokens -= calls

    def wait(self) -> float:
        """Seconds until there is one more."""
        return max(0.0, (1.0 - self._tokens) / self._rate)


class CircuitState(StrEnum):
    CLOSED = "closed"
    """The channel works."""
    OPEN = "open"
    """It does not: nothing is sent."""
    HALF_OPEN = "half_open"
    """One delivery finds out whether it works again."""


@dataclass(frozen=True)
class Permit:
    """One call that the circuit has allowed."""

    period: int
    """Only calls of the circuit's present period decide about it."""


class Circuit:
    """Keeps a dead channel from using up tries, connections and time.

    It opens after so many failures in a row; after a pause that grows each time, one call
    finds out whether the channel works again.
    """

    FAILURES = 5
    FIRST_PAUSE = 1.0
    LONGEST_PAUSE = 60.0

    def __init__(self, clock: Clock = monotonic) -> None:
        self._clock = clock
        self.state = CircuitState.CLOSED
        self._failures = 0
        self._pause = self.FIRST_PAUSE
        self._opens_at = 0.0
        self._period = 0
        self._probing = False

    def room(self, wanted: int) -> int:
        """How many calls of those wanted may be made now."""
        if self.wait() > 0:
            return 0
        if self.state is CircuitState.OPEN:
            self._enter(CircuitState.HALF_OPEN)
        if self.state is CircuitState.HALF_OPEN:
            return 0 if self._probing else min(1, wanted)
        return wanted

    def wait(self) -> float:
        """Seconds until calls may be made again."""
        return max(0.0, self._opens_at - self._clock())

    def permit(self) -> Permit:
        """Count a call that `room` has allowed."""
        self._probing = self.state is CircuitState.HALF_OPEN
        return Permit(self._period)

    def succeeded(self, permit: Permit) -> None:
        """The vendor has answered, whatever it said."""
        if permit.period != self._period:
            return
        self._failures = 0
        if self.state is CircuitState.HALF_OPEN:
            self._pause = self.FIRST_PAUSE
            self._enter(CircuitState.CLOSED)

    def failed(self, permit: Permit) -> bool:
        """The vendor has not answered.

        Returns:
            Whether the channel as a whole seems not to work.
        """
        if permit.period != self._period:
            return True
        self._failures += 1
        if self.state is CircuitState.HALF_OPEN or self._failures >= self.FAILURES:
            self._opens_at = self._clock() + self._pause
            self._pause = min(self.LONGEST_PAUSE, self._pause * 2)
            self._enter(CircuitState.OPEN)
            return True
        return False

    def withdrawn(self, permit: Permit) -> None:
        """The call was not made, or nobody waited for its end."""
        if permit.period == self._period:
            self._probing = False

    def hold(self, seconds: float) -> None:
        """The vendor asks for a pause."""
        self._opens_at = max(self._opens_at, self._clock() + seconds)

    def _enter(self, state: CircuitState) -> None:
        self.state = state
        self._failures = 0
        self._probing = False
        self._period += 1
