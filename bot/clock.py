"""The time by which Usher plans: it does not jump when the machine's clock does.

A process reads the machine's clock once and then counts on from there. A clock that is put
forward or back by an hour so makes nothing early and nothing twice. Small corrections, as
time servers make them, are followed.
"""

import time
from datetime import UTC, datetime

import structlog

log = structlog.get_logger()

JUMP_SECONDS = 2.0
"""What is more than this at once is a jump, not a correction."""


def elapsed() -> float:
    """Seconds on a clock that nobody sets, and that also runs while the machine is suspended."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boottime is None else time.clock_gettime(boottime)


class Clock:
    """Wall time that only ever runs on."""

    def __init__(self) -> None:
        self._offset = time.time() - elapsed()
        self._jumped = 0.0

    def now(self) -> datetime:
        """The time in UTC."""
        counted = elapsed()
        offset = time.time() - counted
        jump = offset - self._offset
        if abs(jump) <= JUMP_SECONDS:
            self._offset = offset
        elif abs(jump - self._jumped) > JUMP_SECONDS:
            self._jumped = jump
            log.warning("the machine's clock has jumped; it is followed after a restart", by=jump)
        return datetime.fromtimestamp(counted + self._offset, UTC)


_clock = Clock()


def now() -> datetime:
    """The time in UTC, by this process's clock."""
    return _clock.now()
