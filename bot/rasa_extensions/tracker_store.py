"""Rasa's trackers in Redis, written once a turn.

Rasa's own Redis store reads, parses and merges the whole tracker again before every write, to
bring its sessions together. A conversation of ours is one session, so what was read at the
turn's beginning is all there is. Trackers are a working memory, not the record: they expire.

Redis is asked in a thread: one that does not answer must not hold up other conversations.
"""

import asyncio
from contextvars import ContextVar
from typing import Any, List, Optional, Text

import redis
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker

EXPIRES_SECONDS = 30 * 24 * 3600

written: ContextVar[Optional[List[DialogueStateTracker]]] = ContextVar("written", default=None)
"""Set by who wants to look at what a turn has written, without reading it again."""


class ConversationTrackerStore(TrackerStore, SerializedTrackerAsText):
    """One key a conversation."""

    def __init__(
        self,
        domain: Domain,
        redis_url: Text,
        key_prefix: Text = "usher",
        event_broker: Optional[EventBroker] = None,
        **kwargs: Any,
    ) -> None:
        self.red = redis.Redis.from_url(
            redis_url, decode_responses=True, socket_timeout=2, socket_connect_timeout=1
        )
        self._prefix = f"{key_prefix}:tracker:"
        super().__init__(domain, event_broker, **kwargs)

    async def save(self, tracker: DialogueStateTracker) -> None:
        text = self.serialise_tracker(tracker)
        key = self._prefix + tracker.sender_id
        await asyncio.to_thread(self.red.set, key, text, ex=EXPIRES_SECONDS)
        wanted = written.get()
        if wanted is not None:
            wanted[:] = [tracker]

    async def retrieve(self, sender_id: Text) -> Optional[DialogueStateTracker]:
        stored = await asyncio.to_thread(self.red.get, self._prefix + sender_id)
        return self.deserialise_tracker(sender_id, stored) if stored else None

    async def keys(self) -> Any:
        found = await asyncio.to_thread(lambda: list(self.red.scan_iter(match=f"{self._prefix}*")))
        return [key[len(self._prefix) :] for key in found]
