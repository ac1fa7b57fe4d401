"""Errors in Rasa's log without their words, which may be a customer's.

What an exception says can hold a message's text: a body that was refused, a value that could
not be read. Kinds of exceptions and places in the code are enough to find a mistake. Rasa's
tracebacks would even show the local variables.
"""

import logging
import sys
import traceback
from typing import Any, Dict, MutableMapping, Text, Tuple

import structlog


def frames(error: Tuple[Any, Any, Any]) -> Text:
    """Kind and place of an exception and of those that it came from."""
    if error[1] is None:
        return "no exception"
    told = traceback.TracebackException(*error, capture_locals=False, lookup_lines=False)
    lines, seen = [], 0
    part: Any = told
    while part is not None and seen < 5:
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in part.stack]
        lines += [getattr(part.exc_type, "__name__", str(part.exc_type)), *places[-15:]]
        hidden = None if part.__suppress_context__ else part.__context__
        part, seen = part.__cause__ or hidden, seen + 1
    return "\n".join(lines)


def _format_exception(self: logging.Formatter, error: Tuple[Any, Any, Any]) -> Text:
    return frames(error)


def _without_words(
    _logger: Any, _method: Text, event: MutableMapping[Text, Any]
) -> Dict[Text, Any]:
    given = event.pop("exc_info", None)
    if given:
        error = given if isinstance(given, tuple) else sys.exc_info()
        if isinstance(given, BaseException):
            error = (type(given), given, given.__traceback__)
        event["exception"] = frames(error)
    return dict(event)


def install() -> None:
    """Let every line that is written from now on be so."""
    logging.Formatter.formatException = _format_exception  # type: ignore[method-assign, assignment]
    # In place: loggers that were used before keep this very list.
    processors = structlog.get_config()["processors"]
    if _without_words not in processors:
        processors.insert(0, _without_words)
