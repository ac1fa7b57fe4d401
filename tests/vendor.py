"""A shop's own app behind the webhook channel: a real HTTP server that checks what it is sent."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bot.errors import Unauthenticated
from bot.settings import Settings, load_settings
from bot.signatures import verify

SECRET = "the-app-s-own-secret"
KEYS = {"to", "delivery_id", "seq", "author", "text", "buttons", "sources", "language"}


@dataclass(frozen=True)
class Answer:
    """What the app answers."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    """Close the connection without a word."""


Act = Callable[[Mapping[str, Any]], Answer]


def accept(message: Mapping[str, Any]) -> Answer:
    return Answer(body=json.dumps({"id": f"r-{message['delivery_id']}"}).encode())


@dataclass
class Vendor:
    """The app: remembers every message that it got, and answers as `act` says."""

    act: Act = accept
    received: list[dict[str, Any]] = field(default_factory=list)
    """Bodies in the order of arrival, repeated ones too."""
    problems: list[str] = field(default_factory=list)
    """What was wrong with requests; always to be empty."""
    port: int = 0
    busy: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/messages"

    @property
    def texts(self) -> list[str]:
        return [each["text"] for each in self.received]

    def settings(self, **others: Any) -> Settings:
        values = {"webhook_channel_url": self.url, "webhook_channel_secret": SECRET} | others
        return load_settings(_env_file=None, **values)

    def take(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        message = self._checked(body, headers)
        with self._lock:
            self.received.append(message)
            self.busy += 1
            self.most_at_once = max(self.busy, self.most_at_once)
        try:
            return self.act(message)
        finally:
            with self._lock:
                self.busy -= 1

    def _checked(self, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
        try:
            verify(body, headers["Usher-Signature"], [SECRET])
        except Unauthenticated as problem:
            self.problems.append(str(problem))
        message: dict[str, Any] = json.loads(body)
        if set(message) != KEYS:
            self.problems.append(f"keys: {sorted(message)}")
        if headers["Idempotency-Key"] != message["delivery_id"]:
            self.problems.append("the idempotency key is not the delivery's id")
        if headers["Content-Type"] != "application/json":
            self.problems.append("content type")
        return message


@contextmanager
def vendor(act: Act = accept, port: int = 0) -> Iterator[Vendor]:
    """The app, listening on loopback.

    Args:
        port: 0 for any that is free.
    """
    app = Vendor(act)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed in the middle
                self.close_connection = True
                return
            answer = app.take(body, dict(self.headers))
            if answer.drop:
                self.close_connection = True
                return
            try:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            except OSError:
                pass  # the sender did not wait for it

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 128

        def handle_error(self, *_: Any) -> None:
            pass  # a sender that was killed in the middle of its request

    with Server(("127.0.0.1", port), Handler) as server:
        app.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield app
        finally:
            server.shutdown()
            thread.join()
