"""The whole record in memory, and what in it is still to be done."""

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.conversations.database import Database, now
from bot.conversations.tables import Address, Conversation, Delivery, Message, Turn
from bot.conversations.timeline import WEB_CHAT
from bot.handoff.tables import Handoff
from bot.journeys.tables import Enrolment, Purchase, Step


def unfinished(database: Database) -> dict[str, int]:
    """How much still has to be done, by what it is; what is nothing is left out."""
    waiting = {
        "pending messages": select(Message.id).where(Message.pending),
        "open turns": select(Turn.id).where(Turn.state == "open"),
        "due tips": select(Step.id).where(Step.state == "due", Step.due_at <= now()),
        "deliveries": select(Delivery.id).where(
            Delivery.channel != WEB_CHAT, Delivery.state.in_(("pending", "attempting"))
        ),
    }
    with database.read() as session:
        found = {what: len(session.execute(ids).all()) for what, ids in waiting.items()}
    return {what: number for what, number in found.items() if number}


class Record:
    """All rows, in memory."""

    def __init__(self, session: Session) -> None:
        self.conversations = {each.id: each for each in session.scalars(select(Conversation))}
        self.turns = {each.id: each for each in session.scalars(select(Turn))}
        self.messages: dict[str, list[Message]] = defaultdict(list)
        for message in session.scalars(select(Message).order_by(Message.customer_id, Message.seq)):
            self.messages[message.customer_id].append(message)
        self.purchases: dict[str, list[Purchase]] = defaultdict(list)
        for purchase in session.scalars(select(Purchase)):
            self.purchases[purchase.event_id].append(purchase)
        self.enrolments: dict[str, list[Enrolment]] = defaultdict(list)
        for enrolment in session.scalars(select(Enrolment)):
            self.enrolments[enrolment.order_id].append(enrolment)
        self.steps: dict[str, list[Step]] = defaultdict(list)
        for step in session.scalars(select(Step)):
            self.steps[step.customer_id].append(step)
        self.handoffs: dict[str, list[Handoff]] = defaultdict(list)
        for handoff in session.scalars(select(Handoff)):
            self.handoffs[handoff.conversation_id].append(handoff)
        self.deliveries: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in session.scalars(select(Delivery).order_by(Delivery.seq)):
            self.deliveries[delivery.customer_id].append(delivery)
        self.customer_at = {
            (each.channel, each.address): each.customer_id
            for each in session.scalars(select(Address))
        }

    def of_conversation(self, conversation_id: str) -> list[Message]:
        customer = self.conversations[conversation_id].customer_id
        return [m for m in self.messages[customer] if m.conversation_id == conversation_id]

    def is_with_human(self, message: Message) -> bool:
        """Whether a human was asked for while it waited, or had the conversation when it came."""
        return any(
            handoff.resolved_at is None or message.created_at <= handoff.resolved_at
            for handoff in self.handoffs[message.conversation_id]
        )
