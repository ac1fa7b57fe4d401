"""What all actions share: a name, and the turn that they act on."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from rasa_sdk import Action, Tracker
from rasa_sdk.executor import CollectingDispatcher

Events = list[dict[str, Any]]


class TurnAction(Action, ABC):
    """An action that needs the tracker alone; Rasa's server sends no domain with it."""

    action: ClassVar[str]
    """Its name in `domain.yml`."""

    def name(self) -> str:
        return self.action

    async def run(
        self,
        dispatcher: CollectingDispatcher,
        tracker: Tracker,
        domain: dict[str, Any],
    ) -> Events:
        return await self.act(dispatcher, tracker)

    @abstractmethod
    async def act(self, dispatcher: CollectingDispatcher, tracker: Tracker) -> Events:
        """Say something; returns the events of slots that change."""
