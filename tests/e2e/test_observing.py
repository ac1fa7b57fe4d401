"""What operators and writers see of a whole Usher: traces, metrics, and logs without words."""

import json
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.phrases import ARTICLE, PHRASES, PRODUCT, article
from tests.e2e.running import Usher, within_ten_seconds


def test_a_turn_tells_why_the_question_was_answered(usher: Usher) -> None:
    customer = usher.customer()
    customer.say(PHRASES["en"].greeting)
    customer.say(PHRASES["en"].question)
    greeted, answered = json.loads(usher.cli("trace", customer.conversation_id, "--json"))
    assert greeted["trace"]["dialogue"]["rule"] == "greet"
    why = answered["trace"]
    assert why["match"]["outcome"] == "answer"
    assert why["match"]["candidates"][0]["article"] == ARTICLE
    assert (why["dialogue"]["intent"], why["dialogue"]["rule"]) == ("question", "question")
    (action,) = why["dialogue"]["actions"]
    assert action == {"name": "action_answer", "policy": "RulePolicy", "confidence": 1.0}
    assert answered["replies"][0]["text"].startswith(article(ARTICLE, "en").short_answer)
    assert PHRASES["en"].question in usher.cli("trace", answered["turn"])


def test_questions_without_an_answer_are_listed(usher: Usher) -> None:
    customer = usher.customer()
    token = uuid4().hex
    customer.say(f"Which planet has the most moons, {token}?")
    listed = json.loads(usher.cli("traces", "--since", "1h", "--json"))
    (found,) = [each for each in listed if token in each["messages"][0]["text"]]
    assert found["trace"]["match"]["outcome"] in {"handoff", "clarify", "not_understood"}


def scraped(port: int) -> dict[str, float]:
    """Values by name, summed over labels."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5, trust_env=False)
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_gateway_knowledge_and_worker_serve_metrics_on_their_private_ports(usher: Usher) -> None:
    usher.customer().say(PHRASES["en"].question)
    first = usher.settings.metrics_port
    gateway, knowledge, worker = (scraped(first + number) for number in range(3))
    assert gateway["usher_messages_total"] >= 1
    assert gateway["usher_record_up"] == 1
    assert gateway["usher_dead_letters"] == 0
    assert knowledge["usher_match_seconds_count"] >= 1
    assert knowledge["usher_articles"] > 100
    assert worker["usher_turns_total"] >= 1
    assert worker["usher_turn_phase_seconds_count"] >= 4
    assert httpx.get(f"{usher.url}/metrics", timeout=5).status_code == httpx.codes.NOT_FOUND


def test_no_log_of_any_process_holds_what_a_customer_wrote(usher: Usher) -> None:
    words, name = f"Nachtigall{uuid4().hex}", f"marlene{uuid4().hex}@example.test"
    english = PHRASES["en"]
    for text in (
        f"{english.question} {words}",
        f"{english.complaint} {words}, I am {name}",
        f"{english.human} {words}",
        f"/restart{words}",
    ):
        customer = usher.customer()
        customer.say(text)
        usher.buy(PRODUCT, visitor_id=customer.id)
    usher.buy(PRODUCT, id=name)
    with usher.process("actions").down():
        # Rasa and the worker, and the action server when it is back, say what went wrong.
        customer = usher.customer()
        customer.send(f"{english.question} {words}")
        within_ten_seconds(
            lambda: customer.conversation_id in told(usher, "worker", "turn failed"),
            otherwise="the failure is not logged",
        )
    customer.wait_for("assistant", seconds=60)
    within_ten_seconds(
        lambda: customer.conversation_id in told(usher, "worker", "turn"),
        otherwise="the turn is not logged",
    )
    logs = {path.name: path.read_text("utf-8") for path in (usher.data_dir / "logs").iterdir()}
    assert len(logs) >= 6
    for process, written in logs.items():
        assert words not in written, process
        assert name not in written, process


def told(usher: Usher, process: str, event: str) -> set[str]:
    """Conversations of which a process has logged an event."""
    lines = (usher.data_dir / "logs" / f"{process}.log").read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return {each["conversation"] for each in events if each["event"] == event}
