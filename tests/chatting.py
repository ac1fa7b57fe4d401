"""A customer at the chat API, as a web page is one."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx


@dataclass
class Visitor:
    """A visitor with a token."""

    client: httpx.Client
    id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def send(self, text: str = "hello", **fields: Any) -> httpx.Response:
        body = {"client_message_id": uuid4().hex, "text": text} | fields
        return self.client.post("/api/v1/messages", json=body, headers=self.headers)

    def send_raw(self, body: bytes) -> httpx.Response:
        return self.client.post("/api/v1/messages", content=body, headers=self.headers)

    def read(self, after: int = 0, **query: Any) -> list[dict[str, Any]]:
        answer = self.client.get(
            "/api/v1/messages", params={"after": after} | query, headers=self.headers
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["messages"]
        return found


def visitor(client: httpx.Client, **body: Any) -> Visitor:
    answer = client.post("/api/v1/visitors", json=body)
    assert answer.status_code == 201, answer.text
    return Visitor(client, answer.json()["visitor_id"], answer.json()["token"])


def assert_error(answer: httpx.Response, status: int, code: str) -> str:
    """The one format of errors, without a trace, a path or a class of ours in it."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["code"] == code
    message: str = body["error"]["message"]
    assert message
    for leak in ("Traceback", 'File "', ".py", "sqlalchemy", "psycopg", "pydantic", "0x"):
        assert leak not in answer.text
    return message
