"""Lighter calls of Rasa to the action server; the answers are the same.

Rasa sends the whole domain and the whole conversation with every call, over a connection of
its own. Our actions read the slots, the last message and what was said just before it; the
domain that they are given is empty.
"""

from functools import lru_cache
from typing import Any, Dict, Text

import aiohttp
import rasa
from rasa.core.actions import action
from rasa.core.actions.action import RemoteAction
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker, EventVerbosity
from rasa.utils.endpoints import EndpointConfig

NEWEST_EVENTS = 80
"""About the last ten turns."""
ACTION_SECONDS = 4
"""The worker waits six seconds for a turn; Rasa's own five minutes would block what follows."""
KEPT_SECONDS = 2
"""How long an unused connection is kept; the server keeps it longer, so it is never half closed."""


def _action_call_format(
    self: RemoteAction, tracker: DialogueStateTracker, domain: Domain
) -> Dict[Text, Any]:
    state = tracker.current_state(EventVerbosity.ALL)
    state["events"] = state["events"][-NEWEST_EVENTS:]
    return {
        "next_action": self.name(),
        "sender_id": tracker.sender_id,
        "tracker": state,
        "domain": {},  # without the key the action server would ask for it
        "version": rasa.__version__,
    }


@lru_cache(maxsize=1)
def _connections() -> aiohttp.TCPConnector:
    """Made at the first call, because it belongs to the running event loop."""
    return aiohttp.TCPConnector(keepalive_timeout=KEPT_SECONDS)


def _session(self: EndpointConfig) -> aiohttp.ClientSession:
    key = self.basic_auth
    return aiohttp.ClientSession(
        headers=self.headers,
        auth=aiohttp.BasicAuth(key["username"], key["password"]) if key else None,
        connector=_connections(),
        connector_owner=False,
    )


def install() -> None:
    """Let every remote action be called this way."""
    action.DEFAULT_REQUEST_TIMEOUT = ACTION_SECONDS
    RemoteAction._action_call_format = _action_call_format
    EndpointConfig.session = _session
