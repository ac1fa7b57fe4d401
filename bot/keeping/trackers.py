"""Rasa's trackers in Redis, as far as keeping and forgetting have to do with them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from bot.errors import Unavailable

PREFIX = "usher:tracker:"
"""Of the key of a tracker, before the conversation's id; see `bot/rasa_extensions/`."""
TIMEOUT_SECONDS = 2.0


class Trackers:
    """Reads and removes trackers; Rasa alone writes them. Safe to share between threads."""

    def __init__(self, redis_url: str) -> None:
        self._redis = Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )

    def read(self, conversation_id: str) -> Any:
        """A tracker as Rasa wrote it, or None.

        Raises:
            Unavailable: Redis does not answer.
        """
        with _translated():
            stored = self._redis.get(PREFIX + conversation_id)
        return None if stored is None else json.loads(str(stored))

    def remove(self, conversation_ids: Sequence[str]) -> None:
        """Remove the trackers of conversations; those that are not there are no error.

        Raises:
            Unavailable: Redis does not answer; some may be left.
        """
        if conversation_ids:
            with _translated():
                self._redis.delete(*(PREFIX + each for each in conversation_ids))

    def rewrite_log(self) -> None:
        """Have the server write its append-only file anew, without what was removed.

        Raises:
            Unavailable: it does not answer, or does not do such things when it is asked to.
        """
        with _translated():
            self._redis.bgrewriteaof()

    def is_rewriting_log(self) -> bool:
        """Whether the append-only file is still being written anew."""
        with _translated():
            info = self._redis.info("persistence")
        return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])

    def close(self) -> None:
        self._redis.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from error
