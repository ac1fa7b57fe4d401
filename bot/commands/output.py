"""How commands answer: to a person, or as JSON to a program."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

out = Console()

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for programs.")]


def say_json(answer: Any) -> None:
    print(json.dumps(answer, ensure_ascii=False, default=str))
