"""Acts whose meaning depends on what was said before, and what is done with the conversation."""

import re

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.helping import hand_off, helped, not_helped
from actions.reading import asked, language_of, said_before
from actions.support import ActionReportProblem
from actions.turning import Events, TurnAction
from bot.languages import LANGUAGE_NAMES
from bot.texts import texts

_NAMED = {
    "en": r"english|inglish|\beng\b|tiếng anh|tieng anh|ภาษาอังกฤษ|อังกฤษ|انگلیسی|انگليسي|اینگلیش",
    "vi": r"vietnam|tiếng việt|tieng viet|việt|ภาษาเวียดนาม|เวียดนาม|ویتنامی|ويتنامي",
    "th": r"\bthai\b|tiếng thái|tieng thai|ภาษาไทย|ไทย|تایلندی|تايلندي",
    "fa": r"persian|farsi|iran|ba tư|ba tu|เปอร์เซีย|ฟาร์ซี|อิหร่าน|فارسی|فارسي|پارسی",
}

REASONS = {
    "human_for_complaint": "complaint",
    "human_for_doubt": "not_sure",
    "human_for_order": "order",
}
"""Why a human is wanted, by the offer of one that was accepted."""
WISHES = {
    "stop_tips": "stop_tips",
    "resume_tips": "resume_tips",
    "ask_my_data": "my_data",
    "start_over": "start_over",
}
"""What the record is to do, by the act."""
_SAID = {
    "stop_tips": "utter_stop_tips",
    "resume_tips": "utter_resume_tips",
    "start_over": "utter_start_over",
}


class ActionAffirm(TurnAction):
    """A bare "yes", to whatever was asked."""

    action = "action_affirm"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        question = asked(tracker)
        if question in REASONS:
            return hand_off(dispatcher, REASONS[question])
        if question == "choice":
            _say_again(dispatcher, tracker, response="utter_choose_one")
            return []
        act = question.removeprefix("confirm_")
        if act == "stop":
            dispatcher.utter_message(response="utter_stop")
        elif act == "change_language":
            return _change_language(dispatcher, tracker)
        elif act in WISHES:
            return _grant(dispatcher, act)
        else:
            is_glad = question == "tip_check"
            dispatcher.utter_message(response="utter_glad" if is_glad else "utter_continue")
        return helped(dispatcher)


class ActionDeny(ActionReportProblem):
    """A bare "no", to whatever was asked."""

    action = "action_deny"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        if asked(tracker) == "tip_check":
            return await super().act(dispatcher, tracker)
        if asked(tracker) == "choice":
            return not_helped(dispatcher, tracker, "not_sure", "utter_rejected")
        wants_nobody = asked(tracker) in REASONS
        if tracker.get_slot("unhelped") and not wants_nobody:
            return not_helped(dispatcher, tracker, "not_sure", "utter_ask_rephrase_deny")
        dispatcher.utter_message(response="utter_ask_rephrase_deny")
        return helped(dispatcher) if wants_nobody else []


class ActionGiveFeedback(TurnAction):
    """An opinion: asked for, or passed on when it was."""

    action = "action_give_feedback"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        if asked(tracker) != "feedback":
            dispatcher.utter_message(response="utter_feedback")
            return []
        dispatcher.utter_message(json_message={"wish": "feedback"})
        dispatcher.utter_message(response="utter_feedback_thanks")
        return helped(dispatcher)


class ActionRepeat(TurnAction):
    """Say the last thing again, with its buttons and sources."""

    action = "action_repeat"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        if not _say_again(dispatcher, tracker):
            dispatcher.utter_message(response="utter_nothing_to_repeat")
        return []


def _say_again(
    dispatcher: CollectingDispatcher, tracker: Tracker, response: str | None = None
) -> bool:
    """Say what was said before; whether there was anything.

    Args:
        response: what is said in the place of its words.
    """
    said = [(each, each.get("data") or {}) for each in said_before(tracker)]
    if response:  # of what was said only the choice is meant
        said = [each for each in said if (each[1].get("custom") or {}).get("asks") == "choice"][-1:]
    for event, data in said:
        dispatcher.utter_message(
            text=None if response else event["text"],
            response=response,
            buttons=data.get("buttons"),
            json_message=data.get("custom"),
        )
    return bool(said)


class ActionChangeLanguage(TurnAction):
    """Go on in the language that the customer names, or ask which one."""

    action = "action_change_language"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        return _change_language(dispatcher, tracker)


def _change_language(dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
    text = str(tracker.latest_message.get("text", "")).lower()
    current = language_of(tracker)
    named = [language for language, names in _NAMED.items() if re.search(names, text)]
    # "My English is bad, do you have Thai?": the one that is not spoken now is wanted.
    wanted = [language for language in named if language != current] or named
    if len(wanted) == 1:
        dispatcher.utter_message(
            text=texts(wanted[0])["language_changed"], json_message={"language": wanted[0]}
        )
        return [SlotSet("language", wanted[0]), *helped(dispatcher)]
    buttons = [{"title": name, "payload": name} for name in LANGUAGE_NAMES.values()]
    dispatcher.utter_message(text=texts(current)["ask_language"], buttons=buttons)
    return []


class ActionWish(TurnAction):
    """What the record is to do: stop tips, tell what is kept, pass on an opinion."""

    action = "action_wish"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        return _grant(dispatcher, tracker.latest_message["intent"]["name"])


class ActionLeaveQueue(TurnAction):
    """The customer needs no human any more; the record says so."""

    action = "action_leave_queue"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        dispatcher.utter_message(json_message={"wish": "leave_queue"})
        return helped(dispatcher)


def _grant(dispatcher: CollectingDispatcher, act: str) -> Events:
    dispatcher.utter_message(json_message={"wish": WISHES[act]})
    if act in _SAID:  # the record itself says what it keeps
        dispatcher.utter_message(response=_SAID[act])
    return helped(dispatcher)
