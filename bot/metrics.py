"""What Usher counts, in Prometheus' format, on a private port of each process.

No label holds an id, a name or a customer's words: labels are short lists of known words, so that
the numbers stay few. What each one means: `docs/observability.md`.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from threading import Thread
from time import perf_counter
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Info, start_http_server

log = structlog.get_logger()

MOST_PORT = 65535
_FAST = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES = (1, 2, 4, 8, 16, 32, 64)

INFO = Info("usher", "Version of Usher, and which of its processes this is.")

# The gateway
MESSAGES = Counter(
    "usher_messages",
    "Customers' messages: accepted, repeated, or refused with an error's code.",
    ["result"],
)
INTAKE_SECONDS = Histogram(
    "usher_intake_seconds",
    "From a message's arrival at the gateway until it is committed.",
    buckets=_FAST,
)
WEBSOCKETS = Gauge("usher_websockets", "Open websockets of customers' pages.")

# Everywhere
BATCH_SIZE = Histogram(
    "usher_batch_size", "Small writes that were committed together.", ["batch"], buckets=_SIZES
)
NUDGES_UNSENT = Counter(
    "usher_nudges_unsent", "Nudges that Redis did not take; each costs a second or two."
)

# The worker
TURNS = Counter(
    "usher_turns",
    "Turns that ended, by the match's outcome and by what became of it.",
    ["outcome", "result"],
)
TURN_SECONDS = Histogram(
    "usher_turn_phase_seconds",
    "Parts of a turn: waited (since its first message), match, assistant, commit.",
    ["phase"],
    buckets=_SLOW,
)
TURN_FAILURES = Counter(
    "usher_turn_failures", "Tries of turns that failed, by the part that failed.", ["part"]
)
LEASES = Counter(
    "usher_leases", "Leases that were lost to another worker, or taken over from one.", ["event"]
)
DELIVERIES = Counter(
    "usher_deliveries", "Deliveries that came into a state, by channel.", ["channel", "state"]
)
DELIVERY_SECONDS = Histogram(
    "usher_delivery_seconds", "A try to send a delivery.", ["channel"], buckets=_SLOW
)
CIRCUIT_OPEN = Gauge(
    "usher_circuit_open", "1 while nothing is sent to a channel because it fails.", ["channel"]
)

# The knowledge process
MATCH_SECONDS = Histogram(
    "usher_match_seconds",
    "Matching a message, embedding included, by outcome.",
    ["outcome"],
    buckets=_FAST,
)
ARTICLES = Gauge("usher_articles", "Articles that are served.", ["language"])
ARTICLE_PROBLEMS = Gauge("usher_article_problems", "Files that are not served as last saved.")
BAR = Gauge(
    "usher_confidence_bar",
    "Calibration: the confidence from which on an answer is given.",
    ["language"],
)
INDEXED = Gauge("usher_indexed_timestamp_seconds", "When the articles were last indexed.")


@contextmanager
def taking_in() -> Iterator[Callable[[bool], None]]:
    """Count and time a customer's message; one that is refused counts by its error's code.

    Yields:
        To be told whether it was a repeated one.
    """
    started, result = perf_counter(), "accepted"

    def taken(repeated: bool) -> None:
        nonlocal result
        result = "repeated" if repeated else "accepted"

    try:
        yield taken
    except Exception as error:
        MESSAGES.labels(getattr(error, "code", "internal_error")).inc()
        raise
    MESSAGES.labels(result).inc()
    INTAKE_SECONDS.observe(perf_counter() - started)


def turn_ended(outcome: str, handed_over: bool, timings: Mapping[str, int]) -> None:
    """Count a turn.

    Args:
        timings: milliseconds of its parts.
    """
    TURNS.labels(outcome, "handoff" if handed_over else "replied").inc()
    for phase, milliseconds in timings.items():
        TURN_SECONDS.labels(phase).observe(milliseconds / 1000)


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Measure a block; one that fails counts as well."""
    started = perf_counter()
    try:
        yield
    finally:
        histogram.observe(perf_counter() - started)


def port_of(first: int, process: str, name: str = "") -> int:
    """Where a process serves its metrics: gateway, knowledge, then the workers in a row.

    Args:
        first: of the ports; 0: no metrics are served.
        name: of a worker; it ends with the worker's number on this machine, from 1.

    Returns:
        0 when there is none.
    """
    number = name.rpartition(":")[2]
    places = {
        "gateway": 0,
        "knowledge": 1,
        "worker": 1 + (int(number) if number.isdecimal() else 1),
    }
    port = first + places[process] if first else 0
    return port if port <= MOST_PORT else 0


def serve(host: str, port: int, process: str) -> tuple[WSGIServer, Thread] | None:
    """Answer `GET /metrics` from a thread of its own.

    A port that is taken is no reason not to start: another Usher may have it.

    Args:
        port: see `port_of`; 0: nothing is served.

    Returns:
        The server and its thread, or None when there is none.
    """
    INFO.info({"version": _version(), "process": process})
    if not port:
        return None
    try:
        server, thread = start_http_server(port, host, REGISTRY)
    except (OSError, socket.gaierror) as error:
        log.warning(
            "no metrics are served: set USHER_METRICS_PORT to a free port, or to 0",
            host=host,
            port=port,
            problem=error.strerror,
        )
        return None
    log.info("metrics are served", host=host, port=port)
    return server, thread


def _version() -> str:
    try:
        return version("usher")
    except PackageNotFoundError:
        return "unknown"
