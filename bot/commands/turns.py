"""Commands about turns and deliveries: why they went so, and what became stuck."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from bot import bootstrap
from bot.commands.output import AsJson, out, say_json
from bot.messages import Outcome

dead_letters_app = typer.Typer(
    help="Turns that were given up; their customers have a human.", no_args_is_help=True
)
deliveries_app = typer.Typer(
    help="Messages that did not reach their customers.", no_args_is_help=True
)


@dead_letters_app.command("list")
def list_dead_letters(as_json: AsJson = False) -> None:
    """List turns that were given up, the oldest first."""
    from bot.turns import dead_letters

    found = dead_letters.waiting(bootstrap.database())
    if as_json:
        say_json([asdict(each) for each in found])
        return
    if not found:
        out.print("There are no dead letters.")
        return
    table = Table("id", "given up", "tries", "conversation", "problem")
    for each in found:
        given_up = f"{each.given_up_at:%Y-%m-%d %H:%M:%S} UTC"
        table.add_row(each.id, given_up, str(each.tries), each.conversation_id, each.problem)
    out.print(table)


@dead_letters_app.command("retry")
def retry_dead_letter(
    dead_letter: Annotated[str, typer.Argument(metavar="ID", help="As listed.")],
) -> None:
    """Let the assistant take a turn once more, when what made it fail is mended.

    Where the customer still waits for a human, the assistant takes the conversation back.
    """
    from bot.turns import dead_letters

    conversation = dead_letters.retry(bootstrap.database(), dead_letter)
    out.print(f"The turn is due again. What came of it: usher trace {conversation}")


@dead_letters_app.command("drop")
def drop_dead_letter(
    dead_letter: Annotated[str, typer.Argument(metavar="ID", help="As listed.")],
) -> None:
    """Take a turn off the list; what was said stays in the record."""
    from bot.turns import dead_letters

    dead_letters.drop(bootstrap.database(), dead_letter)
    out.print("It is off the list.")


@deliveries_app.command("list")
def list_deliveries(
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what did not, or perhaps not, reach its customer, the latest first."""
    from bot.deliveries import failures

    found = failures.latest(bootstrap.database(), limit)
    if as_json:
        say_json([asdict(each) for each in found])
        return
    if not found:
        out.print("Everything has reached its customer, or is on its way.")
        return
    table = Table("id", "when", "state", "channel", "tries", "conversation", "problem")
    for each in found:
        when = f"{each.ended_at:%Y-%m-%d %H:%M:%S} UTC"
        fields = (each.state, each.channel, str(each.tries), each.conversation_id, each.problem)
        table.add_row(each.id, when, *fields)
    out.print(table)


@deliveries_app.command("retry")
def retry_delivery(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="As listed.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="All that failed within the last day.")
    ] = False,
) -> None:
    """Send what failed once more, when the cause is mended; an unknown tip never."""
    from bot.deliveries import failures

    if bool(delivery) == everything:
        raise typer.BadParameter("give an id or --all")
    if everything:
        out.print(f"{failures.retry_all(bootstrap.database())} messages are to be sent again.")
    else:
        failures.retry(bootstrap.database(), delivery)
        out.print("The message is to be sent again.")


def trace(
    some_id: Annotated[
        str, typer.Argument(metavar="ID", help="Of a conversation, a message or a turn.")
    ],
    as_json: AsJson = False,
) -> None:
    """Tell why the assistant answered as it did: what it understood, looked up and weighed."""
    from bot.operations import explaining
    from bot.turns import reading_traces

    turns = reading_traces.of(bootstrap.database(), some_id)
    if as_json:
        say_json([explaining.as_json(turn) for turn in turns])
    else:
        explaining.show(turns, out)


def traces(
    outcome: Annotated[
        list[Outcome] | None,
        typer.Option(help="May be repeated; without it all that were not answered."),
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 30m, 12h, 7d, 4w.")] = "7d",
    language: Annotated[str, typer.Option(help="Of the question; else any.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what was not answered: questions, what was not understood, and dialogue acts with the
    probability that they are one.
    """
    from bot.conversations.database import now
    from bot.operations import explaining
    from bot.turns import reading_traces

    turns = reading_traces.of_outcome(
        bootstrap.database(),
        outcome or [each for each in Outcome if each is not Outcome.ANSWER],
        now() - explaining.duration(since),
        language,
        limit,
    )
    if as_json:
        say_json([explaining.as_json(turn) for turn in turns])
    else:
        explaining.show_list(turns, out)
