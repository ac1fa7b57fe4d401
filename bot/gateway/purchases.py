"""Purchase events of shops, and of the demo shop's buttons."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from bot.conversations import customers
from bot.conversations.nudges import TIPS, TURNS
from bot.errors import InvalidInput, NotFound
from bot.gateway.context import Gateway, gateway_of
from bot.gateway.http import Body, bearer, read_body, read_bytes
from bot.journeys import purchases
from bot.signatures import verify

log = structlog.get_logger()
router = APIRouter()


class DemoPurchase(Body):
    product: Annotated[str, Field(max_length=64)]


@router.post("/webhooks/purchases/{source}")
async def webhook(request: Request, source: str) -> JSONResponse:
    """202 for a new event, 200 for one that was recorded before."""
    if source != "generic":
        raise NotFound("There is no such source of purchases. Known: generic.")
    gateway = gateway_of(request)
    body = await read_bytes(request, purchases.MAX_BODY_BYTES)
    verify(body, request.headers.get("usher-signature"), gateway.settings.purchase_secrets)
    return await _record(gateway, purchases.parse_generic(body))


@router.post("/api/v1/demo/purchases")
async def demo_purchase(request: Request) -> JSONResponse:
    """What the demo shop's back end would send when somebody presses "buy"."""
    gateway = gateway_of(request)
    if not gateway.settings.demo_shop:
        raise NotFound("The demo shop is switched off.")
    token = bearer(request)
    customer_id = await asyncio.to_thread(customers.customer_of, gateway.database, token)
    gateway.message_limit.take(customer_id)
    body = await read_body(request, DemoPurchase)
    known = sorted({journey.product for journey in gateway.journeys})
    if body.product not in known:
        raise InvalidInput(f"product: must be one of {', '.join(known)}.")
    event = {
        "event_id": uuid4().hex,
        "order_id": f"M-{uuid4().int % 10**8:08}",
        "customer": {"visitor_id": customer_id},
        "products": [body.product],
        "purchased_at": datetime.now(UTC).isoformat(),
    }
    parsed = purchases.parse_generic(json.dumps(event).encode(), source="demo")
    return await _record(gateway, parsed)


async def _record(gateway: Gateway, event: purchases.PurchaseEvent) -> JSONResponse:
    purchase, new = await asyncio.to_thread(
        purchases.record,
        gateway.database,
        event,
        gateway.journeys,
        gateway.settings.default_language,
    )
    log.info("purchase", purchase=purchase.id, source=event.source, new=new)
    gateway.nudges.send(TURNS, TIPS)
    answer: dict[str, Any] = {"order_id": purchase.order_id, "recorded": new}
    return JSONResponse(answer, 202 if new else 200)
