"""The `usher` command: what starts and feeds it is here, the rest in `bot.commands`."""

import json
import os
import sys
from dataclasses import asdict
from typing import Annotated
from uuid import uuid4

import httpx
import typer

from bot import bootstrap
from bot.commands import articles, people, turns
from bot.commands.output import AsJson, out, say_json
from bot.errors import UsherError

app = typer.Typer(
    help="Usher: a support assistant that answers, guides and hands over.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(people.agents_app, name="agents")
app.add_typer(turns.dead_letters_app, name="dead-letters")
app.add_typer(turns.deliveries_app, name="deliveries")
app.add_typer(people.customers_app, name="customers")


@app.command()
def up() -> None:
    """Set up what is missing, start everything, and run until Ctrl-C."""
    from bot.operations import up as operation

    operation.up(bootstrap.settings())


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Name what is wrong with this set-up, and the fix."""
    from bot.operations import doctor as operation

    findings = list(operation.examine(bootstrap.settings()))
    if as_json:
        say_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "[green]ok[/green]  " if finding.ok else "[red]fix[/red] "
            out.print(f"{mark} {finding.name}: {finding.detail}", highlight=False)
            if not finding.ok:
                out.print(f"      → {finding.fix}", highlight=False)
    # Not running is a state, not a fault.
    if any(not finding.ok for finding in findings if finding.name != "running"):
        raise typer.Exit(1)


@app.command()
def train() -> None:
    """Train the assistant's dialogue from data/, domain.yml and config.yml."""
    from bot.operations.preparing import prepare

    done = prepare(bootstrap.settings(), train=True, index=False)
    out.print(f"Trained in {done.seconds:.0f} s. A running Usher uses it after a restart.")


@app.command("prepare", hidden=True)
def prepare_command() -> None:
    """Train and index what is missing: what `up` does before it starts anything."""
    from bot.operations.preparing import prepare
    from bot.operations.training import is_trained

    settings = bootstrap.settings()
    train = settings.runs("rasa") and not is_trained(settings)
    done = prepare(settings, train=train, index=settings.runs("knowledge"))
    out.print(f"Prepared in {done.seconds:.0f} s.")


app.command()(articles.index)
app.command("import")(articles.import_articles)
app.command()(articles.ask)
app.command()(articles.evaluate)
app.command()(articles.review)
app.command()(turns.trace)
app.command()(turns.traces)


@app.command()
def purchase(
    product: Annotated[str, typer.Argument(help="What was bought, for example brio.")],
    customer: Annotated[str, typer.Option(help="The shop's id of the customer.")] = "",
    visitor: Annotated[str, typer.Option(help="Or the id of a chat visitor.")] = "",
    order: Annotated[str, typer.Option(help="Order number; made up when not given.")] = "",
    language: Annotated[str, typer.Option(help="The customer's language.")] = "en",
    as_json: AsJson = False,
) -> None:
    """Send a signed purchase event to the running Usher, as a shop's back end does."""
    from bot.signatures import sign

    if not customer and not visitor:
        raise typer.BadParameter("give --customer or --visitor")
    settings = bootstrap.settings()
    body = json.dumps(
        {
            "event_id": uuid4().hex,
            "order_id": order or f"M-{uuid4().int % 10**8:08}",
            "customer": {"id": customer, "visitor_id": visitor, "language": language},
            "products": [product],
        }
    ).encode()
    try:
        response = httpx.post(
            f"http://{settings.host}:{settings.port}/webhooks/purchases/generic",
            content=body,
            headers={"Usher-Signature": sign(body, settings.purchase_secrets[0])},
            timeout=10,
        )
    except httpx.HTTPError as error:
        sys.exit(f"usher: the gateway does not answer ({error}). Start Usher: make run")
    answer = response.json()
    if response.is_error:
        sys.exit(f"usher: {answer['error']['message']}")
    say_json(answer) if as_json else out.print(f"Order {answer['order_id']} is recorded.")


def main() -> None:
    """Run the command; what a person can mend is told in one line, without a trace."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    # Read when numpy is imported. Its threads wait for each other by spinning: two processes that
    # share the cores then take many times as long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        app()
    except UsherError as error:
        sys.exit(f"usher: {error}")


if __name__ == "__main__":
    main()
