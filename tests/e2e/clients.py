"""Small clients of the chat API and of the console's API."""

import time
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx

ANSWER_SECONDS = 15
RETRY_SECONDS = 60

Message = dict[str, Any]


class _Client:
    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()


class Customer(_Client):
    """A visitor who writes through the chat API."""

    def __init__(self, url: str, language: str) -> None:
        super().__init__(url)
        self.language = language
        answer = self._http.post("/api/v1/visitors", json={"language": language})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        self.id: str = answer.json()["visitor_id"]
        self._http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        self.conversation_id = ""
        self._read = 0

    def post(self, text: str, client_message_id: str = "") -> httpx.Response:
        """Send a message, once."""
        body = {
            "client_message_id": client_message_id or uuid4().hex,
            "text": text,
            "language": self.language,
        }
        return self._http.post("/api/v1/messages", json=body)

    def send(self, text: str) -> int:
        """Send a message as the widget does: with the same id until it is acknowledged.

        Returns:
            Its `seq`.
        """
        client_message_id = uuid4().hex
        until = time.monotonic() + RETRY_SECONDS
        while True:
            try:
                answer = self.post(text, client_message_id)
            except httpx.TransportError:
                assert time.monotonic() < until, "the gateway does not come back"
                time.sleep(0.2)
                continue
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            self.conversation_id = answer.json()["conversation_id"]
            seq: int = answer.json()["seq"]
            return seq

    def say(self, text: str, seconds: float = ANSWER_SECONDS) -> list[Message]:
        """Send a message and wait for the replies of its turn, which come all at once."""
        seq = self.send(text)
        return self.wait_for(after=seq, seconds=seconds)

    def messages(self, after: int = 0, wait: float = 0) -> list[Message]:
        answer = self._http.get("/api/v1/messages", params={"after": after, "wait": wait})
        assert answer.status_code == httpx.codes.OK, answer.text
        found: list[Message] = answer.json()["messages"]
        return found

    def wait_for(
        self, author: str | None = None, after: int = 0, seconds: float = ANSWER_SECONDS
    ) -> list[Message]:
        """Everything that others wrote after a `seq`, once there is something of that author."""
        until = time.monotonic() + seconds
        found: list[Message] = []
        last = after
        while not any(author in {None, each["author"]} for each in found):
            left = until - time.monotonic()
            wanted = f"message of {author}" if author else "answer"
            assert left > 0, f"no {wanted} in {seconds} s; there is {self.transcript()}"
            new = self.messages(last, wait=min(left, 20))
            last = new[-1]["seq"] if new else last
            found += [each for each in new if each["author"] != "customer"]
        return found

    def transcript(self) -> list[tuple[str, str]]:
        """Author and text of everything; that the numbers have no gaps is checked on the way."""
        messages = self.messages()
        assert [each["seq"] for each in messages] == list(range(1, len(messages) + 1))
        return transcript(messages)


def transcript(messages: list[Message]) -> list[tuple[str, str]]:
    return [(each["author"], each["text"]) for each in messages]


class Agent(_Client):
    """An agent who is signed in to the console."""

    def __init__(self, url: str, email: str, password: str) -> None:
        super().__init__(url)
        self._http.headers["X-Usher-Console"] = "1"
        self._call("POST", "sign-in", json={"email": email, "password": password})

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        answer = self._http.request(method, f"/console/api/{path}", **arguments)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def queue(self) -> dict[str, Any]:
        """Open handoffs by conversation."""
        found = self._call("GET", "conversations")["conversations"]
        return {each["id"]: each for each in found}

    def conversation(self, conversation_id: str) -> Any:
        return self._call("GET", f"conversations/{conversation_id}")

    def claim(self, conversation_id: str) -> None:
        self._call("POST", f"conversations/{conversation_id}/claim")

    def reply(self, conversation_id: str, text: str) -> None:
        body = {"client_message_id": uuid4().hex, "text": text}
        self._call("POST", f"conversations/{conversation_id}/reply", json=body)

    def resolve(self, conversation_id: str) -> None:
        self._call("POST", f"conversations/{conversation_id}/resolve")
