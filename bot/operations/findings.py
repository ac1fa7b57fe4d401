"""What `usher doctor` finds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One checked thing."""

    name: str
    ok: bool
    detail: str
    """What was found."""
    fix: str = ""
    """What to do, when it is not as it should be."""
    blocks: bool = True
    """Whether Usher cannot start before it is done."""
