"""Customers' messages come in: committed before they are acknowledged, never twice."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import LISTENS
from bot.conversations.tables import Conversation, Customer, Message
from bot.conversations.timeline import (
    WEB_CHAT,
    append,
    continue_conversation,
    current_conversations,
    lock_customers,
)
from bot.errors import Conflict, InvalidInput, UnknownCustomer, UsherError
from bot.languages import LANGUAGES
from bot.messages import MAX_TEXT_LENGTH, Author

# Everything that is drawn as nothing or reorders what is around it, except what the four
# scripts need: line breaks, tabs, and the (non-)joiners of Persian and emoji.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


@dataclass(frozen=True)
class Accepted:
    """The acknowledgement of a message that is safely in the record."""

    message_id: str
    conversation_id: str
    seq: int
    repeated: bool
    """The same message had been accepted before; nothing was written."""


def clean_text(text: str) -> str:
    """Text as it is stored: NFC, one kind of line break, no invisible controls.

    Raises:
        InvalidInput: nothing is left, or it is too long, or it is not valid Unicode.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInput("The text is not valid Unicode: it has an unpaired surrogate.") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = unicodedata.normalize("NFC", _CONTROLS.sub("", text)).strip()
    if not text:
        raise InvalidInput("The message is empty. Write some text.")
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidInput(f"The message is longer than {MAX_TEXT_LENGTH} characters. Shorten it.")
    return text


@dataclass(frozen=True)
class Incoming:
    """A customer's message that can be recorded; made by `incoming`."""

    customer_id: str
    key: str
    """The sender's id of it; never meets an agent's, or another channel's."""
    text: str
    language: str | None
    channel: str
    body_hash: str


def incoming(
    customer_id: str,
    client_message_id: str,
    text: str,
    language: str | None = None,
    channel: str = WEB_CHAT,
) -> Incoming:
    """Check a customer's message.

    Args:
        client_message_id: the sender's own id; the same id again changes nothing.
        language: of the page that the customer writes on, when known.

    Raises:
        InvalidInput: see `clean_text`.
    """
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(f"'language' must be one of {', '.join(LANGUAGES)}.")
    text = clean_text(text)
    body_hash = hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()
    key = f"{'customer' if channel == WEB_CHAT else channel}:{client_message_id}"
    return Incoming(customer_id, key, text, language, channel, body_hash)


def accept_all(
    database: Database, messages: Sequence[Incoming], silence: timedelta
) -> Sequence[Accepted | UsherError]:
    """Record customers' messages in their order, in one transaction.

    When this returns, none can be lost.

    Args:
        silence: a message after this long opens a new conversation.

    Returns:
        For each message its acknowledgement, or why it was not recorded: `Conflict`, when its
        id was used before for another text, or `UnknownCustomer`.

    Raises:
        Unavailable: the database does not answer; nothing was recorded.
    """
    with database.write("intake") as session:
        customers = lock_customers(session, (each.customer_id for each in messages))
        current = current_conversations(session, customers)
        before = {
            (each.customer_id, each.client_message_id or ""): each
            for each in session.scalars(
                select(Message).where(
                    Message.customer_id.in_(list(customers)),
                    Message.client_message_id.in_([each.key for each in messages]),
                )
            )
        }
        results: list[Accepted | UsherError] = []
        for each in messages:
            customer = customers.get(each.customer_id)
            known = before.get((each.customer_id, each.key))
            if customer is None:
                results.append(UnknownCustomer("There is no such customer."))
            elif known is None:
                conversation = continue_conversation(
                    session, customer, current.get(customer.id), silence, each.channel
                )
                current[customer.id] = conversation
                message = _record(session, customer, conversation, each)
                before[each.customer_id, each.key] = message
                results.append(Accepted(message.id, conversation.id, message.seq, repeated=False))
            elif known.body_hash != each.body_hash:
                results.append(Conflict("This id was already used for another message."))
            else:
                results.append(Accepted(known.id, known.conversation_id, known.seq, repeated=True))
    return results


def _record(
    session: Session, customer: Customer, conversation: Conversation, each: Incoming
) -> Message:
    if each.language is not None and each.language != customer.page_language:
        # Another page than last time; the same page does not undo a wish.
        customer.page_language = customer.language = conversation.language = each.language
    conversation.channel = each.channel  # answers go where the customer is now
    for_assistant = conversation.owner in LISTENS
    if for_assistant:
        conversation.turn_due_at = now()
    return append(
        session,
        customer,
        conversation,
        Author.CUSTOMER,
        each.text,
        client_message_id=each.key,
        body_hash=each.body_hash,
        pending=for_assistant,
    )


def accept(database: Database, message: Incoming, silence: timedelta) -> Accepted:
    """Record one message; see `accept_all`, whose errors this raises."""
    (result,) = accept_all(database, [message], silence)
    if isinstance(result, UsherError):
        raise result
    return result
