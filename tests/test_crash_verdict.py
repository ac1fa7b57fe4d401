"""The crash test's verdict: clean when nothing happened, and a finding for each thing amiss."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from bot.conversations.database import Database
from bot.conversations.intake import accept, incoming
from bot.conversations.tables import Delivery, Message, Turn
from tests.crash.diary import Acknowledgement, AgentsDiary, Diary, Said, Seen
from tests.crash.points import OUT_OF_REACH, all_points, within_reach
from tests.crash.report import Report
from tests.crash.verdict import Trackers, Verdict, judge, numbered
from tests.players import Stage
from tests.scenes import SILENCE, new_customer, timeline

CONNECTION = "fetching"


@dataclass
class Evening:
    """One customer who has said two things, was answered twice and has seen all of it."""

    database: Database
    diary: Diary = field(default_factory=lambda: Diary("visitor-0"))
    trackers: Trackers = field(default_factory=dict)

    def play(self) -> None:
        self.diary.customer_id = new_customer(self.database)
        stage = Stage(self.database)
        for moment, text in enumerate(("hello", "thanks")):
            said = Said(f"id-{moment}", text, moment)
            message = incoming(self.diary.customer_id, said.client_message_id, text)
            told = accept(self.database, message, SILENCE)
            said.acknowledged.add(Acknowledgement(told.message_id, told.conversation_id, told.seq))
            self.diary.said.append(said)
            stage.next_turn()
        self.diary.seen[CONNECTION] = [
            Seen(each.seq, each.author, each.text)
            for each in timeline(self.database, self.diary.customer_id)
        ]

    def verdict(self) -> Verdict:
        return judge(self.database, [self.diary], AgentsDiary(), self.trackers, {})

    def change(self, act: Callable[[Session], object]) -> None:
        with self.database.write("test") as session:
            act(session)


@pytest.fixture
def evening(database: Database) -> Evening:
    made = Evening(database)
    made.play()
    return made


def test_an_evening_without_a_crash_is_clean(evening: Evening) -> None:
    verdict = evening.verdict()
    assert verdict.is_clean, verdict
    assert (verdict.counts["messages"], verdict.counts["answered"]) == (2, 2)
    assert verdict.counts["turns"] == 2


def test_an_acknowledged_message_that_is_not_in_the_record_is_lost(evening: Evening) -> None:
    said = Said("id-2", "and this?", 2, {Acknowledgement("m", "c", 5)})
    evening.diary.said.append(said)
    (finding,) = evening.verdict().lost
    assert "id-2 was acknowledged and is not in the record" in finding


def test_a_message_that_nobody_wrote_is_a_duplicate(evening: Evening) -> None:
    evening.diary.said.pop()
    assert "nobody wrote customer:id-1" in evening.verdict().duplicated[0]


def test_two_different_acknowledgements_are_a_duplicate(evening: Evening) -> None:
    evening.diary.said[0].acknowledged.add(Acknowledgement("other", "c", 9))
    assert evening.verdict().duplicated


def test_a_pending_message_is_lost(evening: Evening) -> None:
    evening.change(lambda session: session.execute(update(Message).values(pending=True)))
    assert "pending messages were never done" in evening.verdict().lost[0]


def test_a_turn_without_a_reply_is_lost(evening: Evening) -> None:
    def forget(session: Session) -> None:
        session.execute(delete(Delivery))
        session.execute(delete(Message).where(Message.author == "assistant"))

    evening.change(forget)
    assert any("done without a reply" in each for each in evening.verdict().lost)


def test_an_open_turn_is_lost(evening: Evening) -> None:
    first = evening.diary.said[0]
    (acknowledged,) = first.acknowledged

    def reopen(session: Session) -> None:
        turn_id = session.get_one(Message, acknowledged.message_id).turn_id
        session.execute(update(Turn).where(Turn.id == turn_id).values(state="open"))

    evening.change(reopen)
    verdict = evening.verdict()
    assert any("its turn is open" in each for each in verdict.lost)
    assert any("it is open and has replies" in each for each in verdict.duplicated)


def test_a_reply_that_is_written_twice_is_a_duplicate(evening: Evening) -> None:
    def again(session: Session) -> None:
        messages = timeline(evening.database, evening.diary.customer_id)
        reply = messages[1]
        session.add(
            Message(
                conversation_id=reply.conversation_id,
                customer_id=reply.customer_id,
                seq=messages[-1].seq + 1,
                author="assistant",
                text=reply.text,
                answers=reply.answers,
                turn_id=reply.turn_id,
            )
        )

    evening.change(again)
    found = evening.verdict().duplicated
    assert any("replies were written apart" in each for each in found)
    assert any("replies stand there twice" in each for each in found)


def test_an_order_that_the_customer_did_not_write_in_is_found(evening: Evening) -> None:
    first, second = evening.diary.said
    first.moment, second.moment = second.moment, first.moment
    assert evening.verdict().reordered


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda shown: shown.pop(1), "lost"),
        (lambda shown: shown.append(shown[-1]), "duplicated"),
        (lambda shown: shown.reverse(), "reordered"),
        (lambda shown: shown.append(Seen(9, "assistant", "What?")), "lost"),
    ],
)
def test_what_was_shown_has_to_be_the_record(
    evening: Evening, spoil: Callable[[list[Seen]], None], kind: str
) -> None:
    spoil(evening.diary.seen[CONNECTION])
    assert getattr(evening.verdict(), kind)


def test_a_tracker_remembers_nothing_twice_and_in_order(evening: Evening) -> None:
    def trackers(*seqs: int) -> Trackers:
        events = [{"event": "user", "metadata": {"seq": seq}} for seq in seqs]
        return {conversation: numbered([*events, {"event": "slot", "metadata": None}])}

    (conversation, *_) = {each.conversation_id for each in evening.diary.said[0].acknowledged}
    evening.trackers = trackers(1, 3)
    assert evening.verdict().is_clean
    evening.trackers = trackers(1, 1, 3)
    assert evening.verdict().duplicated
    evening.trackers = trackers(3, 1)
    assert evening.verdict().reordered


def test_every_point_of_the_source_is_struck_unless_it_is_said_why_not() -> None:
    points = set(all_points())
    for name in ("intake.before_commit", "turn.after_commit", "call.match.before_send"):
        assert name in points
    for start in OUT_OF_REACH:
        assert any(each.startswith(start) for each in points), f"{start} is no point any more"
    assert points > set(within_reach())


def test_a_report_is_text_and_json(evening: Evening) -> None:
    evening.diary.said.pop()
    report = Report(
        kills=2,
        seed=1,
        database="SQLite",
        broken_by="",
        seconds=3.0,
        seconds_killing=1.0,
        seconds_to_rest=1.0,
        customers=1,
        retries={"503": 2},
        killed={"worker": 2},
        frozen={},
        ended={},
        flushed=0,
        points={"turn.before_commit": 2, "tip.before_commit": 0},
        verdict=evening.verdict(),
    )
    assert report.never_struck == ["tip.before_commit"]
    text = report.as_text()
    assert "| **lost** | 0 |" in text
    assert "| **duplicated** | 1 |" in text
    assert "nobody wrote" in text
    read = json.loads(report.as_json())
    assert read["killed"] == {"worker": 2}
    assert read["verdict"]["counts"]["messages"] == 1
