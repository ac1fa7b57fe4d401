"""The outbox: everything that customers are told on channels that have to be sent to.

Each channel has a sender of its own, so that one that does not answer costs the others
nothing.
"""

import asyncio
from collections.abc import Sequence

from bot.channels.base import Channel
from bot.conversations.database import Database
from bot.conversations.nudges import Nudges
from bot.deliveries.sender import Sender


class Outbox:
    """The senders of all channels; of several workers' outboxes one sends on each channel."""

    def __init__(
        self,
        database: Database,
        channels: Sequence[Channel],
        worker: str,
        nudges: Nudges,
        help_url: str,
    ) -> None:
        """
        Args:
            worker: the process's name; the same again after a restart.
            help_url: full address of the help center, for links to articles.
        """
        self._channels = channels
        self._senders = [
            Sender(database, channel, worker, nudges, help_url) for channel in channels
        ]

    async def run(self) -> None:
        """Send until cancelled; without channels there is nothing to do, and it ends."""
        try:
            async with asyncio.TaskGroup() as group:
                for sender in self._senders:
                    group.create_task(sender.run())
        finally:
            for channel in self._channels:
                await channel.close()
