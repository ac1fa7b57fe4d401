"""What the gateway's routes work with."""

from collections import OrderedDict
from datetime import timedelta
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import httpx
from starlette.requests import HTTPConnection

from bot.conversations import intake, timeline
from bot.conversations.batching import Batcher
from bot.conversations.database import Database
from bot.conversations.nudges import Nudges
from bot.gateway.http import RateLimit
from bot.gateway.watching import Watch
from bot.internal_http import authorization
from bot.journeys.definitions import Journey
from bot.knowledge.articles.folder import ArticleFolder
from bot.settings import Settings


class TokenCache:
    """Whose token it is, so that a busy page costs one look into the database."""

    SIZE = 20_000

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def get(self, token: str) -> str | None:
        return self._known.get(token)

    def forget(self, token: str) -> None:
        self._known.pop(token, None)

    def put(self, token: str, customer_id: str) -> None:
        self._known[token] = customer_id
        if len(self._known) > self.SIZE:
            self._known.popitem(last=False)


class Gateway:
    """Connections and settings of the one public process."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        nudges: Nudges,
        journeys: list[Journey],
        articles: ArticleFolder,
    ) -> None:
        self.settings = settings
        self.database = database
        self.nudges = nudges
        self.journeys = journeys
        self.articles = articles
        self.customers = TokenCache()
        silence = timedelta(minutes=settings.conversation_silence_minutes)
        self.intake = Batcher(partial(intake.accept_all, database, silence=silence), "intake")
        self.seen = Batcher(partial(timeline.mark_seen, database), "seen")
        self.watch = Watch(database, nudges)
        self.message_limit = RateLimit(settings.messages_per_minute)
        self.visitor_limit = RateLimit(settings.visitors_per_minute)
        self.sign_in_limit = RateLimit(10)
        self.help_url = f"{settings.public_url.rstrip('/')}/help"
        self.internal = httpx.AsyncClient(
            timeout=2.0, headers=authorization(settings.secret("rasa"))
        )

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Whether a browser's page is one of ours; other sites may not open our sockets."""
        public = urlsplit(self.settings.public_url).netloc
        return urlsplit(origin).netloc in {host, public} - {""}


def gateway_of(connection: HTTPConnection) -> Gateway:
    return cast(Gateway, connection.app.state.gateway)
