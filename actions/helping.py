"""Whether a turn has helped. Nobody is sent round in circles: who is not helped is offered a
person, and gets one when they stay without help.
"""

from typing import Any

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.turning import Events

OFFERED_AT = 2
QUEUED_AT = 3
"""Turns in a row that did not help."""


def hand_off(dispatcher: CollectingDispatcher, reason: str) -> Events:
    """Ask the worker for a human; the record tells the customer."""
    dispatcher.utter_message(json_message={"handoff": reason})
    return helped(dispatcher)


def helped(dispatcher: CollectingDispatcher) -> Events:
    """The customer got something; the count begins anew."""
    return _count(dispatcher, 0)


def not_helped(
    dispatcher: CollectingDispatcher,
    tracker: Tracker,
    reason: str,
    response: str | None = None,
    before: int | None = None,
    **said: Any,
) -> Events:
    """Say something that does not help, offer a person with it, or get one.

    Args:
        reason: why a human is asked, if it comes to that.
        response: what is said; None: nothing but the offer.
        before: how often in a row the customer was not helped; None: as the slot says.
        said: further arguments of `utter_message`.
    """
    times = 1 + int(tracker.get_slot("unhelped") or 0 if before is None else before)
    if times >= QUEUED_AT:
        return hand_off(dispatcher, reason)
    if response:
        dispatcher.utter_message(response=response, **said)
    if times == OFFERED_AT or not response:
        dispatcher.utter_message(response="utter_offer_human")
    return _count(dispatcher, times)


def _count(dispatcher: CollectingDispatcher, times: int) -> Events:
    # The record keeps it: a tracker may be lost.
    dispatcher.utter_message(json_message={"unhelped": times})
    return [SlotSet("unhelped", times)]
