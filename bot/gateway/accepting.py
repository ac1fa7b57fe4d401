"""Where messages of all channels come in: the chat's, and those of other channels."""

from typing import Any

import structlog

from bot import metrics
from bot.conversations.intake import incoming
from bot.conversations.nudges import TIMELINE, TURNS
from bot.conversations.timeline import WEB_CHAT
from bot.gateway.context import Gateway

log = structlog.get_logger()


async def accept(
    gateway: Gateway,
    customer_id: str,
    client_message_id: str,
    text: str,
    language: str | None,
    channel: str = WEB_CHAT,
) -> dict[str, Any]:
    """Record a customer's message; the acknowledgement of what cannot be lost any more.

    Raises:
        RateLimited: the customer writes too much.
        InvalidInput: see `intake.incoming`.
        Conflict, NotFound, Unavailable: see `intake.accept_all`.
    """
    with metrics.taking_in() as taken:
        gateway.message_limit.take(customer_id)
        message = incoming(customer_id, client_message_id, text, language, channel)
        accepted = await gateway.intake(message)
        taken(accepted.repeated)
    log.info(
        "message",
        conversation=accepted.conversation_id,
        message=accepted.message_id,
        seq=accepted.seq,
        channel=channel,
        repeated=accepted.repeated,
    )
    if not accepted.repeated:
        gateway.nudges.send(TURNS, accepted.conversation_id)
        gateway.nudges.send(TIMELINE, customer_id)
    return {
        "message_id": accepted.message_id,
        "conversation_id": accepted.conversation_id,
        "seq": accepted.seq,
    }
