"""Several machines as one Usher: who is asked, what is started, what is refused."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from configparser import RawConfigParser
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from supervisor.datatypes import dict_of_key_value_pairs

from bot.errors import Disconnected, Unavailable, WrongSetting
from bot.internal_http import InternalClient
from bot.knowledge.client import KnowledgeClient
from bot.messages import Outcome
from bot.operations.doctor import before_start, examine
from bot.operations.fleet import servers
from bot.operations.processes import environment, programs, supervisor_config
from bot.operations.servers import Guarded
from bot.settings import PROCESSES, Settings, load_settings
from bot.turns.assistant import Assistant
from tests.conftest import Serve, free_port

SECRET = "a secret that all machines share"
MATCH = {
    "outcome": "answer", "candidates": [], "confidence": 0.9, "language": "en",
    "article_language": "en", "text": "Send it back.", "heading": "", "question": "",
    "products": [],
}  # fmt: skip

T = TypeVar("T")


@dataclass
class Server:
    """One of our internal servers, or what has become of it."""

    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)
    """Bodies of the calls that it has answered."""
    taken: int = 0
    """Calls that have arrived, answered or not."""
    healthy: bool = True
    secret: str = SECRET
    hangs_up: bool = False
    """It takes a call and is gone before it answers."""
    silent: threading.Event | None = None
    """It takes a call and does not answer until this is set."""


class Handler(BaseHTTPRequestHandler):
    """Answers as knowledge and Rasa do, and counts."""

    state: Server

    def do_GET(self) -> None:
        known = self.headers["authorization"] == f"Bearer {self.state.secret}"
        self._answer((200 if self.state.healthy else 503) if known else 401, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.state.taken += 1
        if self.state.silent is not None:
            self.state.silent.wait(20)
            return
        if self.state.hangs_up:
            return
        if self.headers["authorization"] != f"Bearer {self.state.secret}":
            self._answer(401, {})
            return
        self.state.asked.append(body)
        self._answer(200, [MATCH] if self.path == "/match" else {"replies": [{"text": "Hello"}]})

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def server(port: int = 0) -> Iterator[Server]:
    """A server on a port of its own, until the end of the block."""
    handler = type("Handler", (Handler,), {})
    listening = ThreadingHTTPServer(("127.0.0.1", port), handler)
    listening.daemon_threads = True
    state = handler.state = Server(f"http://127.0.0.1:{listening.server_address[1]}")
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        if state.silent is not None:
            state.silent.set()
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture
def two() -> Iterator[tuple[Server, Server]]:
    with server() as first, server() as second:
        yield first, second


def run(client: Any, what: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Do something with a client in an event loop, and close it."""

    async def both() -> T:
        try:
            return await what()
        finally:
            await client.close()

    return asyncio.run(both())


def knowledge(*found: Server | str) -> KnowledgeClient:
    return KnowledgeClient([each if isinstance(each, str) else each.url for each in found], SECRET)


def ask(client: InternalClient, key: str) -> Coroutine[Any, Any, int]:
    return client.post("/turn", {"key": key}, lambda status, _: status, key=key)


def test_knowledge_servers_take_turns(two: tuple[Server, Server]) -> None:
    client = knowledge(*two)

    async def four_questions() -> None:
        for _ in range(4):
            match = await client.match("Where is it?", "en")
            assert match[0].outcome is Outcome.ANSWER

    run(client, four_questions)
    assert [len(each.asked) for each in two] == [2, 2]


def test_a_conversation_stays_with_one_rasa_and_conversations_are_spread(
    two: tuple[Server, Server],
) -> None:
    client = InternalClient("Rasa", [each.url for each in two], 5.0, SECRET)

    async def three_turns_each() -> None:
        for _ in range(3):
            for number in range(40):
                await ask(client, f"conversation {number}")

    run(client, three_turns_each)
    seen = [{body["key"] for body in each.asked} for each in two]
    assert seen[0].isdisjoint(seen[1])
    assert len(seen[0] | seen[1]) == 40
    assert min(map(len, seen)) >= 8
    # Whoever asks, from whichever machine and with the servers in whichever order.
    other = InternalClient("Rasa", [each.url for each in reversed(two)], 5.0, SECRET)
    run(other, lambda: ask(other, "conversation 1"))
    place = 0 if "conversation 1" in seen[0] else 1
    assert two[place].asked[-1] == {"key": "conversation 1"}


def test_the_assistant_says_by_the_conversation_which_rasa_it_wants(
    two: tuple[Server, Server],
) -> None:
    client = Assistant([each.url for each in two], SECRET)

    async def tell() -> None:
        for _ in range(6):
            await client.tell("one conversation", 0, ())

    run(client, tell)
    assert sorted(len(each.asked) for each in two) == [0, 6]


def test_a_refused_connection_costs_nothing_but_the_way_to_the_next_server() -> None:
    with server() as alive:
        client = knowledge(f"http://127.0.0.1:{free_port()}", alive)

        async def questions() -> None:
            for _ in range(6):
                await client.match("Where is it?", "en")

        run(client, questions)
        assert len(alive.asked) == 6


def test_only_the_keys_of_a_lost_server_move(two: tuple[Server, Server]) -> None:
    dead = f"http://127.0.0.1:{free_port()}"
    keys = [str(number) for number in range(30)]

    async def all_keys(client: InternalClient) -> None:
        for key in keys:
            await ask(client, key)

    with_two = InternalClient("Rasa", [each.url for each in two], 5.0, SECRET)
    run(with_two, lambda: all_keys(with_two))
    before = [{body["key"] for body in each.asked} for each in two]
    with_three = InternalClient("Rasa", [dead, *(each.url for each in two)], 5.0, SECRET)
    run(with_three, lambda: all_keys(with_three))
    after = [{body["key"] for body in each.asked} for each in two]
    assert after == before  # what the third one would have had, comes to who had it without it


def test_a_question_on_which_a_server_dies_is_asked_of_the_next_one(
    two: tuple[Server, Server],
) -> None:
    two[0].hangs_up = True
    client = knowledge(*two)

    async def questions() -> None:
        for _ in range(4):
            await client.match("Where is it?", "en")

    run(client, questions)
    assert (two[0].taken, len(two[1].asked)) == (1, 4)


def test_a_turn_on_which_a_rasa_dies_fails_and_its_repetition_goes_to_the_next_one(
    two: tuple[Server, Server],
) -> None:
    client = InternalClient("Rasa", [each.url for each in two], 5.0, SECRET)

    async def turns() -> None:
        await ask(client, "one")
        mine = max(two, key=lambda each: each.taken)
        mine.hangs_up = True
        # The call may be what it died of: the others are not given it at once.
        with pytest.raises(Disconnected):
            await ask(client, "one")
        assert sum(each.taken for each in two) == 2
        await ask(client, "one")

    run(client, turns)
    assert sorted(each.taken for each in two) == [1, 2]


def test_a_silent_knowledge_server_is_not_waited_for_until_the_end(
    two: tuple[Server, Server],
) -> None:
    two[0].silent = threading.Event()
    client = InternalClient("Knowledge", [each.url for each in two], 2.0, SECRET, repeatable=True)

    async def three_questions() -> None:
        for _ in range(3):
            assert await client.post("/match", {}, lambda status, _: status) == 200

    run(client, three_questions)
    assert len(two[1].asked) == 3


def test_a_turn_is_not_given_to_a_second_rasa_while_the_first_one_works_on_it(
    two: tuple[Server, Server],
) -> None:
    for each in two:
        each.silent = threading.Event()
    client = InternalClient("Rasa", [each.url for each in two], 0.5, SECRET)
    with pytest.raises(Unavailable):
        run(client, lambda: ask(client, "one"))
    assert sorted(each.taken for each in two) == [0, 1]


def test_a_server_that_comes_back_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.internal_http.LEFT_OUT_SECONDS", 0.0)
    port = free_port()
    with server() as alive:
        client = knowledge(f"http://127.0.0.1:{port}", alive)

        async def before_and_after() -> None:
            for _ in range(4):
                await client.match("Where is it?", "en")
            assert len(alive.asked) == 4
            with server(port) as back:
                for _ in range(4):
                    await client.match("Where is it?", "en")
                assert len(back.asked) == 2

        run(client, before_and_after)


def test_without_any_server_the_call_ends_as_unavailable() -> None:
    client = knowledge(*(f"http://127.0.0.1:{free_port()}" for _ in range(2)))
    with pytest.raises(Unavailable, match="knowledge"):
        run(client, lambda: client.match("Where is it?", "en"))


def test_an_answer_that_says_no_is_an_answer_and_goes_to_no_other_server(
    two: tuple[Server, Server],
) -> None:
    client = InternalClient("Rasa", [each.url for each in two], 5.0, "another secret entirely")
    assert run(client, lambda: ask(client, "one")) == 401
    assert [each.asked for each in two] == [[], []]


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", f"Basic {SECRET}", SECRET])
def test_beyond_loopback_a_server_answers_only_who_has_the_secret(given: str) -> None:
    app = FastAPI()
    app.add_api_route("/healthz", lambda: {"articles": 1})
    with TestClient(Guarded(app, SECRET)) as client:
        assert client.get("/healthz", headers={"Authorization": given}).status_code == 401
        allowed = client.get("/healthz", headers={"Authorization": f"Bearer {SECRET}"})
        assert allowed.json() == {"articles": 1}


def test_a_server_without_a_secret_answers_nobody() -> None:
    with TestClient(Guarded(FastAPI(), "")) as client:
        assert client.get("/", headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("USHER_PROCESSES", "gateway,wroker", "gateway, worker, knowledge, actions, rasa"),
        ("USHER_PROCESSES", " , ", "gateway, worker, knowledge, actions, rasa"),
        ("USHER_WORKERS", "0", "greater than or equal to 1"),
        ("USHER_INTERNAL_HOST", "0.0.0.0", "private network"),
        ("USHER_INTERNAL_HOST", "::", "private network"),
        ("USHER_INTERNAL_HOST", "8.8.8.8", "private network"),
        ("USHER_INTERNAL_HOST", "my-machine", "IP address"),
        ("USHER_KNOWLEDGE_URLS", "10.0.0.2:8100", "http://10.0.0.2:8100"),
        ("USHER_RASA_URLS", "http://a:1, ftp://b", "'ftp://b'"),
    ],
)
def test_a_wrong_setting_of_a_part_is_refused_with_what_it_may_be(
    clean_environment: None, monkeypatch: pytest.MonkeyPatch, key: str, value: str, said: str
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(WrongSetting) as error:
        load_settings()
    assert key in str(error.value)
    assert said in str(error.value)


def fleet(tmp_path: Path, **overrides: object) -> Settings:
    """Settings of one of several machines."""
    values = {
        "data_dir": tmp_path / "data",
        "database_url": "postgresql://usher@10.0.0.9/usher",
        "redis_url": "redis://10.0.0.9:6379/0",
        "knowledge_urls": "http://10.0.0.2:8100, http://10.0.0.3:8100/",
        "actions_urls": "http://10.0.0.2:8101",
        "rasa_urls": "http://10.0.0.2:8102,http://10.0.0.3:8102",
    }
    return load_settings(**(values | overrides))


def test_one_machine_starts_everything_with_a_valkey(settings: Settings) -> None:
    names = [each.name for each in programs(settings)]
    assert names == ["valkey", "knowledge", "actions", "rasa", "worker", "gateway"]
    assert settings.runs_everything
    assert settings.knowledge_servers == (f"http://127.0.0.1:{settings.knowledge_port}",)


def test_a_machine_starts_the_parts_that_it_is_told_to(
    clean_environment: None, tmp_path: Path
) -> None:
    settings = fleet(tmp_path, processes="worker, gateway", workers=3)
    names = [each.name for each in programs(settings)]
    assert names == ["worker-1", "worker-2", "worker-3", "gateway"]
    assert settings.knowledge_servers == ("http://10.0.0.2:8100", "http://10.0.0.3:8100")
    assert not settings.runs_everything


def test_each_worker_has_a_name_of_its_own_that_stays(
    clean_environment: None, tmp_path: Path
) -> None:
    deep = tmp_path / ("x" * 200) / '100% "quoted" and \\ long'
    settings = load_settings(data_dir=deep, workers=12)
    config = RawConfigParser()
    config.read_string(supervisor_config(settings))
    names = [
        dict_of_key_value_pairs(config[section]["environment"].replace("%%", "%"))[
            "USHER_WORKER_NAME"
        ]
        for section in config.sections()
        if section.startswith("program:worker-")
    ]
    assert len(set(names)) == 12
    assert max(map(len, names)) <= 255  # what the record keeps of it
    again = [dict(each.environment) for each in programs(settings) if "worker" in each.name]
    assert [each["USHER_WORKER_NAME"] for each in again] == names


def test_internal_servers_listen_where_the_private_network_is(
    clean_environment: None, tmp_path: Path
) -> None:
    settings = fleet(tmp_path, internal_host="10.0.0.2", processes="knowledge,actions,rasa")
    assert not settings.is_on_loopback
    for program in programs(settings):
        assert "10.0.0.2" in program.command
        assert "127.0.0.1" not in program.command
    assert fleet(tmp_path, internal_host="fd00::2").rasa_url == "http://[fd00::2]:8102"


def test_rasa_uses_the_action_server_beside_it_or_else_the_first_named(
    clean_environment: None, tmp_path: Path
) -> None:
    beside = fleet(tmp_path, internal_host="10.0.0.3", processes="rasa,actions")
    assert environment(beside)["USHER_ACTIONS_URL"] == "http://10.0.0.3:8101"
    alone = fleet(tmp_path, internal_host="10.0.0.3", processes="rasa")
    assert environment(alone)["USHER_ACTIONS_URL"] == "http://10.0.0.2:8101"


def test_secrets_come_from_the_named_file_which_is_not_made_anew(
    clean_environment: None, tmp_path: Path
) -> None:
    first = load_settings(data_dir=tmp_path / "first")
    made = first.secret("rasa")
    file = tmp_path / "first" / "secrets.json"
    second = load_settings(data_dir=tmp_path / "second", secrets_file=str(file))
    assert second.secret("rasa") == made
    missing = load_settings(data_dir=tmp_path / "third", secrets_file=str(tmp_path / "none"))
    with pytest.raises(WrongSetting, match="USHER_SECRETS_FILE"):
        missing.secret("rasa")
    assert not (tmp_path / "none").exists()


def test_parts_without_a_shared_record_do_not_start(
    clean_environment: None, tmp_path: Path
) -> None:
    settings = load_settings(
        data_dir=tmp_path, processes="gateway,worker", port=free_port(), redis_url="redis://x"
    )
    found = {each.name: each for each in before_start(settings) if not each.ok}
    assert "DATABASE_URL" in found["shared record"].detail
    assert "REDIS_URL" not in found["shared record"].detail
    for process in ("knowledge", "actions", "rasa"):
        assert found[f"{process} servers"].blocks
        assert f"USHER_{process.upper()}_URLS" in found[f"{process} servers"].fix


def test_the_doctor_looks_only_at_what_this_machine_runs(
    clean_environment: None, tmp_path: Path, valkey_url: str
) -> None:
    settings = fleet(
        tmp_path, database_url="", redis_url=valkey_url, processes="worker",
        knowledge_urls="", actions_urls="", rasa_urls="",
    )  # fmt: skip
    names = {each.name for each in examine(settings)}
    assert not any(name.startswith("port ") for name in names)
    assert "Rasa's Python" not in names
    assert "model" not in names


def test_an_address_that_is_not_this_machines_is_told_from_a_taken_port(
    clean_environment: None, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path, internal_host="192.168.255.254", port=free_port())
    found = [each for each in before_start(settings) if "no address" in each.detail]
    assert found
    assert all("USHER_INTERNAL_HOST" in each.fix for each in found)


def test_the_doctor_tells_a_server_that_is_down_from_one_with_other_secrets(
    clean_environment: None, tmp_path: Path, two: tuple[Server, Server]
) -> None:
    good, other = two
    dead = f"http://127.0.0.1:{free_port()}"
    settings = load_settings(data_dir=tmp_path, knowledge_urls=f"{good.url},{other.url},{dead}")
    good.secret = settings.secret("rasa")
    found = {each.name: each for each in servers(settings)}
    assert found[f"knowledge at {good.url}"].ok
    assert "secrets" in found[f"knowledge at {other.url}"].detail
    assert "does not answer" in found[f"knowledge at {dead}"].detail


def test_one_ready_server_of_each_kind_is_enough_and_the_others_are_counted(
    serve: Serve, two: tuple[Server, Server], tmp_path: Path
) -> None:
    first, second = two
    settings = load_settings(data_dir=tmp_path / "data")
    first.secret = second.secret = settings.secret("rasa")
    second.healthy = False
    client = serve(
        knowledge_urls=f"{first.url},{second.url}",
        rasa_urls=f"{first.url},{first.url}",
        actions_urls=second.url,
    )
    answer = client.get("/healthz").json()
    assert answer["servers"] == {"knowledge": "1 of 2", "rasa": "2 of 2"}
    states = answer["components"]
    assert (states["knowledge"], states["rasa"], states["actions"]) == (
        "ready", "ready", "unavailable",
    )  # fmt: skip
    second.healthy = True
    assert client.get("/healthz").json()["components"]["actions"] == "ready"


def test_the_default_starts_all_parts() -> None:
    assert Settings.model_fields["processes"].default.split(",") == list(PROCESSES)
