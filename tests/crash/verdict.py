"""Was anything lost, doubled or put into another order? The record against the diaries."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

from bot.conversations.database import Database
from bot.conversations.tables import Message, Turn
from bot.conversations.timeline import WEB_CHAT
from bot.messages import Author
from tests.crash.app import Arrival
from tests.crash.diary import AgentsDiary, Diary, Said, Seen
from tests.crash.record import Record, unfinished

Trackers = Mapping[str, Sequence[tuple[str, int]]]
"""What each conversation's tracker holds of the record: `user` or `bot`, and `seq`."""


@dataclass
class Verdict:
    """What was found; each finding is a sentence."""

    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """What there was, and what is no fault but should be known."""
    problems: Counter[str] = field(default_factory=Counter)
    """Why turns became dead letters, by messages: an overloaded machine must not make any."""
    longest_silence: float = 0.0
    """Seconds from a customer's message to the next word of the other side, notices included."""

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.duplicated or self.reordered)


def judge(
    database: Database,
    diaries: Sequence[Diary],
    agent: AgentsDiary,
    trackers: Trackers,
    arrived: Mapping[str, Sequence[Arrival]],
) -> Verdict:
    """Hold the record against what was promised and shown.

    Args:
        diaries: of customers who have come back and fetched everything.
        arrived: what the shop's app was sent, by customer.
    """
    verdict = Verdict()
    with database.read() as session:
        record = Record(session)
    for diary in diaries:
        if diary.channel != WEB_CHAT:
            diary.customer_id = record.customer_at.get((diary.channel, diary.name), "")
    for what, number in unfinished(database).items():
        verdict.lost.append(f"{number} {what} were never done")
    for diary in diaries:
        if diary.customer_id or diary.said:
            _judge_customer(verdict, record, diary)
        if diary.channel != WEB_CHAT:
            _judge_deliveries(verdict, record, diary, arrived.get(diary.name, ()))
    for conversation_id in record.conversations:
        _judge_turns(verdict, record, conversation_id)
    _judge_agent(verdict, record, agent)
    _judge_trackers(verdict, trackers)
    verdict.counts["conversations"] = len(record.conversations)
    return verdict


def _judge_customer(verdict: Verdict, record: Record, diary: Diary) -> None:
    messages = record.messages[diary.customer_id]
    _judge_numbers(verdict, diary, [each.seq for each in messages])
    _judge_what_was_said(verdict, record, diary, messages)
    for connection, shown in diary.seen.items():
        _judge_what_was_seen(verdict, f"{diary.name}, {connection}", shown, messages)
    _judge_purchases(verdict, record, diary)
    _judge_tips(verdict, record, diary, messages)
    _measure_silence(verdict, messages)


def _judge_numbers(verdict: Verdict, diary: Diary, seqs: Sequence[int]) -> None:
    if list(seqs) != list(range(1, len(seqs) + 1)):
        verdict.lost.append(f"{diary.name}: the numbers have gaps: {seqs}")


def _judge_what_was_said(
    verdict: Verdict, record: Record, diary: Diary, messages: Sequence[Message]
) -> None:
    prefix = "customer" if diary.channel == WEB_CHAT else diary.channel
    recorded: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        if message.author == Author.CUSTOMER:
            recorded[str(message.client_message_id)].append(message)
    said: dict[str, Said] = {f"{prefix}:{each.client_message_id}": each for each in diary.said}
    for key in recorded.keys() - said.keys():
        verdict.duplicated.append(f"{diary.name}: nobody wrote {key}, or wrote it once more")
    places: list[tuple[int, int]] = []
    for key, each in said.items():
        name = f"{diary.name}: {key}"
        found = recorded[key]
        verdict.counts["messages"] += bool(each.acknowledged)
        if each.acknowledged and not found:
            verdict.lost.append(f"{name} was acknowledged and is not in the record")
        if len(found) > 1 or len(each.acknowledged) > 1:
            verdict.duplicated.append(f"{name} has more than one number")
        for message in found:
            places.append((message.seq, each.moment))
            _judge_acknowledgement(verdict, name, each, message)
            _judge_fate(verdict, record, name, message)
    moments = [moment for _, moment in sorted(places)]
    if moments != sorted(moments):
        verdict.reordered.append(f"{diary.name}: written in the order {moments}")


def _judge_acknowledgement(verdict: Verdict, name: str, said: Said, message: Message) -> None:
    told = {(ack.message_id, ack.conversation_id, ack.seq) for ack in said.acknowledged}
    if told - {(message.id, message.conversation_id, message.seq)}:
        verdict.lost.append(f"{name} was acknowledged as something else")
    if message.text != said.text:
        verdict.lost.append(f"{name} has another text")


def _judge_fate(verdict: Verdict, record: Record, name: str, message: Message) -> None:
    """Every message is answered in one turn, or is with a human."""
    turn = record.turns.get(message.turn_id or "")
    if turn is not None and turn.state == "done":
        verdict.counts["answered"] += 1
    elif turn is not None and turn.state == "dead":
        verdict.counts["dead letters"] += 1
        verdict.problems[turn.problem or ""] += 1
    elif turn is None and not message.pending and record.is_with_human(message):
        verdict.counts["for a human"] += 1
    else:
        state = turn.state if turn else "missing"
        verdict.lost.append(f"{name} has no answer: its turn is {state}")


def _judge_what_was_seen(
    verdict: Verdict, name: str, shown: Sequence[Seen], messages: Sequence[Message]
) -> None:
    seqs = [each.seq for each in shown]
    if len(set(seqs)) < len(seqs):
        verdict.duplicated.append(f"{name}: shown more than once: {_repeated(seqs)}")
    if seqs != sorted(seqs):
        verdict.reordered.append(f"{name}: shown in the order {seqs}")
    record = {each.seq: (str(each.author), each.text) for each in messages}
    if missing := sorted(record.keys() - set(seqs)):
        verdict.lost.append(f"{name}: never shown: {missing}")
    for each in shown:
        if record.get(each.seq) != (each.author, each.text):
            verdict.lost.append(f"{name}: shown as {each.seq} and not in the record: {each.author}")


def _judge_purchases(verdict: Verdict, record: Record, diary: Diary) -> None:
    for number in diary.purchases:
        verdict.counts["purchases"] += 1
        for what, found in (("purchase", record.purchases), ("enrolment", record.enrolments)):
            rows = len(found[number])
            if rows == 0:
                verdict.lost.append(f"{diary.name}: {what} {number} is not in the record")
            if rows > 1:
                verdict.duplicated.append(f"{diary.name}: {what} {number} is there {rows} times")


def _judge_tips(
    verdict: Verdict, record: Record, diary: Diary, messages: Sequence[Message]
) -> None:
    sent = [each for each in record.steps[diary.customer_id] if each.state == "sent"]
    tips = [each.id for each in messages if each.context.get("asks") == "tip_check"
            and each.answers is None]  # fmt: skip
    verdict.counts["tips"] += len(tips)
    for step in sent:
        if step.message_id not in tips:
            verdict.lost.append(f"{diary.name}: a step was sent without a tip")
    if len(tips) > len(sent) or len({step.message_id for step in sent}) < len(sent):
        verdict.duplicated.append(f"{diary.name}: {len(tips)} tips of {len(sent)} steps")


def _measure_silence(verdict: Verdict, messages: Sequence[Message]) -> None:
    waiting: datetime | None = None
    for message in messages:
        if message.author == Author.CUSTOMER:
            waiting = waiting or message.created_at
        elif waiting is not None:
            silence = (message.created_at - waiting).total_seconds()
            verdict.longest_silence = max(verdict.longest_silence, silence)
            waiting = None


def _judge_deliveries(
    verdict: Verdict, record: Record, diary: Diary, arrived: Sequence[Arrival]
) -> None:
    """Replies arrived at least once, tips at most once, all in their order."""
    by_id: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrived:
        by_id[arrival.delivery_id].append(arrival)
    texts = {each.id: each.text for each in record.messages[diary.customer_id]}
    for delivery in record.deliveries[diary.customer_id]:
        name = f"{diary.name}: delivery of {delivery.seq}"
        found = by_id.pop(delivery.id, [])
        taken = [each for each in found if not each.is_refused]
        verdict.counts["sent to the app"] += bool(taken)
        verdict.counts[f"deliveries {delivery.state}"] += 1
        if delivery.state in {"sent", "delivered", "read"} and not taken:
            verdict.lost.append(f"{name} is {delivery.state} and never arrived")
        if any(
            (each.seq, each.text) != (delivery.seq, texts[delivery.message_id]) for each in found
        ):
            verdict.lost.append(f"{name} arrived as something else")
        if delivery.is_tip and len(taken) > 1:
            verdict.duplicated.append(f"{name}, a tip, arrived {len(taken)} times")
        elif len(taken) > 1:
            verdict.counts["sent again"] += len(taken) - 1
    if by_id:
        verdict.duplicated.append(f"{diary.name}: arrived, but of no delivery: {list(by_id)}")
    first_seqs = list(dict.fromkeys(each.seq for each in arrived))
    if first_seqs != sorted(first_seqs):
        verdict.reordered.append(f"{diary.name}: arrived in the order {first_seqs}")


def _judge_turns(verdict: Verdict, record: Record, conversation_id: str) -> None:
    """Each turn's messages lie together, its replies too, and turns follow each other."""
    messages = record.of_conversation(conversation_id)
    asked: dict[str, list[int]] = defaultdict(list)
    replied: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        if message.turn_id is not None:
            if message.author == Author.CUSTOMER:
                asked[message.turn_id].append(message.seq)
            else:
                replied[message.turn_id].append(message)
    turns = [each for each in record.turns.values() if each.conversation_id == conversation_id]
    turns.sort(key=lambda turn: turn.last_seq)
    verdict.counts["turns"] += len(turns)
    customers = [each.seq for each in messages if each.author == Author.CUSTOMER]
    in_turns = [seq for turn in turns for seq in asked[turn.id]]
    if in_turns != [seq for seq in customers if seq in set(in_turns)]:
        verdict.reordered.append(f"{conversation_id}: turns took messages in order {in_turns}")
    last = 0
    for turn in turns:
        name = f"{conversation_id}, turn up to {turn.last_seq}"
        if not asked[turn.id] or asked[turn.id][-1] != turn.last_seq:
            verdict.lost.append(f"{name}: has the messages {asked[turn.id]}")
        replies = replied[turn.id]
        if turn.state == "done" and not replies and not record.handoffs[conversation_id]:
            verdict.lost.append(f"{name}: done without a reply")
        _judge_replies(verdict, name, turn, replies)
        if replies and replies[0].seq < max(last, turn.last_seq):
            verdict.reordered.append(f"{name}: its replies come too early, before {last}")
        last = replies[-1].seq if replies else last


def _judge_replies(verdict: Verdict, name: str, turn: Turn, replies: Sequence[Message]) -> None:
    seqs = [each.seq for each in replies]
    if seqs and seqs != list(range(seqs[0], seqs[0] + len(seqs))):
        verdict.duplicated.append(f"{name}: replies were written apart: {seqs}")
    if repeated := _repeated(each.text for each in replies):
        verdict.duplicated.append(f"{name}: these replies stand there twice: {repeated}")
    if turn.state != "done" and seqs:
        verdict.duplicated.append(f"{name}: it is {turn.state} and has replies {seqs}")


def _judge_agent(verdict: Verdict, record: Record, agent: AgentsDiary) -> None:
    for (conversation_id, client_message_id), text in agent.replies.items():
        verdict.counts["agent replies"] += 1
        found = [
            each for each in record.of_conversation(conversation_id)
            if each.author == Author.AGENT and each.text == text
        ]  # fmt: skip
        if not found:
            verdict.lost.append(f"{conversation_id}: the agent's {client_message_id} is not there")
        if len(found) > 1:
            verdict.duplicated.append(f"{conversation_id}: the agent's {client_message_id}")


def _judge_trackers(verdict: Verdict, trackers: Trackers) -> None:
    """The assistant remembers nothing twice, and what customers said in its order."""
    for conversation_id, events in trackers.items():
        verdict.counts["remembered messages"] += len(events)
        if repeated := _repeated(events):
            verdict.duplicated.append(f"{conversation_id}: the tracker holds twice: {repeated}")
        # A tip or a notice may be told before a question that has waited for longer.
        order = [seq for event, seq in events if event == "user"]
        if any(after < before for before, after in pairwise(order)):
            verdict.reordered.append(f"{conversation_id}: the tracker holds the order {order}")


def numbered(events: Iterable[Mapping[str, Any]]) -> Sequence[tuple[str, int]]:
    """Of a tracker's events, as they lie in Valkey, those that come from the record."""
    return [
        (str(event["event"]), int(event["metadata"]["seq"]))
        for event in events
        if event["event"] in {"user", "bot"} and "seq" in (event.get("metadata") or {})
    ]


def _repeated(values: Iterable[Any]) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]
