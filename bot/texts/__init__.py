"""What Usher itself says outside of Rasa's responses, in each language."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent


@cache
def texts(language: str) -> Mapping[str, str]:
    """All texts of one language, by key."""
    loaded: dict[str, str] = yaml.safe_load((FOLDER / f"{language}.yml").read_text("utf-8"))
    return loaded
