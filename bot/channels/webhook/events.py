"""The webhook channel, inwards: what the shop's app tells, verified and parsed."""

import json
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.errors import InvalidInput, NotFound
from bot.languages import LANGUAGE_PATTERN
from bot.settings import Settings
from bot.signatures import verify

MAX_BODY_BYTES = 64 * 1024
_NO_NUL = r"^[^\x00]*$"
"""PostgreSQL stores every character but this one."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class _Message(_Event):
    type: Literal["message"]
    id: Annotated[str, Field(min_length=1, max_length=100, pattern=_NO_NUL)]
    sender: Annotated[str, Field(min_length=1, max_length=255, pattern=_NO_NUL, alias="from")]
    text: str
    language: Annotated[str, Field(pattern=LANGUAGE_PATTERN)] | None = None
    customer_id: Annotated[str, Field(min_length=1, max_length=255, pattern=_NO_NUL)] | None = None


class _Status(_Event):
    type: Literal["status"]
    delivery_id: Annotated[str, Field(min_length=1, max_length=32, pattern=_NO_NUL)]
    state: Literal["delivered", "read", "failed"]


_EVENT: TypeAdapter[_Message | _Status] = TypeAdapter(
    Annotated[_Message | _Status, Field(discriminator="type")]
)


@dataclass(frozen=True)
class MessageEvent:
    """A customer has written in the app."""

    id: str
    """The app's own; the same again changes nothing."""
    address: str
    """The customer's id in the app."""
    text: str
    language: str | None
    external_id: str | None
    """The shop's own id of the customer, as in its purchases, when the app knows it."""


@dataclass(frozen=True)
class StatusEvent:
    """What became of a message that the app was sent."""

    delivery_id: str
    state: str
    """`delivered`, `read` or `failed`."""


def check(settings: Settings, body: bytes, signature: str | None) -> None:
    """Let only through what the app has signed.

    Raises:
        NotFound: the channel is off.
        Unauthenticated: see `verify`.
    """
    if not settings.webhook_channel_url or not settings.webhook_channel_secrets:
        raise NotFound("The webhook channel is off: USHER_WEBHOOK_CHANNEL_URL is not set.")
    verify(body, signature, settings.webhook_channel_secrets)


def parse(body: bytes) -> MessageEvent | StatusEvent:
    """The event of a verified body.

    Raises:
        InvalidInput: names the key and what was expected.
    """
    try:
        event = _EVENT.validate_python(json.loads(body))
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidInput(f"{where}: {first['msg']}") from None
    except (ValueError, RecursionError):
        raise InvalidInput("The body is not valid JSON in UTF-8.") from None
    if isinstance(event, _Status):
        return StatusEvent(event.delivery_id, event.state)
    return MessageEvent(event.id, event.sender, event.text, event.language, event.customer_id)
