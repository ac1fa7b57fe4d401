"""What a shop's back end and the demo shop's buttons send, through real HTTP."""

import json

import httpx

from bot.signatures import sign
from tests.chatting import assert_error, visitor
from tests.conftest import Serve


def test_a_purchase_webhook_answers_new_and_known_events(serve: Serve) -> None:
    gateway = serve(webhook_secret="key")
    customer = visitor(gateway)
    event = {"event_id": "e", "order_id": "o", "customer": {"visitor_id": customer.id}}
    body = json.dumps(event | {"products": ["brio"]}).encode()

    def send(content: bytes, secret: str = "key", source: str = "generic") -> httpx.Response:
        headers = {"Usher-Signature": sign(content, secret)}
        return gateway.post(f"/webhooks/purchases/{source}", content=content, headers=headers)

    assert send(body).status_code == 202
    assert send(body).status_code == 200
    assert_error(send(body, secret="guess"), 401, "unauthenticated")
    assert_error(send(b"{}"), 422, "invalid_input")
    assert_error(send(b"x" * 300_000), 413, "payload_too_large")
    assert_error(send(body, source="shopify"), 404, "not_found")
    assert_error(send(body.replace(customer.id.encode(), b"0" * 32)), 404, "not_found")


def test_the_demo_shop_sells_its_products_and_may_be_switched_off(serve: Serve) -> None:
    gateway = serve()
    customer = visitor(gateway)
    address = "/api/v1/demo/purchases"
    bought = gateway.post(address, json={"product": "brio"}, headers=customer.headers)
    assert bought.status_code == 202
    unknown = gateway.post(address, json={"product": "x"}, headers=customer.headers)
    assert "brio" in assert_error(unknown, 422, "invalid_input")
    assert_error(gateway.post(address, json={"product": "brio"}), 401, "unauthenticated")
    closed = serve(demo_shop=False)
    off = closed.post(address, json={"product": "brio"}, headers=customer.headers)
    assert_error(off, 404, "not_found")
