"""The body of an article → its sections, its first paragraph, its passages.

Read line by line: a pattern over a whole body would let one long line take hours.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt

MAX_PASSAGE_LENGTH = 240
"""Characters of a passage with its heading: a sentence or three. Shorter ones are found more often
(XQuAD, nearest passage first: 0.90 for whole paragraphs, 0.94 for sentences)."""

_MAX_NAME_LENGTH = 80
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# Persian and Urdu marks, and the full-width ones of mixed texts, end sentences too. Thai has
# none: there the spaces between phrases are the next best place.
_SENTENCE_END = re.compile(r"[.!?…؟۔。！？][\"'”’»)\]]*(?=\s)")
_markdown = MarkdownIt("commonmark", {"html": False})
_MARKS = re.compile(r"[\\*_`\[<&]")
_MAX_MARKED_LENGTH = 10_000
_THAI_LEADING_VOWELS = "เแโใไ"


@dataclass(frozen=True)
class Section:
    """A heading and the lines up to the next one."""

    level: int
    """1–6; 0 is what stands before the first heading."""
    heading: str
    lines: tuple[str, ...]


def sections(body: str) -> Iterator[Section]:
    """The sections of a Markdown body. A line in a fenced code block is never a heading."""
    level, heading, lines = 0, "", list[str]()
    fence = ""
    for line in body.split("\n"):
        if fence:
            closes = line.strip()
            if len(closes) >= len(fence) and not closes.strip(fence[0]):
                fence = ""
        elif opened := _FENCE.match(line):
            fence = opened[1]
        elif begun := _HEADING.match(line):
            yield Section(level, heading, tuple(lines))
            level, heading, lines = len(begun[1]), _heading_text(line[begun.end(1) :]), []
            continue
        lines.append(line)
    yield Section(level, heading, tuple(lines))


def _heading_text(text: str) -> str:
    text = text.strip()
    without_marks = text.rstrip("#")
    closed = not without_marks or without_marks[-1].isspace()  # "## Heading ##"
    return without_marks.strip() if closed else text


def first_paragraph(body: str) -> str:
    """The first lines with words that are no heading, as a line of plain text; empty: none."""
    for section in sections(body):
        words: list[str] = []
        for line in (*_texts(section), ""):
            words += line.split()
            if not line.strip():
                if any(map(str.isalnum, plain := _plain(" ".join(words)))):
                    return plain
                words = []
    return ""


def _plain(text: str) -> str:
    """Markdown as a chat can show it: without marks and escapes, links as text and address."""
    if len(text) > _MAX_MARKED_LENGTH or not _MARKS.search(text):
        return text
    (line,) = _markdown.parseInline(text)
    said: list[str] = []
    addresses: list[tuple[str, int]] = []
    for token in line.children or ():
        if token.type == "link_open":
            addresses.append((str(token.attrGet("href")), len(said)))
        elif token.type == "link_close":
            address, begin = addresses.pop()
            if "".join(said[begin:]).strip() not in address:
                said.append(f" ({address})")
        else:
            said.append(" " if token.type == "softbreak" else token.content)
    return "".join(said)


def split_passages(title: str, body: str) -> list[str]:
    """Pieces of a body, each below its title and heading, at most `MAX_PASSAGE_LENGTH` long.

    Long lines are broken after a sentence where there is one, else at a space, and inside
    a word only when it is longer than a passage.
    """
    passages: list[str] = []
    for section in sections(body):
        name = f"{title} – {section.heading}" if section.heading else title
        name = name[:_MAX_NAME_LENGTH]
        room = MAX_PASSAGE_LENGTH - len(name) - 1
        current = ""
        for line in _texts(section):
            for piece in _pieces(line.strip(), room):
                if current and len(current) + 1 + len(piece) > room:
                    passages.append(f"{name}\n{current}")
                    current = ""
                current = f"{current}\n{piece}" if current else piece
        if current:
            passages.append(f"{name}\n{current}")
    return passages


def _texts(section: Section) -> Iterator[str]:
    return (line for line in section.lines if not _FENCE.match(line))


def _pieces(line: str, room: int) -> Iterator[str]:
    start = 0
    while len(line) - start > room:
        end = start + _break_at(line[start : start + room + 1])
        yield line[start:end].rstrip()
        start = end
        while start < len(line) and line[start].isspace():
            start += 1
    if start < len(line):
        yield line[start:]


def _break_at(window: str) -> int:
    """Where to end a piece that may be one character shorter than the window."""
    most = len(window) - 1
    ends = [found.end() for found in _SENTENCE_END.finditer(window)]
    if ends and ends[-1] > most // 2:
        return ends[-1]
    spaces = [at for at in range(most // 3, most + 1) if window[at].isspace()]
    if spaces:
        return spaces[-1]
    at = most
    while at > most // 2 and _belongs_together(window[at - 1], window[at]):
        at -= 1
    return at


def _belongs_together(before: str, after: str) -> bool:
    """Whether nobody would separate two characters: marks, joiners, Thai leading vowels."""
    return unicodedata.category(after) in {"Mn", "Mc", "Me", "Cf"} or before in _THAI_LEADING_VOWELS
