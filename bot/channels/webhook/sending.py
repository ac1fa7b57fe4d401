"""The webhook channel, outwards: each message is a signed POST to the shop's own app."""

import asyncio
import json
from dataclasses import asdict
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from bot.channels.base import Busy, Limits, Outgoing, Refused, Uncertain, Unreachable
from bot.settings import Settings
from bot.signatures import sign

NAME = "webhook"

CONNECT_SECONDS = 3.0
SEND_SECONDS = 10.0
"""For a whole call, however slowly the answer drips in."""
MAX_ANSWER_BYTES = 16 * 1024
MAX_RECEIPT_LENGTH = 255
DEFAULT_PAUSE_SECONDS = 5.0


class WebhookChannel:
    """Sends to `USHER_WEBHOOK_CHANNEL_URL`."""

    name = NAME

    def __init__(self, settings: Settings) -> None:
        self.limits = Limits(settings.webhook_channel_per_second, settings.webhook_channel_at_once)
        self._url = settings.webhook_channel_url
        self._secret = settings.webhook_channel_secret
        self._client: httpx.AsyncClient | None = None

    async def send(self, address: str, outgoing: Outgoing) -> str | None:
        """See `Channel.send`."""
        body = json.dumps({"to": address, **asdict(outgoing)}, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": outgoing.delivery_id,
            "Usher-Signature": sign(body, self._secret),
        }
        if self._client is None:  # it belongs to the running event loop
            self._client = _client()
        try:
            async with (
                asyncio.timeout(SEND_SECONDS),
                self._client.stream("POST", self._url, content=body, headers=headers) as answer,
            ):
                return _receipt(answer, await _read(answer))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unreachable(f"No connection to the app: {error!r}") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise Uncertain(f"No answer from the app: {error!r}") from error

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(
        verify=httpx.create_ssl_context(),  # SSL_CERT_FILE names a shop's own certificates
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(SEND_SECONDS, connect=CONNECT_SECONDS),
        # A kept connection may turn out to be closed only after the request was written, and
        # then nobody knows whether it arrived. A new one either stands or nothing was sent.
        limits=httpx.Limits(max_keepalive_connections=0),
    )


async def _read(answer: httpx.Response) -> bytes:
    """The beginning of the answer's body; what is longer holds no receipt."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return b""
    return bytes(body)


def _receipt(answer: httpx.Response, body: bytes) -> str | None:
    status = answer.status_code
    said = f"The app answered with status {status}."
    if answer.is_success:
        return _id(body)
    if status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}:
        raise Busy(said, _pause(answer.headers.get("Retry-After", "")))
    if answer.is_redirect:
        raise Unreachable(f"{said} Redirects are not followed: set the address that they lead to.")
    if answer.is_client_error and status != httpx.codes.REQUEST_TIMEOUT:
        raise Refused(said)
    raise Uncertain(said)


def _id(body: bytes) -> str | None:
    """The `id` of a JSON answer; anything else is no receipt, and no failure either."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    found = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(found, str | int) or isinstance(found, bool):
        return None
    receipt = str(found)
    storable = 0 < len(receipt) <= MAX_RECEIPT_LENGTH and receipt.isprintable()
    return receipt if storable else None


def _pause(retry_after: str) -> float:
    """Seconds of a `Retry-After` header, which may also be a date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            at = parsedate_to_datetime(retry_after)
        except ValueError:
            return DEFAULT_PAUSE_SECONDS
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()
    return seconds if seconds > 0 else DEFAULT_PAUSE_SECONDS
