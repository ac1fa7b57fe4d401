"""Alembic's environment: called by `bot.operations.migrating`, or by `alembic revision`."""

from alembic import context

import bot.conversations.tables
import bot.handoff.tables
import bot.journeys.tables
import bot.keeping.tables  # noqa: F401
from bot.conversations.database import Base


def run(connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    from bot.bootstrap import database

    with database().engine.connect() as connection:
        run(connection)
