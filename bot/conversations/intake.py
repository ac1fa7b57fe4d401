"""Customers' messages come in: committed before they are acknowledged, never twice."""

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.ownership import Owner
from bot.conversations.tables import Message
from bot.conversations.timeline import append, lock_customer, open_conversation
from bot.errors import Conflict, InvalidInput
from bot.messages import LANGUAGES, MAX_TEXT_LENGTH, Author

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


def accept(
    database: Database,
    customer_id: str,
    client_message_id: str,
    text: str,
    language: str | None,
    silence: timedelta,
) -> Accepted:
    """Record a customer's message; when this returns, it cannot be lost.

    Args:
        client_message_id: the sender's own id; the same id again changes nothing.
        language: of the page that the customer writes on, when known.
        silence: a message after this long opens a new conversation.

    Raises:
        Conflict: the id was used before for another text.
        InvalidInput: see `clean_text`.
        NotFound: no such customer.
        Unavailable: the database does not answer.
    """
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(f"'language' must be one of {', '.join(LANGUAGES)}.")
    text = clean_text(text)
    body_hash = hashlib.sha256(f"{language}\0{text}".encode()).hexdigest()
    client_message_id = f"customer:{client_message_id}"  # never meets an agent's id
    with database.write("intake") as session:
        customer = lock_customer(session, customer_id)
        known = _accepted_before(session, customer_id, client_message_id, body_hash)
        if known is not None:
            return known
        conversation = open_conversation(session, customer, silence)
        if language is not None and language != customer.page_language:
            # Another page than last time; the same page does not undo a wish.
            customer.page_language = customer.language = conversation.language = language
        for_assistant = conversation.owner == Owner.ASSISTANT
        message = append(
            session,
            customer,
            conversation,
            Author.CUSTOMER,
            text,
            client_message_id=client_message_id,
            body_hash=body_hash,
            pending=for_assistant,
        )
        if for_assistant:
            conversation.turn_due_at = now()
        return Accepted(message.id, conversation.id, message.seq, repeated=False)


def _accepted_before(
    session: Session, customer_id: str, client_message_id: str, body_hash: str
) -> Accepted | None:
    known = session.scalars(
        select(Message).where(
            Message.customer_id == customer_id, Message.client_message_id == client_message_id
        )
    ).one_or_none()
    if known is None:
        return None
    if known.body_hash != body_hash:
        raise Conflict("This client_message_id was already used for another message.")
    return Accepted(known.id, known.conversation_id, known.seq, repeated=True)
