"""Metrics: on a private port, with few labels, without ids, and true."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from bot import metrics
from bot.conversations.batching import Batcher
from bot.conversations.database import Database, now
from bot.conversations.tables import ChannelLease, Delivery, Message, Turn
from bot.errors import WrongSetting
from bot.handoff import queue
from bot.operations.record_gauges import RecordGauges
from bot.settings import ROOT, load_settings
from tests.chatting import visitor
from tests.conftest import Serve, free_port
from tests.players import Stage
from tests.scenes import add_agent, new_customer, say, waiting

LABELS = {"process", "version", "result", "batch", "outcome", "phase", "part", "event", "channel"}
LABELS |= {"state", "language", "le"}


def values(text: str) -> dict[str, float]:
    """Samples as `name{label=value}` of a scraped page."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def current() -> dict[str, float]:
    return values(generate_latest().decode())


def counted(before: dict[str, float]) -> dict[str, float]:
    """What has been counted since; without buckets, times and what stayed the same."""
    return {
        name: value - before.get(name, 0)
        for name, value in current().items()
        if value != before.get(name, 0)
        and name.startswith("usher_")
        and not re.search(r"_bucket|_sum|_created", name)
    }


@pytest.fixture
def served() -> Iterator[str]:
    port = free_port()
    running = metrics.serve("127.0.0.1", port, "gateway")
    assert running is not None
    server, thread = running
    try:
        yield f"http://127.0.0.1:{port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_metrics_are_served_as_prometheus_reads_them(served: str) -> None:
    answer = httpx.get(served, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found = values(answer.text)
    assert found["usher_info{process=gateway,version=0.1.0}"] == 1
    assert found["process_start_time_seconds"] > 0


def test_a_port_that_is_taken_is_no_reason_not_to_start(served: str) -> None:
    taken = int(served.split(":")[2].removesuffix("/metrics"))
    assert metrics.serve("127.0.0.1", taken, "gateway") is None
    assert httpx.get(served, trust_env=False).status_code == 200


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host.invalid"])
def test_an_address_that_is_not_ours_is_no_reason_not_to_start(host: str) -> None:
    assert metrics.serve(host, free_port(), "worker") is None


def test_port_zero_serves_nothing() -> None:
    assert metrics.serve("127.0.0.1", 0, "worker") is None
    assert metrics.port_of(0, "worker", "host:3") == 0


def test_every_process_of_a_machine_has_a_port_of_its_own() -> None:
    ports = [
        metrics.port_of(9460, "gateway"),
        metrics.port_of(9460, "knowledge"),
        metrics.port_of(9460, "worker", "host:/data"),
        metrics.port_of(9460, "worker", "host:/data:2"),
        metrics.port_of(9460, "worker", "host:/data:12"),
    ]
    assert ports == [9460, 9461, 9462, 9463, 9473]
    assert metrics.port_of(65535, "worker") == 0


@pytest.mark.usefixtures("clean_environment")
def test_metrics_ports_never_meet_the_other_ports() -> None:
    assert load_settings().metrics_port == 9460
    assert load_settings(metrics_port=0).metrics_host == "127.0.0.1"
    for wrong in (8000, 7999, 8100, 8103, 8099):
        with pytest.raises(WrongSetting, match="METRICS_PORT"):
            load_settings(metrics_port=wrong)
    with pytest.raises(WrongSetting, match="METRICS_PORT"):
        load_settings(metrics_port=8090, workers=9)


def test_the_public_gateway_serves_no_metrics(gateway: httpx.Client) -> None:
    assert gateway.get("/metrics").status_code == 404


def test_no_metric_has_a_label_that_could_hold_an_id(served: str) -> None:
    families = text_string_to_metric_families(httpx.get(served, trust_env=False).text)
    for family in families:
        if family.name.startswith("usher"):
            assert family.documentation.endswith("."), family.name
            for sample in family.samples:
                assert set(sample.labels) <= LABELS, sample.name


def test_messages_are_counted_by_what_became_of_them(gateway: httpx.Client) -> None:
    before = current()
    customer = visitor(gateway)
    for text in ("hello", "hello", "bye"):
        customer.send(text, client_message_id="1")
    customer.send("x" * 5000)
    found = counted(before)
    assert found["usher_messages_total{result=accepted}"] == 1
    assert found["usher_messages_total{result=repeated}"] == 1
    assert found["usher_messages_total{result=conflict}"] == 1
    assert found["usher_messages_total{result=invalid_input}"] == 1
    assert found["usher_intake_seconds_count"] == 2
    assert found["usher_batch_size_count{batch=intake}"] == 3


def test_messages_over_the_limit_are_counted(serve: Serve) -> None:
    customer = visitor(serve(messages_per_minute=1))
    before = current()
    customer.send()
    customer.send()
    assert counted(before)["usher_messages_total{result=rate_limited}"] == 1


def test_batches_are_counted_by_their_size() -> None:
    def work(items: Sequence[int]) -> list[int | Exception]:
        return list(items)

    async def together() -> None:
        batcher = Batcher(work, "test")
        await asyncio.gather(*(batcher(number) for number in range(10)))

    before = current()
    asyncio.run(together())
    assert counted(before)["usher_batch_size_count{batch=test}"] == 1
    assert current()["usher_batch_size_sum{batch=test}"] == 10


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def test_turns_and_their_phases_are_counted(stage: Stage) -> None:
    before = current()
    say(stage.database, new_customer(stage.database))
    stage.take_all()
    found = counted(before)
    assert found["usher_turns_total{outcome=answer,result=replied}"] == 1
    for phase in ("waited", "match", "assistant", "commit"):
        assert found[f"usher_turn_phase_seconds_count{{phase={phase}}}"] == 1


def test_turns_that_fail_are_counted_by_the_part_that_failed(stage: Stage) -> None:
    before = current()
    say(stage.database, new_customer(stage.database))
    stage.knowledge.down = True
    stage.next_turn()
    assert counted(before)["usher_turn_failures_total{part=knowledge}"] == 1


def test_leases_that_are_taken_over_are_counted(stage: Stage) -> None:
    conversation = say(stage.database, new_customer(stage.database)).conversation_id
    before = current()
    assert stage.lease("first")
    assert "usher_leases_total{event=taken_over}" not in counted(before)
    stage.expire_lease(conversation)
    assert stage.lease("second")
    assert counted(before)["usher_leases_total{event=taken_over}"] == 1


def read_gauges(database: Database) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(RecordGauges(database))
    return values(generate_latest(registry).decode())


def test_an_empty_record_tells_that_nothing_waits(database: Database) -> None:
    assert read_gauges(database) == {
        "usher_record_up": 1,
        "usher_dead_letters": 0,
        "usher_pending_messages": 0,
        "usher_pending_oldest_seconds": 0,
        "usher_handoffs{state=waiting}": 0,
        "usher_handoffs{state=agent}": 0,
        "usher_handoff_oldest_waiting_seconds": 0,
    }


def test_what_waits_is_read_from_the_record(database: Database) -> None:
    accepted = say(database, new_customer(database))
    waiting(database)
    queue.claim(database, waiting(database).conversation_id, add_agent(database))
    old = now() - timedelta(minutes=5)
    with database.write("test") as session:
        message = session.get_one(Message, accepted.message_id)
        message.created_at = old
        session.add(
            Turn(
                conversation_id=accepted.conversation_id,
                customer_id=message.customer_id,
                last_seq=9,
                state="dead",
            )
        )
        session.add(ChannelLease(channel="webhook"))
        session.add(
            Delivery(
                message_id=message.id,
                customer_id=message.customer_id,
                seq=9,
                channel="webhook",
                due_at=old,
            )
        )
    found = read_gauges(database)
    assert found["usher_pending_messages"] == 1
    assert found["usher_pending_oldest_seconds"] >= 300
    assert found["usher_dead_letters"] == 1
    assert found["usher_handoffs{state=waiting}"] == 1
    assert found["usher_handoffs{state=agent}"] == 1
    assert found["usher_deliveries_waiting{channel=webhook}"] == 1
    assert found["usher_deliveries_overdue_seconds{channel=webhook}"] >= 300


def test_gauges_read_indexes_and_no_whole_table(database: Database) -> None:
    asked: list[tuple[str, Any]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def listen(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with database.write("test") as session:
        session.add(ChannelLease(channel="webhook"))
    asked.clear()
    read_gauges(database)
    selects = [each for each in asked if each[0].startswith("SELECT")]
    assert len(selects) >= 5
    for statement, parameters in selects:
        if "FROM channel_leases" in statement:
            continue  # a row for each channel
        with database.read() as session:
            connection = session.connection()
            explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
            if not database.is_sqlite:  # which would rather read an empty table as a whole
                connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = str(connection.exec_driver_sql(f"{explain} {statement}", parameters).all())
        assert re.search("USING (COVERING )?INDEX|Index (Only )?Scan", plan), (statement, plan)


def test_scrapes_close_together_ask_the_record_once(database: Database) -> None:
    registry = CollectorRegistry()
    registry.register(RecordGauges(database))
    first = generate_latest(registry)
    waiting(database)
    assert generate_latest(registry) == first


def test_a_record_that_does_not_answer_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'not migrated.db'}")
    assert read_gauges(database) == {"usher_record_up": 0}
    database.close()


def test_a_second_usher_on_the_machine_starts_with_its_ports_taken(tmp_path: Path) -> None:
    """A process as it is in production, with the port of its metrics taken by another."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        code = (
            "from bot import bootstrap, metrics; bootstrap.configure_logging();"
            f"print('served:', metrics.serve('127.0.0.1', {other.getsockname()[1]}, 'worker'))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
        )
    assert "USHER_METRICS_PORT" in done.stdout
    assert done.stdout.endswith("served: None\n")
    assert done.stderr == ""


def test_every_metric_is_described_in_the_documents(tmp_path: Path) -> None:
    described = set(
        re.findall(r"`(usher_\w+)(?:\{[\w,]+\})?`", (ROOT / "docs/observability.md").read_text())
    )
    database = Database(f"sqlite:///{tmp_path / 'usher.db'}")
    counted = [each.name for each in REGISTRY.collect() if each.name.startswith("usher_")]
    told = [each.name for each in RecordGauges(database).describe()]
    database.close()
    totals = {f"{name}_total": name for name in counted}
    assert {totals.get(name, name) for name in described - {"usher_info"}} == {*counted, *told}
