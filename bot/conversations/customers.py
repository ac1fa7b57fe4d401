"""Who writes to us: visitors with a token, and customers whom the shop knows."""

import hashlib
import secrets
from dataclasses import dataclass

import jwt
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversations.database import Database
from bot.conversations.tables import Customer, VisitorToken
from bot.errors import InvalidInput, NotFound, Unauthenticated
from bot.languages import LANGUAGES

NOT_KNOWN = "The token is not known. Ask for a new one: POST /api/v1/visitors."


@dataclass(frozen=True)
class Visitor:
    """A new visitor; the token is shown this once and kept only as a hash."""

    customer_id: str
    token: str


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def identity(token: str, secret: str) -> str:
    """The shop's customer id in a signed identity token (JWT, HS256, `sub` and `exp`).

    Raises:
        Unauthenticated: forged, expired, or no secret is set.
    """
    if not secret:
        raise Unauthenticated("Identity tokens are not accepted: USHER_IDENTITY_SECRET is not set.")
    try:
        claims = jwt.decode(
            token, secret, algorithms=["HS256"], options={"require": ["sub", "exp"]}
        )
    except jwt.InvalidTokenError as error:
        raise Unauthenticated(f"The identity token is not valid: {error}") from error
    return str(claims["sub"])[:255]


def new_visitor(database: Database, language: str, external_id: str | None = None) -> Visitor:
    """A visitor; with the shop's customer id, that customer, on whatever device."""
    if language not in LANGUAGES:
        raise InvalidInput(f"'language' must be one of {', '.join(LANGUAGES)}.")
    token = secrets.token_urlsafe(32)
    with database.write("visitor") as session:
        customer = known_customer(session, external_id, None, language)
        session.add(VisitorToken(token_hash=_hash(token), customer_id=customer.id))
        return Visitor(customer.id, token)


def customer_of(database: Database, token: str) -> str:
    """The id of the customer whose token this is.

    Raises:
        Unauthenticated: nobody's.
    """
    with database.read() as session:
        found = session.get(VisitorToken, _hash(token))
    if found is None:
        raise Unauthenticated(NOT_KNOWN)
    return found.customer_id


def known_customer(
    session: Session, external_id: str | None, visitor_id: str | None, language: str
) -> Customer:
    """The customer that a shop speaks of; made when nobody has that external id yet.

    Raises:
        NotFound: there is no such visitor.
    """
    if visitor_id is not None:
        visitor = session.get(Customer, visitor_id)
        if visitor is None:
            raise NotFound("There is no visitor with this id.")
        return visitor
    # Locked against being erased before what refers to them is written.
    same = (
        select(Customer)
        .where(Customer.external_id == external_id)
        .with_for_update(read=True, key_share=True)
    )
    if external_id is not None and (known := session.scalars(same).one_or_none()) is not None:
        return known
    customer = Customer(external_id=external_id, language=language)
    try:
        with session.begin_nested():
            session.add(customer)
    except IntegrityError:  # another process was faster
        return session.scalars(same).one()
    return customer
