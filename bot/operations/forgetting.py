"""`usher customers`: what we have of one customer, and its end."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from rich.console import Console

from bot.conversations.database import Database
from bot.errors import InvalidInput, NotFound, Unavailable
from bot.internal_http import authorization
from bot.keeping import erasing, leftovers, storage
from bot.keeping.exporting import Export
from bot.keeping.trackers import Trackers
from bot.operations.indexing import RELOAD_SECONDS
from bot.operations.migrating import migrate
from bot.settings import Settings

REWRITE_SECONDS = 30
REMAINS = (
    "What remains: backups and archives that were made before, files that you exported, and "
    "what the shop itself keeps. See docs/privacy.md."
)


class CustomerFinder:
    """The customer of a command's arguments, of which exactly one is given."""

    def __init__(self, customer_id: str, external_id: str, address: str) -> None:
        """
        Raises:
            InvalidInput: none or several are given, or the address has no channel.
        """
        if sum(map(bool, (customer_id, external_id, address))) != 1:
            raise InvalidInput("Name one customer: ID, --external-id or --address CHANNEL:ADDRESS.")
        channel, _, at = address.partition(":")
        if address and not (channel and at):
            raise InvalidInput("--address is a channel and an address: CHANNEL:ADDRESS.")
        self._customer_id = customer_id
        self._external_id = external_id
        self._address = (channel, at) if address else None

    def find(self, database: Database) -> str:
        """See `bot.keeping.erasing.find`."""
        return erasing.find(database, self._customer_id, self._external_id, self._address)

    @property
    def given_id(self) -> str:
        """Our own id, when it was given."""
        return self._customer_id


@contextmanager
def _connected(settings: Settings) -> Iterator[tuple[Database, Trackers]]:
    database = Database(settings.effective_database_url)
    trackers = Trackers(settings.effective_redis_url)
    try:
        migrate(database)
        yield database, trackers
    finally:
        trackers.close()
        database.close()


def export(settings: Settings, finder: CustomerFinder, output: Path | None) -> list[str]:
    """Write everything about a customer as JSON, to a file or to the standard output.

    Returns:
        What could not be had, empty when everything is there.

    Raises:
        NotFound: there is no such customer.
        InvalidInput: the file cannot be written.
    """
    with _connected(settings) as (database, trackers):
        wanted = Export(database, trackers, finder.find(database))
        if output is None:
            for chunk in wanted.chunks():
                sys.stdout.write(chunk)
            return wanted.missing
        temporary = output.with_name(f".{output.name}.{os.getpid()}")
        try:
            # Personal data: readable by the owner alone, and never half of it.
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.writelines(wanted.chunks())
            temporary.replace(output)
        except OSError as error:
            raise InvalidInput(f"{output} cannot be written: {error.strerror}.") from error
        finally:
            temporary.unlink(missing_ok=True)
        return wanted.missing


def erase(
    settings: Settings, finder: CustomerFinder, confirm: Callable[[str], bool], out: Console
) -> bool:
    """Erase a customer and say what was done and what remains.

    Args:
        confirm: is told what will be gone, and says whether to go on.

    Returns:
        Whether nothing is left to be done.

    Raises:
        NotFound: there is no such customer.
    """

    def say(text: str) -> None:
        out.print(text, highlight=False, markup=False, soft_wrap=True)

    with _connected(settings) as (database, trackers):
        try:
            customer_id = finder.find(database)
        except NotFound:
            customer_id = finder.given_id
            if not leftovers.of_customer(database, customer_id):
                raise
        held = {name: n for name, n in erasing.holdings(database, customer_id).items() if n}
        what = ", ".join(f"{n} {name}" for name, n in held.items()) or "nothing but its own row"
        if not confirm(f"Customer {customer_id}: {what}. All of it will be gone, for ever."):
            say("Nothing was erased.")
            return True
        erased = erasing.erase(database, customer_id, trackers)
        say(f"Customer {customer_id} is erased from the record.")
        done = _say_trackers(settings, trackers, erased, say)
        try:
            scrubbed = storage.scrub(database)
        except Unavailable as problem:
            scrubbed = storage.Scrubbed(False, f"The database's files were not cleaned: {problem}")
        say(scrubbed.said)
        say(_forget_judged_questions(settings))
        say(REMAINS)
        return done and scrubbed.done


def _say_trackers(
    settings: Settings, trackers: Trackers, erased: erasing.Erased, say: Callable[[str], None]
) -> bool:
    if erased.trackers_left:
        say(
            f"Redis does not answer: {erased.trackers_left} trackers remain. A running worker "
            "removes them when Redis is back; or erase the same id again."
        )
        return False
    say("Its trackers in Redis are removed.")
    if erased.is_settling:
        say("It was talking just now: a running worker looks for a late tracker in a minute.")
    if settings.redis_url:
        say(
            "If your Redis keeps an append-only file, snapshots or replicas, they hold the "
            "trackers until they are written anew: BGREWRITEAOF, BGSAVE."
        )
        return True
    return _rewrite_log(trackers, say)


def _rewrite_log(trackers: Trackers, say: Callable[[str], None]) -> bool:
    """The bundled Valkey's file has what was removed until it is written anew."""
    until = time.monotonic() + REWRITE_SECONDS
    try:
        trackers.rewrite_log()
        while trackers.is_rewriting_log() and time.monotonic() < until:
            time.sleep(0.1)
    except Unavailable as problem:
        say(f"The bundled Valkey's append-only file was not written anew: {problem}")
        return False
    say("The bundled Valkey writes its append-only file anew, without them.")
    return True


def _forget_judged_questions(settings: Settings) -> str:
    """The knowledge processes hold judged questions and their vectors until they read again."""
    reached = 0
    for url in settings.knowledge_servers:
        with suppress(httpx.HTTPError):
            httpx.post(
                f"{url}/reload",
                headers=authorization(settings.secret("rasa")),
                timeout=RELOAD_SECONDS,
            ).raise_for_status()
            reached += 1
    if reached == len(settings.knowledge_servers):
        return "The knowledge base has forgotten the questions that were judged."
    return (
        "A knowledge process that does not answer now forgets judged questions and their vectors "
        "when it starts."
    )
