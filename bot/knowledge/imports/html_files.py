"""An HTML page → title, date and main content as Markdown, through trafilatura.

Trafilatura is made for articles of newspapers. Help pages are shorter, and their answers hide
behind buttons that open them, so a page is put into a plainer shape first, and what comes of
it is compared with all that the page says: an answer is never lost without a word.
"""

import codecs
import re
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import trafilatura
from trafilatura.settings import DEFAULT_CONFIG

from bot.knowledge.imports.archives import archive_kind

MAX_PAGE_BYTES = 5_000_000
MAX_ELEMENTS = 50_000
MAX_DEPTH = 200
"""libxml2 stops reading at 256 levels, without a word."""
QUESTION_LEVEL = 6
"""Level of the headings that what opens an answer on a click is turned into."""

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_NO_CONTENT = (
    "//script", "//style", "//noscript", "//template", "//iframe", "//object", "//embed", "//svg",
    "//canvas", "//video", "//audio", "//select", "//textarea", "//input", "//nav", "//footer",
    "//header[not(ancestor::main or ancestor::article)]",
    "//aside[not(ancestor::article)]",
    "//*[@role='navigation' or @role='search' or @role='banner' or @role='contentinfo']",
)  # fmt: skip
_CONTAINERS = ("//*[@itemprop='articleBody']", "//article", "//main", "//*[@role='main']")
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "div", "dl",
    "dt", "fieldset", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li",
    "main", "ol", "p", "pre", "section", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
_HEADINGS = "self::h1 or self::h2 or self::h3 or self::h4 or self::h5 or self::h6"
_HEADINGS_IN_HEADINGS = f"//*[{_HEADINGS}][ancestor::h5 or ancestor::h{QUESTION_LEVEL}]"
_PLAINER = {
    "summary": f"h{QUESTION_LEVEL}", "dt": "h5", "details": "div", "dl": "div", "dd": "div",
    "figure": "div", "figcaption": "p",  # or else tables and code in figures are dropped
}  # fmt: skip
_WRAPPERS = ("div", "section", "article", "main", "header", "form", "fieldset", "center", "aside")
_ASIDE = re.compile(
    r"(?i)\b(comments?|votes?|related|share|social|breadcrumbs?|cookies?|sidebar|rating|feedback|"
    r"helpful|pagination|newsletter|subscribe|toc|skip-link|menu)\b"
)
_OPENS = re.compile(r"(?i)accordion|faq|question|collaps|toggle")
_ENOUGH = 0.8
"""Share of the page's words below which the main content is taken for incomplete."""
_LINKS = ("http://", "https://", "mailto:", "tel:")
_NOWHERE = "https://nowhere.invalid"
_LINK_AS_TEXT = re.compile(r"\\\[([^\[\]\\]*)\\\]\(((?:https?|mailto|tel):[^()\s]*)\)")
_LINK_TO_NOWHERE = re.compile(rf"\[([^\[\]]*)\]\({re.escape(_NOWHERE)}/?\)")
# Trafilatura removes invisible characters, and Persian cannot do without these two.
_JOINERS = {"\u200c": "ᚠ", "\u200d": "ᚢ"}

# Trafilatura makes no header of empty cells: this stands in them until all is Markdown.
_NO_NAME = "ᛜ"

_config = deepcopy(DEFAULT_CONFIG)
# Below this many characters the whole page, menus and all, would be taken instead.
_config.set("DEFAULT", "MIN_EXTRACTED_SIZE", "0")


class UnreadablePageError(ValueError):
    """A page that yields no article; the message says why and what to do."""


@dataclass(frozen=True)
class Page:
    """What a page says."""

    title: str
    updated: str
    """As 2026-11-20; empty when the page does not say."""
    body: str
    """Markdown."""


def read_page(content: bytes) -> Page:
    """Title, date and main content of a page.

    Raises:
        UnreadablePageError: with the reason, and what to do.
    """
    tree = _tree(_decoded(content))
    metadata = trafilatura.extract_metadata(
        # Not extensive: that takes the year of a copyright notice for a date.
        tree, date_config={"extensive_search": False, "original_date": False}
    )  # fmt: skip
    _shape(tree)
    body = _markdown(deepcopy(tree))
    everything = _markdown(_flat(tree))
    if len(body.split()) < _ENOUGH * len(everything.split()):
        body = everything
    if not any(map(str.isalnum, body)):
        raise UnreadablePageError(
            "no text was found, perhaps because a script builds the page in the browser; save it "
            "as the browser shows it, or write the article by hand"
        )
    return Page(_restored(metadata.title or ""), metadata.date or "", _restored(body))


def _decoded(content: bytes) -> str:
    if kind := archive_kind(content):
        raise UnreadablePageError(f"is no HTML page but {kind}; unpack or export it first")
    for mark, name in ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if content.startswith(mark):
            return _decoded_as(content, name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        declared = _CHARSET.search(content, 0, 4096)
        return _decoded_as(content, declared[1].decode() if declared else "utf-8")


def _decoded_as(content: bytes, name: str) -> str:
    try:
        return content.decode(name)
    except (UnicodeError, LookupError) as error:
        raise UnreadablePageError(
            f"is not {name} text as it should be; save it as UTF-8"
        ) from error


def _tree(text: str) -> Any:
    if "\0" in text:
        raise UnreadablePageError("is no text; export the page as HTML")
    if "<html" not in text[:5000].lower():
        text = f"<html><body>{text}</body></html>"
    tree = trafilatura.load_html(text)
    if tree is None:
        raise UnreadablePageError("is no HTML; export the page as HTML")
    if tree.xpath("count(//*)") > MAX_ELEMENTS:
        raise UnreadablePageError(f"has more than {MAX_ELEMENTS:,} elements; split the page")
    if tree.xpath(f"boolean(//*[count(ancestor::*) >= {MAX_DEPTH}])"):
        raise UnreadablePageError(
            f"is nested more than {MAX_DEPTH} levels deep; copy its text into a plain page"
        )
    for element in tree.iter():
        for joiner, mark in _JOINERS.items():
            element.text = element.text and element.text.replace(joiner, mark)
            element.tail = element.tail and element.tail.replace(joiner, mark)
    return tree


def _restored(text: str) -> str:
    for joiner, mark in _JOINERS.items():
        text = text.replace(mark, joiner)
    return text


def _shape(tree: Any) -> None:
    """Take away what is no content, and make headings of what opens an answer."""
    for path in _NO_CONTENT:
        _remove(tree.xpath(path))
    for button in tree.xpath("//button | //*[@role='button'][@aria-expanded]"):
        if button.xpath(f"ancestor::*[{_HEADINGS}]"):
            button.drop_tag()
        elif _opens_something(button):
            button.tag = f"h{QUESTION_LEVEL}"
        elif button.tag == "button":
            _remove([button])
    for element in tree.iter(*_PLAINER):
        element.tag = _PLAINER[element.tag]
    for inner in tree.xpath(_HEADINGS_IN_HEADINGS):
        inner.drop_tag()
    _settle_links(tree)
    for table in tree.iter("table"):
        _name_no_columns(table)
    for block in list(tree.iter(*_WRAPPERS, "body")):
        _wrap_stray_text(block)


def _remove(elements: list[Any]) -> None:
    for element in elements:
        if element.getparent() is not None:
            element.drop_tree()  # keeps the text that follows it


def _opens_something(button: Any) -> bool:
    parent = button.getparent()
    switches = button.get("aria-expanded") or button.get("aria-controls")
    if not (switches or _OPENS.search(_names(button) + _names(parent))):
        return False
    following = (button.getnext(), parent.getnext())
    return any(each is not None and each.text_content().strip() for each in following)


def _settle_links(tree: Any) -> None:
    """Make links whole by the page's own address, and mark those that lead nowhere from here.

    They stay links, because menus are known by their many links.
    """
    base = next(iter(tree.xpath("//link[@rel='canonical']/@href | //base/@href")), "")
    for link in tree.iter("a"):
        target = link.get("href") or "#"
        try:
            whole = "" if target.startswith("#") else urljoin(base, target)
        except ValueError:
            whole = ""
        link.set("href", whole if whole.lower().startswith(_LINKS) else _NOWHERE)


def _name_no_columns(table: Any) -> None:
    """Where rows have names and columns none, an empty header stands before the first row."""
    first, second = (*table.iter("tr"), None, None)[:2]
    if first is None or second is None or not (_has_name(first) and _has_name(second)):
        return
    header = first.makeelement("tr")
    for cell in first.iterchildren("th", "td"):
        cell.tag = "td"
        name = cell.makeelement("th")
        name.text = _NO_NAME
        header.append(name)
    first.addprevious(header)


def _has_name(row: Any) -> bool:
    """Whether the first cell of a row, and no other, is a header that says something."""
    cells = list(row.iterchildren("th", "td"))
    tags = [cell.tag for cell in cells]
    return tags[:1] == ["th"] and set(tags[1:]) == {"td"} and bool(cells[0].text_content().strip())


def _wrap_stray_text(block: Any) -> None:
    """Put text that stands in a block beside other blocks into paragraphs of its own."""
    paragraph = None
    if block.text and block.text.strip():
        paragraph = block.makeelement("p")
        paragraph.text, block.text = block.text, None
        block.insert(0, paragraph)
    for child in list(block)[1 if paragraph is not None else 0 :]:
        if child.tag in _BLOCKS or any(each.tag in _BLOCKS for each in child.iterdescendants()):
            paragraph = None
            if child.tail and child.tail.strip():
                paragraph = block.makeelement("p")
                paragraph.text, child.tail = child.tail, None
                child.addnext(paragraph)
        else:
            if paragraph is None:
                paragraph = block.makeelement("p")
                child.addprevious(paragraph)
            paragraph.append(child)  # with the text that follows it


def _flat(tree: Any) -> Any:
    """The whole content as one article of plain blocks, so that no part of it is left out."""
    body = next((found[0] for path in _CONTAINERS if len(found := tree.xpath(path)) == 1), None)
    body = body if body is not None else tree.xpath("//body")[0]
    _remove([each for each in body.iterdescendants() if _ASIDE.search(_names(each))])
    _remove([each for each in body.iter("ul", "ol", "div", "section", "table") if _is_menu(each)])
    for link in list(body.iter("a")):  # as text: paragraphs with many links would be dropped
        words, target = " ".join(link.text_content().split()), link.get("href")
        if words and target != _NOWHERE:
            for child in list(link):
                child.drop_tree()
            link.text = f"[{words}]({target})"
        link.drop_tag()
    for wrapper in [each for each in body.iter(*_WRAPPERS) if each is not body]:
        wrapper.drop_tag()
    body.tag = "article"
    for name in list(body.attrib):
        del body.attrib[name]
    flat: Any = trafilatura.load_html("<html><body></body></html>")
    flat.find("body").append(body)
    return flat


def _names(element: Any) -> str:
    return " ".join(element.get(name) or "" for name in ("class", "id", "role"))


def _is_menu(element: Any) -> bool:
    links = list(element.iter("a"))
    linked = sum(len(each.text_content().split()) for each in links)
    return len(links) > 1 and linked > _ENOUGH * len(element.text_content().split())


def _markdown(tree: Any) -> str:
    text = trafilatura.extract(
        tree,
        output_format="markdown",
        include_comments=False,
        include_formatting=True,
        include_links=True,
        include_tables=True,
        config=_config,
    )
    text = _LINK_AS_TEXT.sub(r"[\1](\2)", text or "")
    return _LINK_TO_NOWHERE.sub(r"\1", text).replace(_NO_NAME, "")
