"""Whole conversations through the real decision and the real rules, in an Usher of its own.

Knowledge, actions, Rasa and Valkey run as `usher up` starts them, with a record in a temporary
folder; turns are taken by the worker's own code in this process. Nothing of the running Usher is
touched but its trained model and its cache of vectors, which are used.
"""

import asyncio
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
from sqlalchemy import select

from bot.conversations.batching import Batcher
from bot.conversations.customers import new_visitor
from bot.conversations.database import Database
from bot.conversations.intake import accept, incoming
from bot.conversations.ownership import Owner
from bot.conversations.tables import Conversation, Message
from bot.errors import UsherError
from bot.internal_http import HEALTH_PATHS
from bot.journeys import purchases, tips
from bot.journeys.definitions import Journey, read_journeys
from bot.knowledge.client import KnowledgeClient
from bot.messages import Author, Outcome
from bot.operations.migrating import migrate
from bot.operations.processes import STOP_SECONDS, Program, environment, programs
from bot.operations.progress import console
from bot.operations.training import is_trained, train
from bot.rehearsals.judging import Came, JudgedTurn, is_right
from bot.rehearsals.scripts import Script, Turn
from bot.settings import ROOT, Settings, load_settings
from bot.texts import texts
from bot.turns import beginning, ending
from bot.turns.assistant import Assistant
from bot.turns.turn import Taker

READY_SECONDS = 240
_PARTS = ("knowledge", "actions", "rasa")
_OF_ITS_OWN = (
    "data_dir", "knowledge_base", "processes", "internal_host", "knowledge_urls", "actions_urls",
    "rasa_urls", "port", "internal_port", "metrics_port",
)  # fmt: skip
"""Settings that its processes do not share with the running Usher."""
_SILENCE = timedelta(hours=1)
_WORKER = "rehearsal"


class CannotRehearse(UsherError):
    """The servers did not start or an answer failed; the message says what to do."""

    code = "cannot_rehearse"


def free_ports(count: int) -> int:
    """The first of several free ports in a row, outside the range of outgoing connections."""
    while True:
        first = random.randrange(20_000, 30_000)  # noqa: S311
        with ExitStack() as taken:
            try:
                for port in range(first, first + count):
                    taken.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
        return first


@contextmanager
def stage(settings: Settings, knowledge: Path) -> Iterator["Stage"]:
    """Servers for conversations about a folder of articles; stopped at the end.

    Raises:
        CannotRehearse: they do not become ready.
        TrainingFailed: there was no trained model, and it could not be made.
    """
    if not is_trained(settings):
        train(settings)
    with tempfile.TemporaryDirectory(prefix="usher-rehearsal-") as folder:
        for shared in ("vectors", "models"):
            (settings.data_dir / shared).mkdir(parents=True, exist_ok=True)
            (Path(folder) / shared).symlink_to((settings.data_dir / shared).resolve())
        port = free_ports(6)
        there = load_settings(
            data_dir=Path(folder),
            database_url="",
            redis_url="",
            knowledge_base=knowledge.resolve(),
            processes=",".join(_PARTS),
            internal_host="127.0.0.1",
            knowledge_urls="",
            actions_urls="",
            rasa_urls="",
            port=port,
            internal_port=port + 1,
            metrics_port=0,
        )
        with ExitStack() as opened:
            database = Database(there.effective_database_url)
            opened.callback(database.close)
            migrate(database)
            with console.status("Starting an Usher of its own"):
                started = [opened.enter_context(_running(each, there)) for each in programs(there)]
                _wait_until_ready(there, started)
            yield Stage(there, database)


@contextmanager
def _running(program: Program, settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    log = settings.data_dir / f"{program.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            program.command,
            cwd=ROOT,
            env={**environment(settings), **_told(settings)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _told(settings: Settings) -> dict[str, str]:
    """What its processes read of the settings, in the place of what this one has read."""
    return {
        "DATABASE_URL": "",
        "REDIS_URL": "",
        **{f"USHER_{name.upper()}": str(getattr(settings, name)) for name in _OF_ITS_OWN},
    }


def _wait_until_ready(settings: Settings, started: Sequence[subprocess.Popen[bytes]]) -> None:
    urls = {part: servers[0] for part, servers in settings.internal_servers.items()}
    until = time.monotonic() + READY_SECONDS
    while urls:
        ended = any(each.poll() is not None for each in started)
        if ended or time.monotonic() > until:
            said = "\n".join(
                log.read_text("utf-8", errors="replace")[-1000:]
                for log in sorted(settings.data_dir.glob("*.log"))
            )
            raise CannotRehearse(f"{', '.join(urls)} did not become ready:\n{said}")
        urls = {part: url for part, url in urls.items() if not _is_ready(url + HEALTH_PATHS[part])}
        time.sleep(0.3)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class Stage:
    """Plays conversations, one after the other."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._journeys = read_journeys(settings.journeys)

    def play(
        self,
        scripts: Sequence[Script],
        titles: Mapping[str, str],
        progress: Callable[[int, int], None],
    ) -> list[JudgedTurn]:
        """Play conversations.

        Args:
            titles: the article of each title.

        Raises:
            CannotRehearse: a turn failed.
        """
        return asyncio.run(self._play_all(scripts, titles, progress))

    async def _play_all(
        self,
        scripts: Sequence[Script],
        titles: Mapping[str, str],
        progress: Callable[[int, int], None],
    ) -> list[JudgedTurn]:
        secret = self._settings.secret("rasa")
        knowledge = KnowledgeClient(self._settings.knowledge_servers, secret)
        assistant = Assistant(self._settings.rasa_servers, secret)
        taker = Taker(
            self._database,
            knowledge,
            assistant,
            Batcher(partial(ending.complete_all, self._database)),
            _never_well,
            timedelta(minutes=1),
        )
        judged: list[JudgedTurn] = []
        try:
            for number, script in enumerate(scripts):
                progress(number, len(scripts))
                judged += await self._play(script, titles, taker)
        finally:
            await knowledge.close()
            await assistant.close()
        return judged

    async def _play(
        self, script: Script, titles: Mapping[str, str], taker: Taker
    ) -> list[JudgedTurn]:
        customer = new_visitor(self._database, script.language).customer_id
        for product in script.bought:
            self._buy(customer, product, script.language)
        found = []
        for number, turn in enumerate(script.turns, start=1):
            came = await self._take(customer, f"{number}", turn, script.language, titles, taker)
            found.append(JudgedTurn(script, number, turn, came, is_right(turn.expect, came)))
        return found

    def _buy(self, customer: str, product: str, language: str) -> None:
        """A purchase so long ago that the first tip is due now, and that tip."""
        journey = next((each for each in self._journeys if each.product == product), None)
        waited = journey.steps[0].wait if journey else timedelta(0)
        number = f"{customer}-{product}"
        event = purchases.PurchaseEvent(
            source="rehearsal",
            event_id=number,
            order_id=number,
            customer_external_id="",
            visitor_id=customer,
            language=language,
            products=(product,),
            purchased_at=datetime.now(UTC) - waited,
        )
        journeys: list[Journey] = [journey] if journey else []
        purchases.record(self._database, event, journeys, language)
        while tips.send_next(self._database, _SILENCE):
            pass

    async def _take(
        self,
        customer: str,
        number: str,
        turn: Turn,
        language: str,
        titles: Mapping[str, str],
        taker: Taker,
    ) -> Came:
        for place, text in enumerate(turn.says):
            message = incoming(customer, f"{number}-{place}", text)
            last = accept(self._database, message, _SILENCE)
        for work in beginning.begin(self._database, _WORKER, 1, together=True):
            await taker.take(work)
        return self._came(customer, last.seq, language, titles)

    def _came(self, customer: str, seq: int, language: str, titles: Mapping[str, str]) -> Came:
        with self._database.read() as session:
            asked = session.scalars(
                select(Message).where(Message.customer_id == customer, Message.seq == seq)
            ).one()
            said = session.scalars(
                select(Message)
                .where(Message.customer_id == customer, Message.seq > seq)
                .order_by(Message.seq)
            ).all()
            conversation = session.get_one(Conversation, asked.conversation_id)
        if asked.pending:
            raise CannotRehearse(
                f"The turn on {asked.text!r} failed; look at it with the same articles under "
                "`usher up`, in the logs of rasa and actions."
            )
        match = asked.match or {}
        is_act = match.get("outcome") in {Outcome.ACT, Outcome.CONFIRM}
        human = {texts(each)["button_human"] for each in (language, conversation.language)}
        buttons = {button["title"] for each in said for button in each.buttons}
        is_queued = conversation.owner != Owner.ASSISTANT
        return Came(
            texts=[each.text for each in said],
            answered=[
                source["article"]
                for each in said
                if each.author == Author.ASSISTANT
                for source in each.sources
            ],
            offered=[titles[each] for each in buttons if each in titles],
            outcome=match.get("outcome", ""),
            act=match["act"] if is_act else "",
            person="queued" if is_queued else "offered" if buttons & human else "",
            language=conversation.language,
            probability=match.get("act_probability" if is_act else "confidence", 0.0),
        )


async def _never_well() -> bool:
    return False
