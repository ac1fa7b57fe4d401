"""Traces of turns: what is kept, who reads it, and that the reasons are the true ones."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from typer.testing import CliRunner

from bot import bootstrap
from bot.cli import app
from bot.commands import output
from bot.conversations.database import Database, now
from bot.conversations.tables import Turn
from bot.errors import InvalidInput, NotFound
from bot.messages import Outcome, Reply, TurnResult
from bot.operations import explaining
from bot.rasa_extensions.trace import Rule, read_rules, trace_of
from bot.turns import reading_traces
from tests.chatting import assert_error
from tests.players import Asked, Stage
from tests.scenes import conversation_of, new_customer, say, timeline, waiting
from tests.test_console_api import console

RULES = [
    Rule("greet", ("greet",), ("utter_greet",)),
    Rule("question", ("question",), ("action_answer",)),
    Rule("one of two", ("twice",), ("action_a",)),
    Rule("two of two", ("twice",), ("action_a",)),
]


def user(intent: str, seq: int = 1, **parse_data: Any) -> dict[str, Any]:
    understood = {"intent": {"name": intent, "confidence": 0.91234567}, **parse_data}
    return {"event": "user", "text": "a secret", "metadata": {"seq": seq}, "parse_data": understood}


def action(name: str) -> dict[str, Any]:
    return {"event": "action", "name": name, "policy": "policy_0_RulePolicy", "confidence": 1.0}


def slot(name: str, value: object) -> dict[str, Any]:
    return {"event": "slot", "name": name, "value": value}


def test_a_turn_tells_intent_actions_and_the_rule_that_fits() -> None:
    told = trace_of(
        [
            user("question"),
            slot("language", "en"),
            action("action_answer"),
            {"event": "bot", "text": "an answer", "metadata": {}},
            slot("unhelped", 0),
            action("action_listen"),
        ],
        RULES,
    )
    assert told == {
        "intent": "question",
        "confidence": 0.9123,
        "actions": [{"name": "action_answer", "policy": "RulePolicy", "confidence": 1.0}],
        "rule": "question",
        "slots": [{"name": "language", "value": "en"}, {"name": "unhelped", "value": 0}],
    }


@pytest.mark.parametrize(
    ("intent", "done"),
    [("greet", "action_answer"), ("unknown", "utter_greet"), ("twice", "action_a")],
)
def test_no_rule_is_named_when_none_or_several_say_what_was_done(intent: str, done: str) -> None:
    assert trace_of([user(intent), action(done)], RULES)["rule"] is None


def test_a_turn_ends_where_the_next_message_or_one_of_the_record_begins() -> None:
    own = [user("greet"), action("utter_greet")]
    tip = {"event": "bot", "text": "a tip", "metadata": {"seq": 3}}
    for later in (user("question", seq=5), tip):
        told = trace_of([*own, later, action("action_answer"), slot("late", 1)], RULES)
        assert [each["name"] for each in told["actions"]] == ["utter_greet"]
        assert told["slots"] == []


def test_no_words_of_anybody_are_told() -> None:
    events = [
        user("greet", entities=[{"entity": "name", "value": "a secret"}]),
        slot("name", "a secret"),
        slot("last_tip", {"product": "a secret"}),
        action("utter_greet"),
        {"event": "bot", "text": "a secret", "metadata": {}},
    ]
    told = trace_of(events, RULES)
    assert "a secret" not in json.dumps(told)
    assert told["slots"] == [{"name": "name"}, {"name": "last_tip"}]


def test_a_tracker_of_an_older_model_is_told_as_far_as_it_goes() -> None:
    told = trace_of(
        [{"event": "user", "metadata": {"seq": 1}}, {**action("a"), "policy": None}], []
    )
    assert told["intent"] is told["confidence"] is told["rule"] is None
    assert told["actions"] == [{"name": "a", "policy": None, "confidence": 1.0}]


def test_every_rule_of_the_project_is_found_by_its_intent_and_actions() -> None:
    rules = read_rules()
    assert len(rules) > 15
    for rule in rules:
        for intent in rule.intents:
            events = [user(intent), *map(action, rule.actions), action("action_listen")]
            assert trace_of(events, rules)["rule"] == rule.name


def test_rules_with_several_intents_are_read(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "rules:\n- rule: both\n  steps:\n  - or:\n    - intent: a\n    - intent: b\n"
        "  - action: x\n  - action: y\n- rule: none\n  steps:\n  - action: z\n"
    )
    assert read_rules(tmp_path) == [Rule("both", ("a", "b"), ("x", "y"))]


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def dialogue(intent: str = "question", **more: Any) -> dict[str, Any]:
    return {"intent": intent, "rule": intent, "actions": [{"name": "action_answer"}], **more}


def answered(stage: Stage, text: str = "Where is my order?", intent: str = "question") -> Turn:
    """A turn that was taken, with its trace."""

    async def act(asked: Asked) -> TurnResult:
        return TurnResult((Reply(f"re: {asked.message.text}"),), trace=dialogue(intent))

    stage.assistant.act = act
    accepted = say(stage.database, new_customer(stage.database), text)
    assert stage.take_all() == 1
    with stage.database.read() as session:
        return session.query(Turn).filter_by(conversation_id=accepted.conversation_id).one()


def test_a_turn_is_read_with_its_messages_its_replies_and_its_reasons(stage: Stage) -> None:
    turn = answered(stage)
    found = reading_traces.of_turn(stage.database, turn.conversation_id, turn.id)
    assert [(each.author, each.text) for each in found.messages] == [
        ("customer", "Where is my order?")
    ]
    assert [(each.author, each.text) for each in found.replies] == [
        ("assistant", "re: Where is my order?")
    ]
    assert found.state == "done"
    assert found.dialogue["rule"] == "question"
    assert found.match["outcome"] == "answer"
    assert found.match["candidates"][0]["article"] == "delivery-tracking"
    assert {"waited", "match", "assistant"} <= set(found.trace["timings"])


def test_a_turn_is_found_by_its_conversation_its_message_and_its_reply(stage: Stage) -> None:
    turn = answered(stage)
    [by_turn] = reading_traces.of(stage.database, turn.id)
    [by_conversation] = reading_traces.of(stage.database, turn.conversation_id)
    for said in (*by_turn.messages, *by_turn.replies):
        assert reading_traces.of(stage.database, said.id) == [by_turn]
    assert by_conversation == by_turn


def test_turns_of_a_conversation_come_in_order(stage: Stage) -> None:
    customer = new_customer(stage.database)
    for text in ("one", "two", "three"):
        accepted = say(stage.database, customer, text)
        stage.take_all()
    found = reading_traces.of(stage.database, accepted.conversation_id)
    assert [each.messages[0].text for each in found] == ["one", "two", "three"]


def test_what_is_not_there_is_said(stage: Stage) -> None:
    turn = answered(stage)
    with pytest.raises(NotFound):
        reading_traces.of(stage.database, "nothing")
    with pytest.raises(NotFound):
        reading_traces.of_turn(stage.database, "another", turn.id)
    handed_over = waiting(stage.database)
    [_, notice] = timeline(
        stage.database, conversation_of(stage.database, handed_over.conversation_id).customer_id
    )
    with pytest.raises(NotFound, match="in no turn"):
        reading_traces.of(stage.database, notice.id)


def test_a_turn_that_failed_is_read_with_its_problem(stage: Stage) -> None:
    stage.knowledge.down = True
    accepted = say(stage.database, new_customer(stage.database))
    stage.next_turn()
    [found] = reading_traces.of(stage.database, accepted.conversation_id)
    assert found.state == "open"
    assert found.trace == {}
    assert found.problem


def unanswered(stage: Stage, text: str, outcome: str, language: str = "en") -> None:
    turn = answered(stage, text)
    with stage.database.write("test") as session:
        found = session.get_one(Turn, turn.id)
        match = {**found.trace["match"], "outcome": outcome, "language": language}
        found.trace = {**found.trace, "match": match}


def test_what_was_not_answered_is_listed_by_outcome_language_and_time(stage: Stage) -> None:
    unanswered(stage, "clarified", "clarify")
    unanswered(stage, "handed off", "handoff", "fa")
    answered(stage, "answered")
    database, long_ago = stage.database, now() - timedelta(days=1)

    def texts(*outcomes: Outcome, language: str = "", limit: int = 10) -> list[str]:
        found = reading_traces.of_outcome(database, outcomes, long_ago, language, limit)
        return [each.messages[0].text for each in found]

    assert texts(Outcome.HANDOFF) == ["handed off"]
    assert texts(Outcome.HANDOFF, Outcome.CLARIFY) == ["handed off", "clarified"]
    assert texts(Outcome.HANDOFF, Outcome.CLARIFY, limit=1) == ["handed off"]
    assert texts(Outcome.HANDOFF, Outcome.CLARIFY, language="en") == ["clarified"]
    later = now() + timedelta(seconds=1)
    assert reading_traces.of_outcome(database, [Outcome.HANDOFF], later) == []


def test_what_was_taken_for_an_act_is_listed_with_its_probability(stage: Stage) -> None:
    stage.knowledge.outcome, stage.knowledge.act = Outcome.ACT, "greet"
    answered(stage, "hello", intent="greet")
    long_ago = now() - timedelta(days=1)
    assert reading_traces.of_outcome(stage.database, [Outcome.HANDOFF], long_ago) == []
    [found] = reading_traces.of_outcome(stage.database, [Outcome.ACT], long_ago)
    assert (found.match["act"], found.match["act_probability"]) == ("greet", 0.0)


def test_the_list_uses_the_index_of_kept_traces(stage: Stage) -> None:
    database, said = stage.database, []

    @event.listens_for(database.engine, "before_cursor_execute")
    def listen(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        said.append((statement, parameters))

    reading_traces.of_outcome(database, [Outcome.HANDOFF], now())
    asked, parameters = next(each for each in said if "FROM turns" in each[0])
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.read() as session:
        connection = session.connection()
        if not database.is_sqlite:  # which would rather read an empty table as a whole
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = connection.exec_driver_sql(f"{explain} {asked}", parameters).all()
    assert "traces_kept" in str(plan)


@pytest.fixture
def usher(
    database: Database, clean_environment: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., str]]:
    """What `usher …` prints, on the test's database."""
    url = database.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setattr(output.out, "width", 200)
    bootstrap.settings.cache_clear()

    def run(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == status, done.output
        return done.output

    yield run
    bootstrap.settings.cache_clear()


def test_usher_trace_tells_writers_why(stage: Stage, usher: Callable[..., str]) -> None:
    turn = answered(stage)
    told = usher("trace", turn.conversation_id)
    for part in ("Where is my order?", "re: Where", "question", "delivery-tracking", "93%"):
        assert part in told
    [found] = json.loads(usher("trace", turn.id, "--json"))
    assert found["turn"] == turn.id
    assert found["trace"]["dialogue"] == dialogue()
    assert found["messages"][0]["text"] == "Where is my order?"


def test_usher_trace_tells_a_turn_that_has_no_trace_yet_or_no_more(
    stage: Stage, usher: Callable[..., str]
) -> None:
    turn = answered(stage)
    with stage.database.write("test") as session:
        session.get_one(Turn, turn.id).trace = {}
    assert "kept no longer" in usher("trace", turn.id)
    stage.knowledge.down = True
    failed = say(stage.database, new_customer(stage.database))
    stage.next_turn()
    assert "not ended yet" in usher("trace", failed.conversation_id)


def test_usher_traces_lists_what_was_not_answered(stage: Stage, usher: Callable[..., str]) -> None:
    assert "every question" in usher("traces")
    unanswered(stage, "Do you sell [bold]ice[/bold]?", "handoff", "fa")
    unanswered(stage, "Which one?", "clarify")
    answered(stage, "answered")

    def listed(*options: str) -> list[str]:
        found = json.loads(usher("traces", "--json", *options))
        return [each["trace"]["match"]["outcome"] for each in found]

    assert listed() == ["clarify", "handoff"]
    assert listed("--outcome", "handoff") == ["handoff"]
    assert listed("--language", "en", "--since", "12h") == ["clarify"]
    assert listed("--outcome", "answer", "--outcome", "clarify", "--limit", "1") == ["answer"]
    told = usher("traces")
    assert "Do you sell [bold]ice[/bold]?" in told
    assert "delivery-tracking 93%" in told


@pytest.mark.parametrize("wrong", ["7", "d", "7y", "-7d", "99999d", ""])
def test_a_wrong_duration_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput, match="7d"):
        explaining.duration(wrong)


def test_agents_read_why_in_the_console(
    stage: Stage, gateway: httpx.Client, database: Database
) -> None:
    turn = answered(stage)
    path = f"/console/api/conversations/{turn.conversation_id}"
    assert_error(gateway.get(f"{path}/turns/{turn.id}"), 401, "unauthenticated")
    browser = console(gateway, database)
    messages = browser.get(path).json()["messages"]
    assert [each["turn"] for each in messages] == [turn.id, turn.id]
    why = browser.get(f"{path}/turns/{turn.id}").json()
    assert why["dialogue"] == dialogue()
    assert why["match"]["candidates"][0]["probability"] == 0.93
    assert why["match"]["candidates"][0]["url"].endswith("/help/en/delivery-tracking")
    assert why["timings"]["match"] >= 0
    assert_error(browser.get(f"{path}/turns/nothing"), 404, "not_found")
    other = answered(stage)
    assert_error(browser.get(f"{path}/turns/{other.id}"), 404, "not_found")


def test_an_open_turn_is_shown_in_the_console_without_reasons(
    stage: Stage, gateway: httpx.Client, database: Database
) -> None:
    stage.knowledge.down = True
    accepted = say(database, new_customer(database))
    stage.next_turn()
    [turn] = reading_traces.of(database, accepted.conversation_id)
    path = f"/console/api/conversations/{accepted.conversation_id}/turns/{turn.turn}"
    why = console(gateway, database).get(path).json()
    assert (why["state"], why["match"], why["dialogue"]) == ("open", None, None)
    assert why["problem"]
