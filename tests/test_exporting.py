"""An export has everything that the record has of a customer, and nothing of others."""

import json
import tracemalloc
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from bot.conversations.database import Database
from bot.conversations.tables import Message
from bot.errors import InvalidInput, NotFound
from bot.keeping.exporting import PAGE, WITHHELD, Export
from bot.keeping.trackers import Trackers
from bot.operations import forgetting
from bot.operations.forgetting import CustomerFinder
from bot.operations.migrating import migrate
from bot.settings import load_settings
from tests.lives import full_life, identifiers, newcomer, remember, rows_of


def exported(database: Database, trackers: Trackers, customer_id: str) -> dict[str, Any]:
    wanted = Export(database, trackers, customer_id)
    found: dict[str, Any] = json.loads("".join(wanted.chunks()))
    assert wanted.missing == []
    return found


def plain(value: object) -> Any:
    """As it is written in JSON."""
    return json.loads(json.dumps(value, default=lambda time: time.isoformat()))


def test_everything_that_the_record_has_of_a_customer_is_in_their_export(
    database: Database, trackers: Trackers
) -> None:
    life = full_life(database, "zebrafish")
    export = exported(database, trackers, life.id)
    rows = rows_of(database, identifiers(life))
    assert {table for table, _ in rows} - {"customers"} <= set(export)
    for table, row in rows:
        written = [export["customer"]] if table == "customers" else export[table]
        assert plain({key: row[key] for key in row if key not in WITHHELD}) in written, table


def test_trackers_are_in_the_export(database: Database, trackers: Trackers, redis: Redis) -> None:
    life = full_life(database, "zebrafish")
    remember(redis, life)
    found = exported(database, trackers, life.id)["trackers"]
    assert set(found) == set(life.conversations)
    assert found[life.conversations[0]]["events"] == [{"text": "my zebrafish"}]


def test_nothing_of_others_and_no_secret_is_in_the_export(
    database: Database, trackers: Trackers
) -> None:
    life, other = full_life(database, "zebrafish"), full_life(database, "capybara")
    written = json.dumps(exported(database, trackers, life.id))
    assert "capybara" not in written
    assert other.id not in written
    assert "token_hash" not in written
    assert life.visitor.token not in written


def test_messages_are_in_their_order_however_many_there_are(
    database: Database, trackers: Trackers
) -> None:
    life = newcomer(database, "zebrafish")
    conversation = life.talk()
    with database.write("test") as session:
        session.add_all(
            Message(
                conversation_id=conversation,
                customer_id=life.id,
                seq=seq,
                author="customer",
                text=str(seq),
            )
            for seq in range(3, 2 * PAGE + 1)
        )
    messages = exported(database, trackers, life.id)["messages"]
    assert [each["seq"] for each in messages] == list(range(1, 2 * PAGE + 1))


def test_a_long_export_is_not_kept_in_memory(trackers: Trackers, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'usher.db'}")
    migrate(database)
    life = newcomer(database, "zebrafish")
    conversation = life.talk()
    with database.write("test") as session:
        session.bulk_insert_mappings(
            Message,
            [
                {
                    "conversation_id": conversation,
                    "customer_id": life.id,
                    "seq": seq,
                    "author": "customer",
                    "text": "zebrafish " * 50,
                }
                for seq in range(3, 10_000)
            ],
        )
    chunks = Export(database, trackers, life.id).chunks()
    for _ in range(100):
        next(chunks)
    tracemalloc.start()
    length = sum(map(len, chunks))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    database.close()
    assert length > 7_000_000
    assert peak < length / 2


def test_without_redis_the_export_says_what_is_missing(database: Database) -> None:
    life = full_life(database, "zebrafish")
    wanted = Export(database, Trackers("redis://127.0.0.1:1/0"), life.id)
    found = json.loads("".join(wanted.chunks()))
    assert found["trackers"] == {}
    assert found["messages"]
    (missing,) = wanted.missing
    assert missing.startswith("trackers: Redis does not answer")


def test_an_unknown_customer_has_no_export(database: Database, trackers: Trackers) -> None:
    with pytest.raises(NotFound, match="no customer with the id nobody"):
        "".join(Export(database, trackers, "nobody").chunks())


@pytest.fixture
def settings_of(
    database: Database, valkey_url: str, tmp_path: Path, clean_environment: None
) -> Any:
    return load_settings(
        data_dir=tmp_path / "data",
        database_url=database.engine.url.render_as_string(hide_password=False),
        redis_url=valkey_url,
    )


def test_the_file_is_for_its_owner_alone(
    database: Database, settings_of: Any, tmp_path: Path
) -> None:
    full_life(database, "zebrafish")
    output = tmp_path / "zebrafish.json"
    finder = CustomerFinder("", "zebrafish-at-the-shop", "")
    assert forgetting.export(settings_of, finder, output) == []
    assert output.stat().st_mode & 0o777 == 0o600
    assert json.loads(output.read_text())["customer"]["external_id"] == "zebrafish-at-the-shop"
    assert [each.name for each in tmp_path.iterdir() if "zebrafish" in each.name] == [output.name]


def test_a_file_that_cannot_be_written_is_named(
    database: Database, settings_of: Any, tmp_path: Path
) -> None:
    life = newcomer(database, "zebrafish")
    output = tmp_path / "missing" / "zebrafish.json"
    with pytest.raises(InvalidInput, match=r"zebrafish\.json cannot be written: No such file"):
        forgetting.export(settings_of, CustomerFinder(life.id, "", ""), output)


def test_the_standard_output_gets_the_same(
    database: Database, settings_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = full_life(database, "zebrafish")
    said = StringIO()
    monkeypatch.setattr("sys.stdout", said)
    assert forgetting.export(settings_of, CustomerFinder(life.id, "", ""), None) == []
    assert json.loads(said.getvalue())["customer"]["id"] == life.id
