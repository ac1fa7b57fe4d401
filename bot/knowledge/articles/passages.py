"""The body of an article → its sections, its first paragraph, its passages.

Read line by line: a pattern over a whole body would let one long line take hours.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt

_MAX_TEXT_LENGTH = 400
"""Characters of a passage: a paragraph. What of it answers is found by its tokens, which say the
more the more stands around them."""
_MAX_NAME_LENGTH = 80
_MAX_SENTENCE_LENGTH = 130
"""Characters of what is told apart within a passage; longer sentences are broken at a space."""
_MAX_STEP_LENGTH = 250
MAX_PASSAGE_LENGTH = _MAX_NAME_LENGTH + 1 + _MAX_TEXT_LENGTH
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_STEP = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])\s")
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


@dataclass(frozen=True)
class Passage:
    """A piece of an article, as it is searched for."""

    section: int
    """Number of the section that it is in."""
    heading: str
    """Of the section; empty where it has none."""
    name: str
    """Title and heading, at most 80 characters."""
    joint: str
    """What stands between it and the piece before it in the section: a line break, a space, or
    nothing inside a long word."""
    text: str
    """Markdown, whole lines or sentences wherever they fit."""

    @property
    def searched(self) -> str:
        """At most `MAX_PASSAGE_LENGTH` characters."""
        return f"{self.name}\n{self.text}"


def one_line(text: str) -> str:
    """Without line breaks and repeated spaces."""
    return " ".join(text.split())


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of each step and sentence of some lines; a step is one of a list."""
    at = 0
    for line in text.split("\n"):
        start = 0
        most = _MAX_STEP_LENGTH if _STEP.match(line) else _MAX_SENTENCE_LENGTH
        whole = len(line) <= most
        ends = () if whole else (found.end() for found in _SENTENCE_END.finditer(line))
        for end in (*ends, len(line)):
            while not whole and end - start > _MAX_SENTENCE_LENGTH * 3 // 2:
                middle = start + _MAX_SENTENCE_LENGTH // 2
                cut = line.rfind(" ", middle, middle + _MAX_SENTENCE_LENGTH // 2 + 1)
                cut = cut if cut > 0 else start + _MAX_SENTENCE_LENGTH
                yield at + start, at + cut
                start = cut
            if any(map(str.isalpha, line[start:end])):  # "1." is none
                yield at + start, at + end
                start = end
        at += len(line) + 1


def plain_lines(text: str) -> str:
    """Lines of Markdown as a chat can show them."""
    return "\n".join(filter(None, map(_plain_line, text.split("\n"))))


def _plain_line(line: str) -> str:
    if line.startswith("|"):  # a row of a table
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if all(set(cell) <= set(":-") for cell in cells):
            return ""
        line = " – ".join(filter(None, cells))
    return _plain(line)


def split_passages(title: str, body: str) -> list[Passage]:
    """Pieces of a body, each below its title and heading.

    Long lines are broken after a sentence where there is one, else at a space, and inside
    a word only when it is longer than a passage.
    """
    passages: list[Passage] = []
    for number, section in enumerate(sections(body)):
        name = f"{title} – {section.heading}" if section.heading else title
        name = name[:_MAX_NAME_LENGTH]
        current: Passage | None = None
        for line in _texts(section):
            for joint, piece in _pieces(line.strip(), _MAX_TEXT_LENGTH):
                if current and len(current.text) + len(joint) + len(piece) <= _MAX_TEXT_LENGTH:
                    current = replace(current, text=f"{current.text}{joint}{piece}")
                    continue
                if current:
                    passages.append(current)
                current = Passage(number, section.heading, name, joint, piece)
        if current:
            passages.append(current)
    return passages


def _texts(section: Section) -> Iterator[str]:
    return (line for line in section.lines if not _FENCE.match(line))


def _pieces(line: str, room: int) -> Iterator[tuple[str, str]]:
    """What stands before each piece of a line, and the piece."""
    start, joint = 0, "\n"
    while start < len(line):
        end = len(line)
        if end - start > room:
            end = start + _break_at(line[start : start + room + 1])
        yield joint, line[start:end].rstrip()
        start, joint = end, ""
        while start < len(line) and line[start].isspace():
            start, joint = start + 1, " "


def _break_at(window: str) -> int:
    """Where to end a piece that may be one character shorter than the window."""
    most = len(window) - 1
    ends = [found.end() for found in _SENTENCE_END.finditer(window)]
    if ends:
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
