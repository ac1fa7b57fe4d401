"""Named points at which the crash test ends or freezes processes; nothing in production.

`USHER_FAULTS` names a folder. A file in it that is called like a point is an order, carried
out once by the first process that gets there: its text is a signal, and optionally the
process that is to have it instead (`SIGKILL`, `SIGSTOP 4711`).
"""

import os
import signal
from pathlib import Path

_FOLDER = os.environ.get("USHER_FAULTS", "")


def point(name: str) -> None:
    """A moment between two steps at which a crash must lose nothing."""
    if _FOLDER:
        _carry_out(Path(_FOLDER) / name)


def _carry_out(order: Path) -> None:
    mine = order.with_name(f".{order.name}.{os.getpid()}")
    try:
        order.rename(mine)  # of two processes only one gets it
        name, _, pid = mine.read_text().strip().partition(" ")
        mine.unlink()
    except FileNotFoundError:
        return
    try:
        os.kill(int(pid or os.getpid()), signal.Signals[name])
    except ProcessLookupError:
        return
