"""Acts whose meaning depends on what was said before."""

import re

from rasa_sdk import Tracker
from rasa_sdk.events import SlotSet
from rasa_sdk.executor import CollectingDispatcher

from actions.reading import knowledge, last_asked, said_before
from actions.support import SURE, hand_off
from actions.turning import Events, TurnAction
from bot.languages import LANGUAGE_NAMES
from bot.texts import texts

_NAMED = {
    "en": r"english|inglish|tiếng anh|tieng anh|ภาษาอังกฤษ|อังกฤษ|انگلیسی|انگليسي|اینگلیش",
    "vi": r"vietnam|tiếng việt|tieng viet|việt|ภาษาเวียดนาม|เวียดนาม|ویتنامی|ويتنامي",
    "th": r"\bthai\b|tiếng thái|tieng thai|ภาษาไทย|ไทย|تایلندی|تايلندي",
    "fa": r"persian|farsi|iran|ba tư|ba tu|iran|เปอร์เซีย|ฟาร์ซี|อิหร่าน|فارسی|فارسي|پارسی",
}

REASONS = {"human_for_complaint": "complaint", "human_for_doubt": "not_sure"}
"""Why a human is wanted, by the offer of one that was accepted."""


class ActionAffirm(TurnAction):
    """A bare "yes": to the offer of a human, to "does it work?", or to nothing in particular."""

    action = "action_affirm"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        asked = last_asked(tracker)
        if asked in REASONS:
            return hand_off(dispatcher, REASONS[asked])
        dispatcher.utter_message(response="utter_glad" if asked else "utter_continue")
        return [SURE]


class ActionRepeat(TurnAction):
    """Say the last thing again."""

    action = "action_repeat"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        said = [event["text"] for event in said_before(tracker) if event.get("text")]
        if said:
            dispatcher.utter_message(text="\n".join(reversed(said)))
        else:
            dispatcher.utter_message(response="utter_nothing_to_repeat")
        return []


class ActionChangeLanguage(TurnAction):
    """Go on in the language that the customer names, or ask which one."""

    action = "action_change_language"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        text = str(tracker.latest_message.get("text", "")).lower()
        current = knowledge(tracker).language
        named = [language for language, names in _NAMED.items() if re.search(names, text)]
        # "My English is bad, do you have Thai?": the one that is not spoken now is wanted.
        wanted = [language for language in named if language != current] or named
        if len(wanted) == 1:
            dispatcher.utter_message(
                text=texts(wanted[0])["language_changed"], json_message={"language": wanted[0]}
            )
            return [SlotSet("language", wanted[0])]
        buttons = [{"title": name, "payload": name} for name in LANGUAGE_NAMES.values()]
        dispatcher.utter_message(text=texts(current)["ask_language"], buttons=buttons)
        return []


class ActionNotUnderstood(TurnAction):
    """No rule fits. Unlike Rasa's own fallback it keeps the customer's turn."""

    action = "action_not_understood"

    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        dispatcher.utter_message(response="utter_default")
        return []
