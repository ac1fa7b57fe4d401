"""Commands about people: agents' accounts, and what there is of a customer."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import bootstrap
from bot.commands.output import out

agents_app = typer.Typer(help="The humans who answer.", no_args_is_help=True)
customers_app = typer.Typer(help="What Usher has of one customer.", no_args_is_help=True)


@agents_app.command("add")
def add_agent(
    email: Annotated[str, typer.Argument(help="The agent signs in with it.")],
    name: Annotated[str, typer.Option(help="Shown to colleagues.")] = "",
    password: Annotated[
        str, typer.Option(help="Asked for when not given.", envvar="USHER_AGENT_PASSWORD")
    ] = "",
) -> None:
    """Create an account for the agents' console."""
    from bot.handoff.agents import add_agent as add
    from bot.operations.migrating import migrate

    if not password:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    database = bootstrap.database()
    migrate(database)
    agent = add(database, email, name, password)
    out.print(f"{agent.email} can sign in at {bootstrap.settings().gateway_url}/console")


CustomerId = Annotated[str, typer.Argument(help="Usher's id of the customer.")]
ExternalId = Annotated[str, typer.Option(help="Or the shop's own id of them.")]
CustomerAddress = Annotated[
    str, typer.Option("--address", help="Or where they write from: CHANNEL:ADDRESS.")
]


@customers_app.command("export")
def export_customer(
    customer_id: CustomerId = "",
    external_id: ExternalId = "",
    address: CustomerAddress = "",
    output: Annotated[
        Path | None, typer.Option(help="File to write; else it goes to the standard output.")
    ] = None,
) -> None:
    """Write everything about a customer as JSON.

    Ends with 1 when something could not be had; the rest is written.
    """
    from bot.operations import forgetting

    finder = forgetting.CustomerFinder(customer_id, external_id, address)
    missing = forgetting.export(bootstrap.settings(), finder, output)
    if missing:
        sys.exit(f"usher: not everything is in it: {'; '.join(missing)}")


@customers_app.command("erase")
def erase_customer(
    customer_id: CustomerId = "",
    external_id: ExternalId = "",
    address: CustomerAddress = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase a customer: record, trackers, traces, queues. It cannot be undone.

    Works while Usher runs. Says what remains, and ends with 1 when something is still to be
    done; it can be repeated.
    """
    from bot.operations import forgetting

    def confirm(what: str) -> bool:
        return yes or typer.confirm(f"{what}\nErase?")

    finder = forgetting.CustomerFinder(customer_id, external_id, address)
    if not forgetting.erase(bootstrap.settings(), finder, confirm, out):
        raise typer.Exit(1)
