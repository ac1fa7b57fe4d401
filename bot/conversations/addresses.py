"""Who it is that writes on a channel: the customer of an address."""

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from bot.conversations.customers import known_customer
from bot.conversations.database import Database
from bot.conversations.tables import Address


def customer_at(
    database: Database, channel: str, address: str, language: str, external_id: str | None = None
) -> str:
    """The id of the customer at an address, who is made when they are new.

    Args:
        address: the customer's id at the vendor.
        language: of a new customer.
        external_id: the shop's own id of the customer; of an address that is known already it
            changes nothing.
    """
    with database.read() as session:
        known = _at(session, channel, address)
    if known is not None:
        return known
    with database.write("address") as session:
        known = _at(session, channel, address)
        if known is not None:
            return known
        try:
            with session.begin_nested():
                customer = known_customer(session, external_id, None, language)
                session.flush()
                session.add(Address(channel=channel, address=address, customer_id=customer.id))
        except IntegrityError:  # another of their first messages was faster
            known = _at(session, channel, address)
            assert known is not None
            return known
        return customer.id


def _at(session: Session, channel: str, address: str) -> str | None:
    wanted = select(Address.customer_id).where(
        Address.channel == channel, Address.address == address
    )
    return session.scalars(wanted).one_or_none()
