"""Signatures of webhooks, in and out: HMAC-SHA256 of the time and the raw body."""

import hashlib
import hmac
import re
import time
from collections.abc import Iterable

from bot.errors import Unauthenticated

TOLERANCE_SECONDS = 300
_SIGNATURE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})")


def sign(body: bytes, secret: str, at: int | None = None) -> str:
    """The `Usher-Signature` header of a body: HMAC-SHA256 of `t.body`."""
    at = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def verify(body: bytes, header: str | None, secrets: Iterable[str]) -> None:
    """Check the signature of the raw bytes against each accepted secret.

    Raises:
        Unauthenticated: missing, malformed, forged, or older or newer than five minutes.
    """
    parts = _SIGNATURE.fullmatch(header or "")
    if parts is None:
        raise Unauthenticated("The Usher-Signature header is missing or not 't=…,v1=…'.")
    at = int(parts[1])
    # Every secret is compared, so that the time taken does not tell which one fitted.
    fits = [hmac.compare_digest(sign(body, secret, at), parts[0]) for secret in secrets]
    if not any(fits):
        raise Unauthenticated("The signature does not fit the body.")
    if abs(time.time() - at) > TOLERANCE_SECONDS:
        raise Unauthenticated("The signature is older than five minutes, or from the future.")
