"""The body of an article → its sections, its first paragraph, its passages in plain text.

Read line by line: a pattern over a whole body would let one long line take hours.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import chain, zip_longest

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
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_STEP = re.compile(r"\s*(?:-|\d{1,9}[.)])\s")
_NUMBER_OF_STEP = re.compile(r"\s*\d{1,9}[.)]\s*")
_BULLET = re.compile(r"^[*+](?=\s)")
_QUOTE = re.compile(r"^(?:>[ \t]?)+")
_CELL_END = re.compile(r"(?<!\\)\|")
_RULE_MARKS = "-=*_"
_PAIR = 2
"""Columns of a table whose rows need no header: "Basket – 54 mm"."""
# Persian and Urdu marks, and the full-width ones of mixed texts, end sentences too. Thai has
# none: there the spaces between phrases are the next best place.
_SENTENCE_END = re.compile(r"[.!?…؟۔。！？][\"'”’»)\]]*(?=\s)")
_DEFINITION = re.compile(
    r"\[[^\[\]]+\]:\s*(?:<[^<>]*>|[^\s/#.:]*(?:[/#:]|\.[a-z])\S*)(?:\s+[\"'(].*)?"
)
"""Of a link that stands elsewhere: no text."""
_REFERENCE = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
_ADDRESS = re.compile(r"(?:https?|mailto|tel):|[/#]")
"""What may be said of a link; scripts may not."""
_MARKS = re.compile(r"[\\*_`\[<&]")
_MAX_MARKED_LENGTH = 10_000
_THAI_LEADING_VOWELS = "เแโใไ"


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: ARG002, N802
        """Every link is read as one, or it would be said with its marks."""
        return True


_markdown = _Markdown("commonmark")


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
    for kind, line in _kinds(body.split("\n")):
        if kind is _Kind.TEXT and (begun := _HEADING.match(line)):
            yield Section(level, heading, tuple(lines))
            level, heading, lines = len(begun[1]), _heading_text(line[begun.end(1) :]), []
            continue
        lines.append(line)
    yield Section(level, heading, tuple(lines))


class _Kind(Enum):
    """Of a line."""

    TEXT = auto()
    CODE = auto()
    FENCE = auto()


def _kinds(lines: Iterable[str]) -> Iterator[tuple[_Kind, str]]:
    fence = ""
    for line in lines:
        kind = _Kind.CODE if fence else _Kind.TEXT
        if fence:
            closes = line.strip()
            if len(closes) >= len(fence) and not closes.strip(fence[0]):
                kind, fence = _Kind.FENCE, ""
        elif opened := _FENCE.match(line):
            kind, fence = _Kind.FENCE, opened[1]
        yield kind, line


def _heading_text(text: str) -> str:
    text = text.strip()
    without_marks = text.rstrip("#")
    closed = not without_marks or without_marks[-1].isspace()  # "## Heading ##"
    return without_marks.strip() if closed else text


def first_paragraph(body: str) -> str:
    """The first lines with words that are no heading, as a line of plain text; empty: none."""
    for section in sections(body):
        for block in _blocks(section):
            if any(map(str.isalnum, plain := one_line(" ".join(block)))):
                return plain
    return ""


def _blocks(section: Section) -> Iterator[list[str]]:
    """Lines in plain text that no blank line parts; what is code stays as it is."""
    block, paragraph, table = list[str](), list[str](), list[str]()
    for kind, line in (*_kinds(section.lines), (_Kind.TEXT, "")):
        text = _QUOTE.sub("", line.strip()) if kind is _Kind.TEXT else ""
        if _DEFINITION.fullmatch(text):
            continue
        if text.startswith("|"):
            table.append(text)
            continue
        if table:
            block += _plain_lines(paragraph)
            block += _rows(table)
            paragraph, table = [], []
        if text and not _is_rule(text):
            paragraph.append(_BULLET.sub("-", text))
            continue
        block += _plain_lines(paragraph)
        paragraph = []
        if kind is _Kind.CODE and line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


def _is_rule(line: str) -> bool:
    """Whether it is only drawn: a rule, or what underlines a heading."""
    marks = "".join(line.split())
    return len(marks) > 2 and marks[0] in _RULE_MARKS and not marks.strip(marks[0])


def _rows(table: Sequence[str]) -> Iterator[str]:
    """The rows of a table that say something, a line each.

    Where there are more than two columns, the cells of a row say their columns' names, since it is
    said without the others: "Product: Volta – Large cities: 4 days – Elsewhere: 8 days".
    """
    rows = [_cells(line) for line in table]
    names = _names(rows, table[0])
    for row in rows[1:] if names else rows:
        named = zip_longest(row, names[: len(row)], fillvalue="")
        said = [f"{name}: {cell}" if name else cell for cell, name in named if cell]
        if said and not _only_rules(row):
            yield " – ".join(said)


def _names(rows: Sequence[Sequence[str]], header: str) -> Sequence[str]:
    """What the columns of a table are called; nothing where its first row is said like the others.

    That is where it has two columns, no other rows, or a title instead of names. What is longer
    than a name may be would be said with every row, and so would the address of a link in it.
    """
    if not (rows[2:] and _only_rules(rows[1])):
        return ()
    names = [cell.rstrip(" :") for cell in _cells(header, addresses=False)]
    lengths = [len(name) for name in names if name]
    are_names = len(lengths) > 1 and max(lengths) <= _MAX_NAME_LENGTH
    return names if are_names and len(names) > _PAIR else ()


def _cells(row: str, *, addresses: bool = True) -> list[str]:
    cells = [cell.strip() for cell in _CELL_END.split(row)[1:]]
    whole = cells if cells[-1] else cells[:-1]
    return [one_line(_plain(cell, addresses=addresses)) for cell in whole]


def _only_rules(cells: Sequence[str]) -> bool:
    return all(set(cell) <= set(":-") for cell in cells)


def _plain_lines(lines: Sequence[str]) -> list[str]:
    """Lines of one paragraph; what is marked may go from one to the next."""
    whole = "\n".join(lines)
    if len(whole) > _MAX_MARKED_LENGTH:
        return [_plain(line) for line in lines]
    return _plain(whole).split("\n") if lines else []


def plain_heading(text: str) -> str:
    """A heading as it is said, searched for and linked to: one line, at most 80 characters."""
    return one_line(_plain(text, addresses=False))[:_MAX_NAME_LENGTH]


def _plain(text: str, *, addresses: bool = True) -> str:
    """Markdown as a chat shows it: without marks, escapes and tags, links as text and address."""
    if len(text) > _MAX_MARKED_LENGTH or not _MARKS.search(text):
        return text
    (line,) = _markdown.parseInline(_REFERENCE.sub(r"\1", text))
    said: list[str] = []
    links: list[tuple[str, int]] = []
    for token in line.children or ():
        if token.type == "link_open":
            links.append((str(token.attrGet("href")), len(said)))
        elif token.type == "link_close":
            address, begin = links.pop()
            is_said = "".join(said[begin:]).strip() in address
            if addresses and not is_said and _ADDRESS.match(address):
                said.append(f" ({address})")
        elif token.type in {"softbreak", "hardbreak"} or token.content.lower().startswith("<br"):
            said.append("\n")
        elif token.type != "html_inline":
            said.append(token.content)
    return "".join(said)


@dataclass(frozen=True)
class Passage:
    """A piece of an article, as it is searched for."""

    section: int
    """Number of the section that it is in."""
    heading: str
    """Of the section, in plain text; empty where it has none."""
    name: str
    """Title and heading, at most 80 characters."""
    joint: str
    """What stands between it and the piece before it in the section: a line break, a space, or
    nothing inside a long word."""
    text: str
    """Plain text, whole lines or sentences wherever they fit."""

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
                cut = _cut(line, start)
                yield at + start, at + cut
                start = cut
            if _says_something(line[start:end]):
                yield at + start, at + end
                start = end
        at += len(line) + 1


def _cut(line: str, start: int) -> int:
    """Where a sentence that is too long is broken: at a space, or else between two letters."""
    middle, end = start + _MAX_SENTENCE_LENGTH // 2, start + _MAX_SENTENCE_LENGTH
    space = line.rfind(" ", middle, end + 1)
    return space if space > 0 else _between_letters(line, middle, end)


def _says_something(text: str) -> bool:
    """The number of a step does not."""
    return any(map(str.isalnum, text)) and not _NUMBER_OF_STEP.fullmatch(text)


def split_passages(title: str, body: str) -> list[Passage]:
    """Pieces of a body, each below its title and heading.

    Long lines are broken after a sentence where there is one, else at a space, and inside
    a word only when it is longer than a passage.
    """
    passages: list[Passage] = []
    for number, section in enumerate(sections(body)):
        heading = plain_heading(section.heading)
        name = f"{title} – {heading}" if heading else title
        name = name[:_MAX_NAME_LENGTH]
        current: Passage | None = None
        for line in chain.from_iterable(_blocks(section)):
            for joint, piece in _pieces(line.strip(), _MAX_TEXT_LENGTH):
                if current and len(current.text) + len(joint) + len(piece) <= _MAX_TEXT_LENGTH:
                    current = replace(current, text=f"{current.text}{joint}{piece}")
                    continue
                if current:
                    passages.append(current)
                current = Passage(number, heading, name, joint, piece)
        if current:
            passages.append(current)
    return passages


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
    if ends and _says_something(window[: ends[-1]]):
        return ends[-1]
    spaces = [at for at in range(most // 3, most + 1) if window[at].isspace()]
    if spaces:
        return spaces[-1]
    return _between_letters(window, most // 2, most)


def _between_letters(text: str, least: int, most: int) -> int:
    """The last place that is not within a syllable; `most` if there is none."""
    together = (_belongs_together(text[at - 1], text[at]) for at in range(most, least, -1))
    return most - next((n for n, each in enumerate(together) if not each), 0)


def _belongs_together(before: str, after: str) -> bool:
    """Whether nobody would separate two characters: marks, joiners, Thai leading vowels."""
    return unicodedata.category(after) in {"Mn", "Mc", "Me", "Cf"} or before in _THAI_LEADING_VOWELS
