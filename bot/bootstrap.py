"""The composition root: the only place that reads the environment and connects the rooms."""

import logging
import sys
from functools import cache

import structlog

from bot.conversations.database import Database
from bot.settings import Settings, load_settings


@cache
def settings() -> Settings:
    return load_settings()


def database() -> Database:
    return Database(settings().effective_database_url)


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
