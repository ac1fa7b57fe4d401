"""The composition root: the only place that reads the environment and connects the rooms."""

from collections.abc import Callable
from functools import cache, partial

from bot import logs
from bot.conversations.database import Database
from bot.conversations.feedback import collected
from bot.messages import Feedback
from bot.settings import Settings, load_settings

MAX_FEEDBACK = 1000
"""Judgements of agents, and as many of customers, that the knowledge base is given: each new
one costs it an embedding."""


@cache
def settings() -> Settings:
    return load_settings()


def database() -> Database:
    return Database(settings().effective_database_url)


def feedback_reader() -> Callable[[], list[Feedback]]:
    """Reads judged questions for the knowledge process; connects when it is first called."""
    return partial(collected, database(), MAX_FEEDBACK)


def configure_logging() -> None:
    """One line of JSON an event; never a customer's words."""
    logs.configure()
