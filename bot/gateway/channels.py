"""What channels tell us: customers' messages, and what became of deliveries."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from bot.channels.webhook import events
from bot.channels.webhook.events import MessageEvent, StatusEvent
from bot.channels.webhook.sending import NAME as WEBHOOK
from bot.conversations import addresses
from bot.deliveries import reports
from bot.deliveries.states import State
from bot.errors import UnknownCustomer
from bot.gateway.accepting import accept
from bot.gateway.context import Gateway, gateway_of
from bot.gateway.http import read_bytes

router = APIRouter()


@router.post("/webhooks/channels/webhook")
async def webhook(request: Request) -> JSONResponse:
    """202 for a message that is in the record, 200 for a report."""
    gateway = gateway_of(request)
    body = await read_bytes(request, events.MAX_BODY_BYTES)
    events.check(gateway.settings, body, request.headers.get("usher-signature"))
    event = events.parse(body)
    if isinstance(event, StatusEvent):
        return await _report(gateway, WEBHOOK, event)
    return await _accept(gateway, WEBHOOK, event)


async def _accept(gateway: Gateway, channel: str, event: MessageEvent) -> JSONResponse:
    try:
        return await _record(gateway, channel, event)
    except UnknownCustomer:  # erased this moment: whoever writes now is somebody new
        return await _record(gateway, channel, event)


async def _record(gateway: Gateway, channel: str, event: MessageEvent) -> JSONResponse:
    customer_id = await asyncio.to_thread(
        addresses.customer_at,
        gateway.database,
        channel,
        event.address,
        event.language or gateway.settings.default_language,
        event.external_id,
    )
    accepted = await accept(gateway, customer_id, event.id, event.text, event.language, channel)
    return JSONResponse(accepted, 202)


async def _report(gateway: Gateway, channel: str, event: StatusEvent) -> JSONResponse:
    state = await asyncio.to_thread(
        reports.report, gateway.database, channel, event.delivery_id, State(event.state)
    )
    return JSONResponse({"delivery_id": event.delivery_id, "state": state})
