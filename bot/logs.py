"""Logs: one line of JSON an event, and never what a person wrote or who they are.

Our own lines carry ids and known words only. What others write needs care: an exception's
message may hold a customer's text (a value that could not be read, a row that was refused),
and so may the lines of libraries. Of an exception its kind and its places in the code are
logged (its message only if it is one of ours, or the system's), of a library's line the
template without what was filled in.

Who, where and what belongs together is bound around the work, with
`structlog.contextvars.bound_contextvars(conversation=…, message=…, turn=…)`.
"""

import json
import logging
import sys
import threading
from collections.abc import MutableMapping
from datetime import UTC, datetime
from traceback import StackSummary, walk_tb
from types import TracebackType
from typing import Any, TextIO

import structlog

from bot.errors import UsherError

MAX_FRAMES = 20
MAX_CAUSES = 5
_PLAIN = ("uvicorn.error",)
"""Loggers whose warnings are filled with numbers and addresses only."""
_WITH_TEMPLATES = ("asyncio", "uvicorn", "sanic", "sqlalchemy", "alembic")
"""Loggers that put nothing of a customer's into the first line of a message."""


def describe(error: BaseException) -> str:
    """Kind and places of an exception and of those that it came from, without their messages."""
    lines: list[str] = []
    part: BaseException | None = error
    for _ in range(MAX_CAUSES):
        if part is None:
            break
        lines.append(f"{type(part).__module__}.{type(part).__qualname__}{_safe_words(part)}")
        stack = StackSummary.extract(walk_tb(part.__traceback__), lookup_lines=False)
        lines += [f"  {at.filename}:{at.lineno} {at.name}" for at in stack[-MAX_FRAMES:]]
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)
    return "\n".join(lines)


def _safe_words(error: BaseException) -> str:
    """What an error says, where we know that it is none of a customer's business."""
    if isinstance(error, UsherError | ImportError):
        return f": {error}"
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    return ""


def _without_messages(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    given = event.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        event["exception"] = describe(error)
    return event


class LibraryFormatter(logging.Formatter):
    """A library's line in the shape of ours."""

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, Any] = {"logger": record.name, "event": self._event(record)}
        if record.exc_info and record.exc_info[1] is not None:
            event["exception"] = describe(record.exc_info[1])
        event |= {
            "at": f"{record.module}:{record.lineno}",
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        return json.dumps(event, ensure_ascii=False)

    @staticmethod
    def _event(record: logging.LogRecord) -> str:
        if isinstance(record.msg, BaseException):
            return describe(record.msg).partition("\n")[0]
        if record.name in _PLAIN and not record.exc_info:
            text = record.getMessage()
        elif record.args or record.name.startswith(_WITH_TEMPLATES):
            text = str(record.msg)
        else:  # it may have been put together already; `at` says which line it is
            text = record.funcName
        # asyncio puts the exception itself into the lines below.
        return text.strip().partition("\n")[0]


def configure(out: TextIO | None = None) -> None:
    """Let this process log so.

    Args:
        out: where to; standard output when not given.
    """
    out = out or sys.stdout
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_messages,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(out),
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(LibraryFormatter())
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "sanic.error", "sanic.root"):
        # Uvicorn and Sanic write by handlers of their own, with exceptions as they are.
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _uncaught(
    kind: type[BaseException], error: BaseException, _: TracebackType | None = None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().critical("process ends by an error", exc_info=error)


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
        structlog.get_logger().critical("thread ends by an error", exc_info=given.exc_value)
