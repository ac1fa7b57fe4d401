"""Which turns are taken next: leased, and with all that they need, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby

from sqlalchemy import func, or_, select, text, update
from sqlalchemy.orm import Session, load_only

from bot.conversations.database import Database, now
from bot.conversations.ownership import LISTENS, Owner
from bot.conversations.tables import Conversation, Message, Turn, new_id
from bot.journeys.purchases import products_of
from bot.messages import MAX_TEXT_LENGTH, Context
from bot.turns import leases
from bot.turns.history import HistoryItem, unsaid
from bot.turns.leases import Lease

MAX_TOGETHER = 10
"""The most messages of one turn."""
IS_OPEN = text("turns.state = 'open'")
"""Written out: for a parameter neither database takes a partial index."""
NEEDED = load_only(
    Message.conversation_id,
    Message.seq,
    Message.author,
    Message.text,
    Message.context,
    Message.turn_id,
    Message.pending,
    Message.apologised,
    Message.created_at,
)
"""What a turn looks at of its messages."""


@dataclass(frozen=True)
class Work:
    """A turn that is to be taken, by whoever holds its lease."""

    lease: Lease
    turn_id: str
    message_ids: tuple[str, ...]
    """The turn's messages in their order; its replies answer the last one."""
    customer_id: str
    language: str
    after: int
    """The last `seq` that the assistant's tracker is known to hold."""
    history: tuple[HistoryItem, ...]
    message: HistoryItem
    """What the customer says: the texts of all messages, with the last one's `seq`."""
    waited_ms: int
    products: tuple[str, ...]
    is_waiting: bool
    """Whether the customer waits for a human."""
    context: Context
    """What was said before, as far as the meaning of the message depends on it."""


def begin(database: Database, worker: str, limit: int, together: bool) -> list[Work]:
    """Lease conversations and begin, or resume, one turn of each.

    Args:
        limit: at most so many.
        together: what a customer wrote while the assistant was busy is one turn.
    """
    if not leases.any_due(database):
        return []
    with database.write("lease") as session:
        leased = leases.take(session, worker, limit)
        if not leased:
            return []
        pending = _pending(session, [each.id for each in leased], together)
        unheard = {each.id: _unheard(each, pending[each.id]) for each in leased}
        more = {each for each in pending if len(unheard[each]) < len(pending[each])}
        pending = unheard
        mine = [each for each in leased if each.owner in LISTENS and pending[each.id]]
        for conversation in leased:
            if conversation not in mine:
                for message in pending[conversation.id]:
                    message.pending = False  # it is the human's
                leases.give_back(conversation, more=conversation.id in more)
        turns = _turns(session, mine, pending, together)
    # The conversations are ours now: the rest need not keep other writers waiting.
    with database.read() as session:
        history = unsaid(session, mine)
        products = products_of(session, [each.customer_id for each in mine])
        return [
            _work(each, *turns[each.id], history[each.id], products[each.customer_id])
            for each in mine
        ]


def _pending(session: Session, ids: Sequence[str], together: bool) -> dict[str, list[Message]]:
    """The first pending messages of each conversation: as many as one turn may have."""
    place = func.row_number().over(partition_by=Message.conversation_id, order_by=Message.seq)
    numbered = (
        select(Message.id, Message.turn_id, place.label("place"))
        .where(Message.conversation_id.in_(ids), Message.pending)
        .subquery()
    )
    most = MAX_TOGETHER if together else 1
    waiting = (
        select(Message)
        .join(numbered, numbered.c.id == Message.id)
        .where(or_(numbered.c.place <= most, numbered.c.turn_id.is_not(None)))
        .order_by(Message.seq)
        .options(NEEDED)
    )
    found: dict[str, list[Message]] = {each: [] for each in ids}
    for message in session.scalars(waiting):
        found[message.conversation_id].append(message)
    return found


def _unheard(conversation: Conversation, waiting: list[Message]) -> list[Message]:
    """Messages but for those that say again what was being answered when they were sent: who is
    impatient gets one answer.
    """
    heard = conversation.context.get("heard")
    if not heard:
        return waiting
    until = datetime.fromisoformat(heard["until"])
    unheard: list[Message] = []
    for message in waiting:
        if (
            message.turn_id is None
            and message.created_at < until
            and message.text in heard["texts"]
        ):
            message.pending, message.turn_id = False, heard["turn"]
        else:
            unheard.append(message)
    return unheard


def _turns(
    session: Session,
    conversations: Sequence[Conversation],
    pending: Mapping[str, list[Message]],
    together: bool,
) -> Mapping[str, tuple[Turn, list[Message]]]:
    """Each conversation's open turn, or a new one, with its messages."""
    ours = Turn.conversation_id.in_([each.id for each in conversations])
    opened = session.scalars(select(Turn).where(ours, IS_OPEN))
    turns = {turn.conversation_id: turn for turn in opened}
    resumed = set(turns)
    chosen: dict[str, list[Message]] = {}
    for conversation in conversations:
        waiting = pending[conversation.id]
        if conversation.id in resumed:
            turn_id = turns[conversation.id].id
            chosen[conversation.id] = [each for each in waiting if each.turn_id == turn_id]
        else:
            chosen[conversation.id] = _fitting(waiting) if together else waiting[:1]
            turns[conversation.id] = Turn(
                id=new_id(),
                conversation_id=conversation.id,
                customer_id=conversation.customer_id,
                last_seq=chosen[conversation.id][-1].seq,
            )
            session.add(turns[conversation.id])
    session.flush()  # before the messages that refer to them
    new = [each.id for key, messages in chosen.items() if key not in resumed for each in messages]
    session.execute(
        update(Message)
        .where(Message.id.in_(new))
        .values(turn_id=Turn.id)
        .where(Turn.conversation_id == Message.conversation_id, IS_OPEN)
        .execution_options(synchronize_session=False)
    )
    return {each: (turns[each], chosen[each]) for each in chosen}


def _fitting(waiting: Sequence[Message]) -> list[Message]:
    """As many of the first messages as together are no longer than one may be."""
    length, fitting = 0, 0
    for message in waiting[:MAX_TOGETHER]:
        length += len(message.text) + 1
        if fitting and length > MAX_TEXT_LENGTH:
            break
        fitting += 1
    return list(waiting[:fitting])


def _work(
    conversation: Conversation,
    turn: Turn,
    messages: Sequence[Message],
    history: Sequence[HistoryItem],
    products: tuple[str, ...],
) -> Work:
    first, last = messages[0], messages[-1]
    # Pressing "send" twice is not saying it twice.
    texts = [text for text, _ in groupby(message.text for message in messages)]
    return Work(
        lease=Lease(conversation.id, conversation.lease_token),
        turn_id=turn.id,
        message_ids=tuple(message.id for message in messages),
        customer_id=conversation.customer_id,
        language=conversation.language,
        after=conversation.tracker_seq,
        history=tuple(item for item in history if item.seq < last.seq),
        message=HistoryItem(last.seq, last.author, "\n".join(texts), last.context),
        waited_ms=max(0, round((now() - first.created_at).total_seconds() * 1000)),
        products=products,
        is_waiting=conversation.owner == Owner.WAITING,
        context=context_of(conversation),
    )


def context_of(conversation: Conversation) -> Context:
    """What a conversation remembers for its next turn."""
    names = {each.name for each in fields(Context)}
    kept = {name: value for name, value in conversation.context.items() if name in names}
    return Context(**{**kept, "choices": tuple(kept.get("choices", ()))})
