"""The `usher` command."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import httpx
import typer
from rich.console import Console
from rich.table import Table

from bot import bootstrap
from bot.errors import UsherError
from bot.messages import LANGUAGES, Outcome

app = typer.Typer(
    help="Usher: a support assistant that answers, guides and hands over.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
agents_app = typer.Typer(help="The humans who answer.", no_args_is_help=True)
app.add_typer(agents_app, name="agents")
dead_letters_app = typer.Typer(
    help="Turns that were given up; their customers have a human.", no_args_is_help=True
)
app.add_typer(dead_letters_app, name="dead-letters")
deliveries_app = typer.Typer(
    help="Messages that did not reach their customers.", no_args_is_help=True
)
app.add_typer(deliveries_app, name="deliveries")
customers_app = typer.Typer(help="What Usher has of one customer.", no_args_is_help=True)
app.add_typer(customers_app, name="customers")

out = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


def _say_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, default=str))


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
        _say_json([asdict(finding) for finding in findings])
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
    from bot.operations import training

    seconds = training.train(bootstrap.settings())
    out.print(f"Trained in {seconds:.0f} s. A running Usher uses it after a restart.")


@app.command(hidden=True)
def prepare() -> None:
    """Train and index what is missing: what `up` does before it starts anything."""
    from bot.operations import indexing, training

    settings = bootstrap.settings()
    if training.is_trained(settings) or not settings.runs("rasa"):
        indexing.index(settings)
    elif not settings.runs("knowledge"):
        training.train(settings)
    else:
        seconds = training.train(settings, meanwhile=lambda: indexing.index(settings))
        out.print(f"Trained and indexed in {seconds:.0f} s.")


@app.command()
def index() -> None:
    """Embed new and changed articles; a running Usher then serves them.

    Ends with 1 when a file cannot be served as it was saved. The others are served, and of
    that file the last good version.
    """
    from bot.operations import indexing

    settings = bootstrap.settings()
    indexed = indexing.index(settings)
    out.print(f"{indexed.articles} articles are indexed.")
    out.print(indexing.reload(settings))
    _say_problems(indexed.problems)


@app.command("import")
def import_articles(
    source: Annotated[
        Path, typer.Argument(help="A CSV file, an HTML page, or a folder of HTML pages.")
    ],
    language: Annotated[str, typer.Option(help="Language of the articles: en, vi, th, fa, …")],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of the new files, if not the language's in the knowledge base."),
    ] = None,
    replace: Annotated[bool, typer.Option(help="Overwrite files that are there already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write articles from a CSV file or from HTML pages.

    A CSV file has the columns `question` and `answer`, and may have `id`, `title`, `language`,
    and `tags` and `products`, several of which are separated by `;`. Questions with the same
    answer or the same id become one article. Of an HTML page the title, the main content and
    the date are taken; a page of questions becomes an article for each of them.

    The written files are ordinary articles, to be read and edited. Ends with 1 when something
    could not be taken over.
    """
    from bot.operations import importing

    imported = importing.import_into(
        bootstrap.settings(), source, language, into, replace, quiet=as_json
    )
    print(importing.as_json(imported)) if as_json else importing.show(imported, out)
    if imported.problems:
        raise typer.Exit(1)


def _say_problems(problems: Sequence[object]) -> None:
    """Print what is to be mended, each on a line that begins with file and line number."""
    if problems:
        for problem in problems:
            out.print(str(problem), markup=False, highlight=False, soft_wrap=True)
        out.print(f"{len(problems)} to mend.")
        raise typer.Exit(1)


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="A customer's question.")],
    language: Annotated[
        str, typer.Option(help="Language of the page the customer is on: en, vi, th or fa.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Ask the knowledge base; works without the servers running."""
    settings = bootstrap.settings()
    language = language or settings.default_language
    if language not in LANGUAGES:
        raise typer.BadParameter(f"must be one of {', '.join(LANGUAGES)}", param_hint="--language")
    with out.status("Loading the knowledge base") if not as_json else _quiet():
        from bot.knowledge.service import load_matcher

        match = load_matcher(settings).match(text, language)
    if as_json:
        _say_json(
            {
                "outcome": match.outcome,
                "article": match.candidates[0].article if match.outcome == "answer" else None,
                "candidates": [
                    {"article": each.article, "probability": round(each.probability, 4)}
                    for each in match.candidates
                ],
                "confidence": round(match.confidence, 4),
                "language": match.language,
                "text": match.text if match.outcome == "answer" else "",
            }
        )
        return
    out.print(f"[bold]{match.outcome}[/bold], confidence {match.confidence:.2f}, {match.language}")
    if match.outcome == "answer":
        out.print(match.text, markup=False)
    table = Table("article", "title", "probability")
    for each in match.candidates:
        table.add_row(each.article, each.title, f"{each.probability:.2f}")
    out.print(table)


@app.command()
def evaluate(
    knowledge: Annotated[
        Path | None, typer.Option(help="Folder of articles; else the one of the settings.")
    ] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV file with the columns text, article and perhaps language, or a folder of "
            "such files; may be repeated. Without it: the questions kept for Usher's own shop."
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            help="How often an answer that is given must be right, 0.5–0.99; else as set."
        ),
    ] = None,
    misses: Annotated[int, typer.Option(min=0, help="List so many of the worst misses.")] = 0,
    diagram: Annotated[
        Path | None, typer.Option(help="Draw a reliability diagram into this .svg or .png file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well questions with known answers are answered from a folder of articles.

    An empty article in the CSV means that no article answers the question: it is unanswerable,
    and right is to hold it back (clarify or hand off). The language is the one of the page that
    the customer is on; without it, the message itself tells. A file named vi.csv without that
    column is in Vietnamese.

    Reported in all and for each language, as shares from 0 to 1; null where nothing can be
    measured:

    - `questions`, `unanswerable`: how many.
    - `top1`, `top3`: share of the answerable questions whose right article came first, or
      among three, answered or not.
    - `share_answered`: share of all questions that were answered.
    - `precision`: share of the answered questions that got the right article.
    - `held_back`: share of the unanswerable questions that were not answered.
    - `auroc`: chance that the confidence is higher where the first article is right than
      where it is wrong, over all questions.
    - `calibration_error`: mean gap between the confidence and the share of right first
      articles, over all questions in ten bins of equal size, or fewer of at least 25.
    - `coverage_at_precision`: largest share of all questions that one threshold, chosen on
      these very questions, would answer with at least that precision.
    - `ms_per_question`: median wall time of one match, embedding included.
    """
    settings = bootstrap.settings()
    precision = settings.answer_precision if precision is None else precision
    if not 0.5 < precision < 1:
        raise typer.BadParameter("must be above 0.5 and below 1", param_hint="--precision")

    from bot.knowledge import reliability
    from bot.knowledge.embedding import Embedder
    from bot.operations import evaluating

    if diagram is not None:
        reliability.check_picture_file(diagram)
    evaluation = evaluating.evaluate(
        Embedder(settings.embedding_model, settings.data_dir / "vectors"),
        knowledge or settings.knowledge_base,
        questions or [],
        precision,
        settings.default_language,
        quiet=as_json,
    )
    if diagram is not None:
        reliability.draw(evaluation.groups, precision, diagram)
    if as_json:
        _say_json(evaluating.as_json(evaluation, misses))
    else:
        evaluating.show(evaluation, misses, out)


@app.command()
def review(
    knowledge: Annotated[
        Path | None, typer.Option(help="Folder of articles; else the one of the settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find articles that contradict or repeat each other, and missing translations.

    - **Contradictions**: statements of two articles that share most of their words, but no
      number of the same unit (days, €, %), or of which one is denied.
    - **Near duplicates**: articles that are nearest to each other and share half of their words.
    - The **same title or example question** in several articles.
    - **Translations** whose numbers of a unit have nothing in common, and missing ones.

    Findings are to be judged: two similar sentences may both be right.
    """
    from bot.knowledge.embedding import Embedder
    from bot.operations import reviewing

    settings = bootstrap.settings()
    embedder = Embedder(settings.embedding_model, settings.data_dir / "vectors")
    articles, problems, findings = reviewing.examine(
        knowledge or settings.knowledge_base, embedder, quiet=as_json
    )
    if as_json:
        _say_json(reviewing.as_json(articles, problems, findings))
    else:
        reviewing.show(articles, findings, out)


@contextmanager
def _quiet() -> Iterator[None]:
    yield


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


@dead_letters_app.command("list")
def list_dead_letters(as_json: AsJson = False) -> None:
    """List turns that were given up, the oldest first."""
    from bot.turns import dead_letters

    found = dead_letters.waiting(bootstrap.database())
    if as_json:
        _say_json([asdict(each) for each in found])
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
        _say_json([asdict(each) for each in found])
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


@app.command()
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
        _say_json([explaining.as_json(turn) for turn in turns])
    else:
        explaining.show(turns, out)


@app.command()
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
    """List questions that were not answered, for those who write articles.

    What the assistant took for no question, such as a greeting, is not among them.
    """
    from bot.conversations.database import now
    from bot.operations import explaining
    from bot.turns import reading_traces

    turns = reading_traces.of_outcome(
        bootstrap.database(),
        outcome or [Outcome.CLARIFY, Outcome.HANDOFF],
        now() - explaining.duration(since),
        language,
        limit,
    )
    if as_json:
        _say_json([explaining.as_json(turn) for turn in turns])
    else:
        explaining.show_list(turns, out)


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
    _say_json(answer) if as_json else out.print(f"Order {answer['order_id']} is recorded.")


def main() -> None:
    """Run the command; what a person can mend is told in one line, without a trace."""
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    try:
        app()
    except UsherError as error:
        sys.exit(f"usher: {error}")


if __name__ == "__main__":
    main()
