"""Pages for browsers: demo shop, help center, console."""

import asyncio
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import nh3
from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt

from bot.errors import NotFound
from bot.gateway.context import gateway_of
from bot.help_links import SECTION, heading_anchor
from bot.knowledge.articles.passages import plain_heading
from bot.languages import LANGUAGE_NAMES, LANGUAGES
from bot.texts import texts

router = APIRouter()

HERE = Path(__file__).parent
STATIC = HERE / "static"
STATIC_FILES = {
    "widget.js": "text/javascript",
    "console.js": "text/javascript",
    "site.css": "text/css",
}
_templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
    )
)
_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_ATTRIBUTES = nh3.ALLOWED_ATTRIBUTES | {tag: {"id"} for tag in _HEADINGS}


def _common(language: str) -> dict[str, Any]:
    return {
        "language": language,
        "languages": LANGUAGE_NAMES,
        "direction": LANGUAGES[language].direction,
        "t": texts(language),
    }


@router.get("/")
async def shop(request: Request, language: str = "") -> Response:
    gateway = gateway_of(request)
    if language not in LANGUAGES:
        language = _preferred(request) or gateway.settings.default_language
    t = texts(language)
    products = [
        {
            "id": journey.product,
            "name": journey.product.title(),
            "description": t.get(f"product_{journey.product}", ""),
            "price": t.get(f"price_{journey.product}", ""),
        }
        for journey in gateway.journeys
    ]
    context = _common(language) | {"products": products, "demo": gateway.settings.demo_shop}
    return _templates.TemplateResponse(request, "shop.html", context)


def _preferred(request: Request) -> str | None:
    """The first language of the browser that we speak."""
    for part in request.headers.get("accept-language", "").split(","):
        code = part.split(";")[0].strip().split("-")[0].lower()
        if code in LANGUAGES:
            return code
    return None


@router.get("/help/{language}")
@router.get("/help/{language}/")
async def help_index(request: Request, language: str) -> Response:
    gateway = gateway_of(request)
    if language not in LANGUAGES:
        raise NotFound("There are no articles in this language.")
    groups: dict[str, list[tuple[str, str]]] = {}
    articles = await asyncio.to_thread(gateway.articles.current)
    for article in articles.values():
        if article.language == language:
            tag = (article.tags or ("",))[0]
            heading = texts(language).get(f"topic_{tag}", tag.title())
            groups.setdefault(heading, []).append((article.id, article.title))
    if not groups:
        raise NotFound("There are no articles in this language.")
    context = _common(language) | {"groups": list(groups.items())}
    return _templates.TemplateResponse(request, "help_index.html", context)


@router.get("/help/{language}/{article_id}")
async def help_article(request: Request, language: str, article_id: str) -> Response:
    articles = await asyncio.to_thread(gateway_of(request).articles.current)
    article = articles.get((language, article_id))
    if article is None or language not in LANGUAGES:
        raise NotFound(texts(language if language in LANGUAGES else "en")["help_not_found"])
    context = _common(language) | {
        "id": article.id,
        "title": article.title,
        "body": _as_html(article.body),
        "updated": article.updated,
    }
    return _templates.TemplateResponse(request, "article.html", context)


def _as_html(body: str) -> str:
    """An article's Markdown as it may stand in a page, each heading with its anchor as id."""
    environment: dict[str, Any] = {}
    tokens = _markdown.parse(body, environment)
    seen: Counter[str] = Counter()
    for token, content in pairwise(tokens):
        if token.type == "heading_open":
            anchor = heading_anchor(plain_heading(content.content))
            seen[anchor] += 1
            # Links go to the first; two hyphens in a row are in no anchor.
            token.attrSet("id", f"{anchor}--{seen[anchor]}" if seen[anchor] > 1 else anchor)
    html: str = _markdown.renderer.render(tokens, _markdown.options, environment)
    return nh3.clean(html, attributes=_ATTRIBUTES, id_prefix=SECTION)


@router.get("/console")
async def console(request: Request) -> Response:
    return _templates.TemplateResponse(request, "console.html", _common("en"))


@router.get("/{name}", name="static")
async def static(name: str) -> Response:
    """The three built files; everything else below the root is not found."""
    media_type = STATIC_FILES.get(name)
    if media_type is None:
        raise NotFound("There is no such page.")
    # Asked again every time, answered with 304: a new release is never mixed with an old page.
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(STATIC / name, media_type=media_type, headers=headers)
