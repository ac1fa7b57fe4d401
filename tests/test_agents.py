"""Agents' accounts and sessions."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.conversations.database import Database, now
from bot.errors import Conflict, InvalidInput, Unauthenticated
from bot.handoff.agents import add_agent, agent_of, sign_in, sign_out
from bot.handoff.tables import Agent, AgentSession
from tests.scenes import at_once

PASSWORD = "correct horse battery"


def test_an_agent_signs_in_whatever_the_case_of_the_email(database: Database) -> None:
    added = add_agent(database, " Agent@Example.Test ", "", PASSWORD)
    agent, token = sign_in(database, "agent@EXAMPLE.test", PASSWORD)
    assert agent.id == added.id
    assert agent.name == "agent@example.test"
    assert agent_of(database, token).id == added.id


def test_neither_the_password_nor_the_token_is_kept(database: Database) -> None:
    add_agent(database, "agent@example.test", "A", PASSWORD)
    _, token = sign_in(database, "agent@example.test", PASSWORD)
    with database.read() as session:
        [agent], [kept] = session.scalars(select(Agent)), session.scalars(select(AgentSession))
    assert PASSWORD not in agent.password_hash
    assert agent.password_hash.startswith("$argon2id$")
    assert token not in kept.token_hash


def test_what_was_wrong_is_not_told(database: Database) -> None:
    add_agent(database, "agent@example.test", "A", PASSWORD)
    said = set()
    for email, password in (("agent@example.test", "wrong"), ("nobody@example.test", PASSWORD)):
        with pytest.raises(Unauthenticated) as error:
            sign_in(database, email, password)
        said.add(str(error.value))
    assert said == {"The e-mail or the password is wrong."}


def test_an_account_needs_an_email_address(database: Database) -> None:
    for email in ("", "agent", "@example.test", "a b@example.test", "a@"):
        with pytest.raises(InvalidInput, match="e-mail"):
            add_agent(database, email, "A", PASSWORD)


def test_an_account_needs_a_long_password(database: Database) -> None:
    with pytest.raises(InvalidInput, match="10"):
        add_agent(database, "agent@example.test", "A", "123456789")


def test_of_the_same_email_at_the_same_time_one_account_is_made(database: Database) -> None:
    results = at_once(lambda _: add_agent(database, "agent@example.test", "A", PASSWORD), range(4))
    assert sum(isinstance(each, Agent) for each in results) == 1
    assert sum(isinstance(each, Conflict) for each in results) == 3


def test_a_session_ends_with_signing_out_and_the_others_stay(database: Database) -> None:
    add_agent(database, "agent@example.test", "A", PASSWORD)
    _, one = sign_in(database, "agent@example.test", PASSWORD)
    _, other = sign_in(database, "agent@example.test", PASSWORD)
    sign_out(database, one)
    sign_out(database, one)  # again: nothing happens
    with pytest.raises(Unauthenticated):
        agent_of(database, one)
    assert agent_of(database, other).email == "agent@example.test"


def test_a_session_ends_with_time(database: Database) -> None:
    add_agent(database, "agent@example.test", "A", PASSWORD)
    _, token = sign_in(database, "agent@example.test", PASSWORD)
    with database.write("test") as session:
        session.scalars(select(AgentSession)).one().expires_at = now() - timedelta(seconds=1)
    with pytest.raises(Unauthenticated):
        agent_of(database, token)


def test_an_unknown_token_is_nobodys(database: Database) -> None:
    for token in ("", "x", "0" * 5000):
        with pytest.raises(Unauthenticated):
            agent_of(database, token)
