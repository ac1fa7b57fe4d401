"""Agents' accounts and sessions."""

import hashlib
import re
import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from bot.conversations.database import Database, now
from bot.errors import Conflict, InvalidInput, Unauthenticated
from bot.handoff.tables import Agent, AgentSession

SESSION_LENGTH = timedelta(hours=12)
MIN_PASSWORD_LENGTH = 10
_hasher = PasswordHasher()
# Checked when the e-mail is unknown, so that the time taken does not tell it.
_NOBODY = _hasher.hash(secrets.token_hex())


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def add_agent(database: Database, email: str, name: str, password: str) -> Agent:
    """Create an agent's account.

    Raises:
        InvalidInput: the e-mail or the password cannot be used.
        Conflict: there is an agent with this e-mail.
    """
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise InvalidInput(f"'{email}' is not an e-mail address.")
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InvalidInput(f"The password needs at least {MIN_PASSWORD_LENGTH} characters.")
    agent = Agent(email=email, name=name.strip() or email, password_hash=_hasher.hash(password))
    try:
        with database.write("agent") as session:
            session.add(agent)
    except IntegrityError:
        raise Conflict(f"There is already an agent with the e-mail {email}.") from None
    return agent


def sign_in(database: Database, email: str, password: str) -> tuple[Agent, str]:
    """The agent and a new session token.

    Raises:
        Unauthenticated: the e-mail or the password is wrong; it does not say which.
    """
    with database.read() as session:
        agent = session.scalars(
            select(Agent).where(Agent.email == email.strip().lower())
        ).one_or_none()
    try:
        _hasher.verify(agent.password_hash if agent else _NOBODY, password)
    except VerificationError:
        agent = None
    if agent is None:
        raise Unauthenticated("The e-mail or the password is wrong.")
    token = secrets.token_urlsafe(32)
    with database.write("sign_in") as session:
        session.execute(delete(AgentSession).where(AgentSession.expires_at < now()))
        session.add(
            AgentSession(
                token_hash=token_hash(token), agent_id=agent.id, expires_at=now() + SESSION_LENGTH
            )
        )
    return agent, token


def agent_of(database: Database, token: str) -> Agent:
    """The agent whose session this is.

    Raises:
        Unauthenticated: not signed in, or not any more.
    """
    with database.read() as session:
        agent = session.scalars(
            select(Agent)
            .join(AgentSession, AgentSession.agent_id == Agent.id)
            .where(AgentSession.token_hash == token_hash(token), AgentSession.expires_at > now())
        ).one_or_none()
    if agent is None:
        raise Unauthenticated("Sign in first.")
    return agent


def sign_out(database: Database, token: str) -> None:
    with database.write("sign_out") as session:
        session.execute(delete(AgentSession).where(AgentSession.token_hash == token_hash(token)))
