"""Write docs/settings.md from the settings themselves; `--check` finds what is stale.

.venv/bin/python docs/generate.py            # write
.venv/bin/python docs/generate.py --check    # exit 1 and name what is stale or broken
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from bot.settings import ROOT, Settings

SETTINGS_PAGE = ROOT / "docs" / "settings.md"
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
COMMAND = ".venv/bin/python docs/generate.py"

_FENCE = re.compile(r"(?ms)^(```|~~~).*?^\1[ \t]*$")
_INLINE_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"!?\[[^\]\n]*\]\(<?([^)\s>]+)>?\)")
_HEADING = re.compile(r"(?m)^#{1,6}[ \t]+(.+?)[ \t]*$")
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:")

_INTRODUCTION = f"""# Settings

<!-- Written by `{COMMAND}` from `bot/settings.py`; changes here are lost. -->

Usher reads each setting from the environment, or from a file `.env` in the project's folder
(`USHER_PORT=9000`, one a line); the environment wins. A wrong value stops the start and names the
key. Change a setting, then start Usher again. None has to be set.

"""


def environment_name(name: str, field: FieldInfo) -> str:
    """The variable that a setting is read from; of several the first."""
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"USHER_{name.upper()}"


def _default(field: FieldInfo) -> str:
    value = field.default
    if isinstance(value, Path):
        value = value.relative_to(ROOT)
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`" if str(value) else "empty"


def _limits(field: FieldInfo) -> str:
    """What a value may be, in words."""
    names = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    found = [
        f"{words} {getattr(rule, key)}"
        for rule in field.metadata
        for key, words in names.items()
        if getattr(rule, key, None) is not None
    ]
    for rule in field.metadata:
        choices = re.fullmatch(r"\^\(([a-z|]+)\)\$", getattr(rule, "pattern", None) or "")
        if choices is not None:
            found.append("one of " + ", ".join(choices[1].split("|")))
    return ", ".join(found)


def settings_page() -> str:
    """The page as it should be."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        limits = _limits(field)
        meaning = f"{field.description} ({limits})" if limits else f"{field.description}"
        rows.append(f"| `{environment_name(name, field)}` | {_default(field)} | {meaning} |")
    return _INTRODUCTION + "\n".join(rows) + "\n"


def pages() -> list[Path]:
    """Every page whose links are checked."""
    return [ROOT / name for name in PAGES] + sorted((ROOT / "docs").rglob("*.md"))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text("utf-8")))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(page: Path) -> Iterator[str]:
    """Relative links of a page that lead nowhere, each with what is missing."""
    text = _INLINE_CODE.sub("", _FENCE.sub("", page.read_text("utf-8")))
    for link in _LINK.findall(text):
        if _EXTERNAL.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path) if path else page
        if not target.exists():
            yield f"{page.relative_to(ROOT)}: there is no {link}"
        elif anchor and target.suffix == ".md" and anchor not in _anchors(target):
            yield f"{page.relative_to(ROOT)}: {path or 'the page'} has no heading #{anchor}"


def problems() -> Iterator[str]:
    """Everything that is stale or broken."""
    written = SETTINGS_PAGE.read_text("utf-8") if SETTINGS_PAGE.exists() else ""
    if written != settings_page():
        yield f"docs/settings.md is stale; run `{COMMAND}`"
    for page in pages():
        yield from broken_links(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    if not parser.parse_args().check:
        SETTINGS_PAGE.write_text(settings_page(), "utf-8")
    found = list(problems())
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
