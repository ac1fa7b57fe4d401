"""The composition root: the only place that reads the environment and connects the rooms."""

import logging
import sys
from collections.abc import Callable
from functools import cache, partial

import structlog

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
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
    )
