"""The private input channel: the worker's only way to Rasa.

Unlike Rasa's REST channel it says what went wrong by a status code, takes what others said in
the meantime into the tracker, and answers a turn that it has already taken as the first time.
Every event that comes from the record carries its `seq` in the metadata; that is how tracker
and record know of each other how far they are.
"""

import asyncio
import hmac
import re
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, Set, Text
from weakref import WeakValueDictionary

import structlog
from rasa.core.agent import Agent
from rasa.core.channels.channel import InputChannel, OutputChannel, UserMessage
from rasa.core.policies.policy import PolicyPrediction
from rasa.core.tracker_store import TrackerStore
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, SlotSet, UserUttered
from rasa.shared.core.trackers import DialogueStateTracker
from sanic import Blueprint, Request, response
from sanic.response import HTTPResponse
from structlog.contextvars import bind_contextvars

from bot.rasa_extensions import action_calls, event_types, private_logs, validation
from bot.rasa_extensions.trace import Rule, read_rules, trace_of
from bot.rasa_extensions.tracker_store import written

logger = structlog.get_logger()

MAX_EVENTS = 160
"""About twenty turns. A longer tracker is cut to the newest half: the rules and actions look no
further back, and Rasa goes through all of it several times a turn."""


SAID_AGAIN = "action_said_again"
"""What is done beside a reply that is the same as the one before."""
MAY_BE_SAID_AGAIN = {"repeat", "greet", "goodbye", "thank", "praise", "wait", "confirm_resolved"}
"""Intents of who wants to hear it again, or needs no help."""
_LEADING = re.compile(r"^\W+")


class Replies(OutputChannel):
    """Collects whole messages, where Rasa's own collector tears them into parts."""

    def __init__(self) -> None:
        self.messages: List[Dict[Text, Any]] = []

    @classmethod
    def name(cls) -> Text:
        return "usher"

    async def send_response(self, recipient_id: Text, message: Dict[Text, Any]) -> None:
        self.messages.append(
            {key: message.get(key) for key in ("text", "buttons", "custom") if message.get(key)}
        )

    async def send_text_message(self, recipient_id: Text, text: Text, **_: Any) -> None:
        self.messages.append({"text": text})


class UsherChannel(InputChannel):
    """`POST /webhooks/usher/turn` and `/history`, with a shared secret."""

    @classmethod
    def name(cls) -> Text:
        return "usher"

    @classmethod
    def from_credentials(cls, credentials: Optional[Dict[Text, Any]]) -> InputChannel:
        return cls((credentials or {}).get("secret") or "")

    def __init__(self, secret: Text) -> None:
        if len(secret) < 16 or secret.startswith("${"):
            raise ValueError(
                "The private channel needs its secret: set USHER_RASA_SECRET "
                "(`usher up` does), at least 16 characters."
            )
        self._secret = secret
        self._locks: WeakValueDictionary[Text, asyncio.Lock] = WeakValueDictionary()
        self._rules = read_rules()
        for part in (action_calls, event_types, private_logs, validation):
            part.install()

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        routes = Blueprint("usher_channel", __name__)

        @routes.get("/")
        async def health(_: Request) -> HTTPResponse:
            return response.json({"status": "ok"})

        @routes.get("/ready")
        async def ready(request: Request) -> HTTPResponse:
            agent = request.app.ctx.agent
            loaded = agent is not None and agent.is_ready()
            return response.json({"model": loaded}, status=200 if loaded else 503)

        @routes.post("/turn")
        async def turn(request: Request) -> HTTPResponse:
            return await self._guarded(request, on_new_message)

        @routes.post("/history")
        async def history(request: Request) -> HTTPResponse:
            return await self._guarded(request, None)

        return routes

    async def _guarded(
        self, request: Request, on_new_message: Optional[Callable[[UserMessage], Awaitable[Any]]]
    ) -> HTTPResponse:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._secret}".encode()):
            return response.json({"error": "unauthenticated"}, status=401)
        agent: Agent = request.app.ctx.agent
        if agent is None or not agent.is_ready():
            return response.json({"error": "no model is loaded"}, status=503)
        body = request.json
        bind_contextvars(
            conversation=body["conversation_id"], turn=(body["message"] or {}).get("turn")
        )
        lock = self._locks.setdefault(body["conversation_id"], asyncio.Lock())
        try:
            # A repeated turn waits for the first one to end, and then finds its replies.
            async with lock:
                return await _handle(agent, body, on_new_message, self._rules)
        except Exception as error:
            # The error's own words may be the customer's.
            logger.error("turn failed", exc_info=True)
            return response.json({"error": type(error).__name__}, status=503)


async def _handle(
    agent: Agent,
    body: Dict[Text, Any],
    on_new_message: Optional[Callable[[UserMessage], Awaitable[Any]]],
    rules: Sequence[Rule],
) -> HTTPResponse:
    conversation, message = body["conversation_id"], body["message"]
    # The fail-safe wrapper would go on with an empty memory when Redis does not answer.
    store = getattr(agent.tracker_store, "_tracker_store", agent.tracker_store)
    tracker = await store.retrieve(conversation)
    if tracker is None:
        tracker = DialogueStateTracker(conversation, agent.domain.slots)
    place = None if message is None else _place_of(tracker, message["seq"])
    if place is not None:
        replies = _replies_after(tracker, place)
        if replies:
            return _answer(replies, tracker, message["seq"], rules)
        # An action failed in this turn, so nothing was said: it is taken again.
        tracker = _cut(tracker, agent, list(tracker.events)[:place])
        await store.save(tracker)
    known = _last_seq(tracker)
    if known < body["after"]:
        return response.json({"seq": known}, status=409)
    if len(tracker.events) > MAX_EVENTS:
        await store.save(_newest_half(tracker, agent))
    missed = [item for item in body["history"] if item["seq"] > known]
    if missed:
        await _catch_up(agent, store, conversation, missed)
    if message is None or on_new_message is None:
        return response.json({"seq": max([known, *(item["seq"] for item in missed)])})
    return await _take_turn(agent, conversation, message, on_new_message, rules)


async def _catch_up(
    agent: Agent, store: TrackerStore, conversation: Text, missed: List[Dict[Text, Any]]
) -> None:
    """Write what others said into the tracker."""
    # The session's start comes first, or Rasa would start one after the history.
    tracker = await agent.processor.fetch_tracker_with_initial_session(conversation)
    for item in missed:
        for event in _as_events(item):
            tracker.update(event, agent.domain)
    await store.save(tracker)


def plain(text: Text) -> Text:
    """A customer's text as Rasa may have it: it obeys "/intent", after any blank."""
    return _LEADING.sub(lambda leading: leading[0].replace("/", "\u2215"), text)


async def _take_turn(
    agent: Agent,
    conversation: Text,
    message: Dict[Text, Any],
    on_new_message: Callable[[UserMessage], Awaitable[Any]],
    rules: Sequence[Rule],
) -> HTTPResponse:
    replies = Replies()
    trackers: List[DialogueStateTracker] = []
    metadata = {
        "seq": message["seq"],
        "turn": message.get("turn"),
        "_nlu": {"matches": message["matches"], "context": message["context"]},
    }
    looking = written.set(trackers)
    try:
        await on_new_message(
            UserMessage(
                plain(message["text"]),
                replies,
                conversation,
                input_channel=UsherChannel.name(),
                metadata=metadata,
            )
        )
        if trackers and _says_again(trackers[-1], message["seq"]):
            tracker = trackers[-1]
            # Rasa's own `execute_action` would save it before it listens again. A process that
            # is killed then leaves a tracker with which no rule begins.
            action = agent.processor._get_action(SAID_AGAIN)
            await agent.processor._run_action(
                action, tracker, replies, agent.nlg, PolicyPrediction([1.0], "channel")
            )
            tracker.update(ActionExecuted("action_listen"))
            await agent.tracker_store.save(tracker)
    finally:
        written.reset(looking)
    if not replies.messages:
        return response.json({"error": "the assistant said nothing"}, status=503)
    return _answer(replies.messages, trackers[-1] if trackers else None, message["seq"], rules)


def _answer(
    replies: List[Dict[Text, Any]],
    tracker: Optional[DialogueStateTracker],
    seq: int,
    rules: Sequence[Rule],
) -> HTTPResponse:
    """The same for a turn that was just taken as for one that was taken before."""
    place = None if tracker is None else _place_of(tracker, seq)
    if tracker is None or place is None:
        return response.json({"replies": replies, "seq": seq, "trace": None})
    turn = [event.as_dict() for event in list(tracker.events)[place:]]
    return response.json({"replies": replies, "seq": seq, "trace": trace_of(turn, rules)})


def _last_seq(tracker: DialogueStateTracker) -> int:
    # Not that of the last event: a dead letter that is tried again is older than others.
    said = (event for event in tracker.events if isinstance(event, (UserUttered, BotUttered)))
    return max((int((event.metadata or {}).get("seq") or 0) for event in said), default=0)


def _place_of(tracker: DialogueStateTracker, seq: int) -> Optional[int]:
    """Where the message with this number stands among the events."""
    for place, event in enumerate(tracker.events):
        if isinstance(event, UserUttered) and (event.metadata or {}).get("seq") == seq:
            return place
    return None


def _replies_after(tracker: DialogueStateTracker, place: int) -> List[Dict[Text, Any]]:
    """What the assistant said to the message at this place."""
    replies: List[Dict[Text, Any]] = []
    for event in list(tracker.events)[place + 1 :]:
        if isinstance(event, UserUttered):
            break
        if isinstance(event, BotUttered) and "seq" not in (event.metadata or {}):
            data = {key: value for key, value in event.data.items() if value}
            replies.append({"text": event.text, **data} if event.text else data)
    return replies


def _says_again(tracker: DialogueStateTracker, seq: int) -> bool:
    """Whether the assistant says to this message what it said to the one before, unasked."""
    place = _place_of(tracker, seq)
    if place is None:
        return False
    events = list(tracker.events)
    is_welcome = events[place].intent.get("name") in MAY_BE_SAID_AGAIN
    if is_welcome or tracker.get_slot("waiting"):
        return False
    now = events[place + 1 :]
    if any((_custom(event).get("unhelped") or 0) > 0 for event in now):
        return False  # an action has seen to it that nobody goes round in circles
    said = _texts(now)
    before: List[Text] = []
    for event in reversed(events[:place]):
        if isinstance(event, UserUttered):
            break
        before += _texts([event])
    return bool(said) and said <= set(before)


def _custom(event: Event) -> Dict[Text, Any]:
    return (event.data.get("custom") if isinstance(event, BotUttered) else None) or {}


def _texts(events: Sequence[Event]) -> Set[Text]:
    return {event.text for event in events if isinstance(event, BotUttered) and event.text}


def _as_events(item: Dict[Text, Any]) -> List[Event]:
    """A message of the record as events of the tracker."""
    metadata = {"seq": item["seq"], "author": item["author"]}
    if item["author"] == "customer":
        # Said to a human: it is remembered, not understood.
        return [
            UserUttered(plain(item["text"]), intent={"name": None}, metadata=metadata),
            ActionExecuted("action_listen"),
        ]
    context = item["context"]
    events: List[Event] = [
        BotUttered(item["text"], data={"custom": context} if context else None, metadata=metadata)
    ]
    if context.get("help"):
        events.append(SlotSet("last_tip", {key: context[key] for key in ("product", "help")}))
    return events


def _newest_half(tracker: DialogueStateTracker, agent: Agent) -> DialogueStateTracker:
    """The newest events from a customer's message on, behind what the older ones had set."""
    newest = list(tracker.events)[-MAX_EVENTS // 2 :]
    start = next((n for n, event in enumerate(newest) if isinstance(event, UserUttered)), 0)
    slots = [
        SlotSet(slot.name, slot.value)
        for slot in tracker.slots.values()
        if slot.value != slot.initial_value
    ]
    return _cut(tracker, agent, [*slots, *newest[start:]])


def _cut(tracker: DialogueStateTracker, agent: Agent, events: List[Event]) -> DialogueStateTracker:
    """A tracker with only these of its events."""
    return DialogueStateTracker.from_events(
        tracker.sender_id, events, agent.domain.slots, domain=agent.domain
    )
