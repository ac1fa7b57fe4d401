"""The agents' console through HTTP: sign-in, the queue, and acting on conversations."""

import httpx
import pytest

from bot.conversations.database import Database
from bot.conversations.tables import Remark
from bot.handoff import agents
from tests.chatting import assert_error
from tests.conftest import Serve
from tests.scenes import conversation_of, new_customer, say, timeline, waiting

PASSWORD = "correct horse battery"
API = "/console/api"


def console(gateway: httpx.Client, database: Database, name: str = "agent") -> httpx.Client:
    """A browser in which an agent has signed in."""
    agents.add_agent(database, f"{name}@example.test", name, PASSWORD)
    browser = httpx.Client(
        base_url=gateway.base_url, headers={"X-Usher-Console": "1"}, timeout=15, trust_env=False
    )
    body = {"email": f"{name}@example.test", "password": PASSWORD}
    answer = browser.post(f"{API}/sign-in", json=body)
    assert answer.status_code == 200, answer.text
    return browser


@pytest.fixture
def browser(gateway: httpx.Client, database: Database) -> httpx.Client:
    return console(gateway, database)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    gateway: httpx.Client, database: Database, serve: Serve
) -> None:
    agents.add_agent(database, "agent@example.test", "A", PASSWORD)
    body = {"email": "agent@example.test", "password": PASSWORD}
    headers = {"X-Usher-Console": "1"}
    answer = gateway.post(f"{API}/sign-in", json=body, headers=headers)
    cookie = answer.headers["set-cookie"].lower()
    for flag in ("httponly", "samesite=strict", "path=/console"):
        assert flag in cookie
    assert "; secure" not in cookie  # http on loopback
    assert answer.json() == {"name": "A", "email": "agent@example.test"}
    public = serve(public_url="https://help.example.test")
    answer = public.post(f"{API}/sign-in", json=body, headers=headers)
    assert "; secure" in answer.headers["set-cookie"].lower()


def test_a_wrong_password_is_refused_and_guessing_is_limited(
    gateway: httpx.Client, database: Database
) -> None:
    agents.add_agent(database, "agent@example.test", "A", PASSWORD)
    headers = {"X-Usher-Console": "1"}
    body = {"email": "agent@example.test", "password": "guess"}
    answers = [gateway.post(f"{API}/sign-in", json=body, headers=headers)]
    assert_error(answers[0], 401, "unauthenticated")
    while len(answers) < 60 and answers[-1].status_code == 401:  # some come back with time
        answers.append(gateway.post(f"{API}/sign-in", json=body, headers=headers))
    assert len(answers) > 10
    assert_error(answers[-1], 429, "rate_limited")
    assert not any("set-cookie" in each.headers for each in answers)


def test_a_bad_sign_in_is_refused_by_the_name_of_its_field(gateway: httpx.Client) -> None:
    headers = {"X-Usher-Console": "1"}
    for body, named in (
        ({"email": "a@b"}, "password"),
        ({"email": 1, "password": "x"}, "email"),
        ({"email": "a@b", "password": "x" * 2000}, "password"),
        ({"email": "a@b", "password": "x", "admin": True}, "admin"),
    ):
        answer = gateway.post(f"{API}/sign-in", json=body, headers=headers)
        assert named in assert_error(answer, 422, "invalid_input")
    for email in (b"a\\u0000@b", b"a\\ud800@b"):
        raw = b'{"email": "%s", "password": "x"}' % email
        answer = gateway.post(f"{API}/sign-in", content=raw, headers=headers)
        assert answer.status_code in {401, 422}, answer.text


def test_nothing_is_shown_to_somebody_who_is_not_signed_in(gateway: httpx.Client) -> None:
    headers = {"X-Usher-Console": "1"}
    for path in ("me", "conversations", "conversations/x"):
        assert_error(gateway.get(f"{API}/{path}", headers=headers), 401, "unauthenticated")
        cookie = headers | {"Cookie": "usher_agent=guess"}
        assert_error(gateway.get(f"{API}/{path}", headers=cookie), 401, "unauthenticated")
    for act in ("claim", "release", "resolve", "reply"):
        answer = gateway.post(f"{API}/conversations/x/{act}", headers=headers)
        assert_error(answer, 401, "unauthenticated")


def test_another_site_cannot_act_in_the_agents_name(
    browser: httpx.Client, database: Database
) -> None:
    conversation = waiting(database).conversation_id
    del browser.headers["X-Usher-Console"]
    for act in ("claim", "release", "resolve", "reply"):
        answer = browser.post(f"{API}/conversations/{conversation}/{act}")
        assert_error(answer, 403, "forbidden")
    assert_error(browser.post(f"{API}/sign-out"), 403, "forbidden")
    assert conversation_of(database, conversation).owner == "waiting"


def test_the_queue_lists_who_waits_and_why(browser: httpx.Client, database: Database) -> None:
    assert browser.get(f"{API}/conversations").json() == {"conversations": []}
    conversation = waiting(database, "th").conversation_id
    [entry] = browser.get(f"{API}/conversations").json()["conversations"]
    assert entry["id"] == conversation
    assert (entry["owner"], entry["language"]) == ("waiting", "th")
    assert (entry["reason"], entry["claimed_by"]) == ("asked_for_human", None)
    assert entry["mine"] is False


def test_opinions_of_customers_are_listed_until_an_agent_has_read_them(
    browser: httpx.Client, database: Database
) -> None:
    said = say(database, new_customer(database, "vi"), "Chữ nhỏ quá")
    with database.write("test") as session:
        session.add(Remark(message_id=said.message_id, conversation_id=said.conversation_id))
    [remark] = browser.get(f"{API}/remarks").json()["remarks"]
    assert remark["id"] == said.message_id
    assert (remark["text"], remark["language"]) == ("Chữ nhỏ quá", "vi")
    for _ in range(2):
        assert browser.post(f"{API}/remarks/{said.message_id}/read").status_code == 200
    assert browser.get(f"{API}/remarks").json() == {"remarks": []}
    assert_error(browser.post(f"{API}/remarks/none/read"), 404, "not_found")


def test_an_agent_claims_replies_and_resolves(browser: httpx.Client, database: Database) -> None:
    conversation = waiting(database).conversation_id
    customer = conversation_of(database, conversation).customer_id
    path = f"{API}/conversations/{conversation}"
    assert browser.post(f"{path}/claim").json() == {"owner": "agent"}
    shown = browser.get(path).json()
    assert (shown["mine"], shown["claimed_by"], shown["owner"]) == (True, "agent", "agent")
    assert shown["messages"][0]["text"] == "A person, please"
    reply = {"client_message_id": "1", "text": "Here I am"}
    first = browser.post(f"{path}/reply", json=reply)
    assert first.status_code == 200
    assert browser.post(f"{path}/reply", json=reply).json() == first.json()
    other = browser.post(f"{path}/reply", json=reply | {"text": "Something else"})
    assert_error(other, 409, "conflict")
    assert [each.author for each in timeline(database, customer)].count("agent") == 1
    assert browser.post(f"{path}/resolve").json() == {"owner": "assistant"}
    assert browser.get(f"{API}/conversations").json() == {"conversations": []}
    assert_error(browser.post(f"{path}/claim"), 409, "conflict")


def test_a_colleague_can_neither_claim_nor_answer_what_another_has(
    browser: httpx.Client, gateway: httpx.Client, database: Database
) -> None:
    path = f"{API}/conversations/{waiting(database).conversation_id}"
    colleague = console(gateway, database, "colleague")
    browser.post(f"{path}/claim")
    assert_error(colleague.post(f"{path}/claim"), 409, "conflict")
    reply = {"client_message_id": "1", "text": "me too"}
    assert_error(colleague.post(f"{path}/reply", json=reply), 403, "forbidden")
    assert_error(colleague.post(f"{path}/resolve"), 403, "forbidden")
    assert browser.post(f"{path}/release").json() == {"owner": "waiting"}
    assert colleague.post(f"{path}/claim").json() == {"owner": "agent"}


def test_bad_replies_and_unknown_conversations_are_refused(
    browser: httpx.Client, database: Database
) -> None:
    path = f"{API}/conversations/{waiting(database).conversation_id}"
    browser.post(f"{path}/claim")
    for body in ({}, {"client_message_id": "1", "text": ""}, {"client_message_id": 1, "text": "a"}):
        assert_error(browser.post(f"{path}/reply", json=body), 422, "invalid_input")
    null = {"client_message_id": "a\0", "text": "a"}
    assert_error(browser.post(f"{path}/reply", json=null), 422, "invalid_input")
    for unknown in ("0" * 32, "x", "a" * 500):
        assert_error(browser.get(f"{API}/conversations/{unknown}"), 404, "not_found")
        assert_error(browser.post(f"{API}/conversations/{unknown}/claim"), 404, "not_found")


def test_a_null_character_in_an_address_finds_nothing(browser: httpx.Client) -> None:
    answer = browser.get(f"{API}/conversations/%00")
    assert answer.status_code in {404, 422}, answer.text


def test_signing_out_ends_the_session_on_the_server(browser: httpx.Client) -> None:
    token = browser.cookies["usher_agent"]
    assert browser.get(f"{API}/me").json()["name"] == "agent"
    assert browser.post(f"{API}/sign-out").status_code == 200
    answer = browser.get(f"{API}/me", headers={"Cookie": f"usher_agent={token}"})
    assert_error(answer, 401, "unauthenticated")


def test_what_a_customer_wrote_is_shown_as_text(browser: httpx.Client, database: Database) -> None:
    conversation = waiting(database).conversation_id
    text = "<img src=x onerror=alert(1)>"
    say(database, conversation_of(database, conversation).customer_id, text)
    [entry] = browser.get(f"{API}/conversations").json()["conversations"]
    assert entry["last_text"] == text
    answer = browser.get(f"{API}/conversations")
    assert answer.headers["content-type"] == "application/json"
