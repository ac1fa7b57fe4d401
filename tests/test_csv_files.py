"""CSV files: import and evaluation read the same ones, and tell mistakes in the same words."""

import csv
import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bot.errors import InvalidInput
from bot.knowledge.evaluation.question_sets import read_questions
from bot.knowledge.imports.csv_files import read_csv
from bot.knowledge.imports.csv_rows import MAX_CSV_BYTES, MAX_ROWS

Pairs = list[tuple[str, str]]
Mistakes = list[tuple[int, str]]
Read = Callable[[Path], tuple[Pairs, Mistakes]]


def imported(path: Path) -> tuple[Pairs, Mistakes]:
    """Questions and answers that `usher import` takes, and its mistakes."""
    drafts, problems = read_csv(path, "en")
    return [(each.title, each.body) for each in drafts], [(p.line, p.message) for p in problems]


def asked(path: Path) -> tuple[Pairs, Mistakes]:
    """Questions and articles that `usher evaluate` takes, or its mistakes."""
    try:
        found = read_questions([path], AnyId(), ())
        return [(each.text, each.article) for each in found], []
    except InvalidInput as error:
        told = [line.removeprefix(f"{path}:") for line in str(error).splitlines()[1:]]
        return [], [(int(line), message) for line, _, message in (t.partition(": ") for t in told)]


class AnyId(set[str]):
    """Ids of articles, of which none is missing."""

    def __contains__(self, _: object) -> bool:
        return True


READERS = pytest.mark.parametrize(
    ("read", "columns"),
    [(imported, ("question", "answer")), (asked, ("text", "article"))],
    ids=["import", "evaluate"],
)


def file_of(folder: Path, columns: Sequence[str], content: str | bytes) -> Path:
    """A file of a content in which `A` and `B` stand for the names of the two columns."""
    if isinstance(content, str):
        content = content.encode()
    path = folder / "file.csv"
    path.write_bytes(content.replace(b"A", columns[0].encode()).replace(b"B", columns[1].encode()))
    return path


@READERS
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_what_spreadsheets_save_is_read(
    tmp_path: Path, read: Read, columns: Sequence[str], encoding: str, delimiter: str, ending: str
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=ending)
    writer.writerow([f"{columns[0].title()} ", columns[1].upper(), "note"])
    row = ("คืนได้ไหม, จริงหรือ;", 'Say "yes"|\nor no,\tmaybe;')
    writer.writerow([*row, "mine"])
    path = tmp_path / "file.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    assert read(path) == ([row], [])


@READERS
@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nA;B\nWho, me?;Yes, you\n",
        "SEP=;\r\nB;A\r\nYes, you;Who, me?\r\n",
        '\n\n"A";"B"\n\n;\n"Who, me?";Yes, you;\n',
        'A,note,B\n"Who, me?",,"Yes, you"\n,a note alone,\n',
    ],
)
def test_quotes_blank_rows_and_the_separator_line_of_excel_are_understood(
    tmp_path: Path, read: Read, columns: Sequence[str], content: str
) -> None:
    assert read(file_of(tmp_path, columns, content)) == ([("Who, me?", "Yes, you")], [])


@READERS
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "'A,B'"),
        ("\n\n\n", "'A,B'"),
        ("frage,antwort\na,b\n", "'frage,antwort'"),
        ("A\nHow?\n", "'A' and 'B' among them"),
        ("sep=;\nA,B\nHow?,b\n", "'A,B'"),
        ("A,B,A\nHow?,b,c\n", "the column 'A' is there twice"),
        (b"\xff\xfeq", "UTF-16"),
        ("A,B\n".encode("utf-16-le"), "CSV UTF-8"),
        (gzip.compress(b"A,B\na,b\n", mtime=0), "gzip"),
        (b"PK\x03\x04 a workbook", "zip"),
        (b"\x00" * 100, "'A,B'"),
    ],
)
def test_a_file_that_is_no_such_table_is_told_and_yields_nothing(
    tmp_path: Path, read: Read, columns: Sequence[str], content: str | bytes, words: str
) -> None:
    found, ((line, message),) = read(file_of(tmp_path, columns, content))
    assert (found, line) == ([], 1)
    assert words.replace("A", columns[0]).replace("B", columns[1]) in message


@READERS
def test_every_wrong_row_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, read: Read, columns: Sequence[str]
) -> None:
    content = (
        b'A,B\nfirst?,"one\nof two lines"\n'  # lines 2 and 3
        b"yes, please,returns\n"
        b"broken caf\xe9?,text\n"
        b"control?,a\x01b\n"
        b'unpaired?,"text"x\n'
        b'open?,"text\n'
        b"last?,good\n"
    )
    _, mistakes = read(file_of(tmp_path, columns, content))
    words = {
        4: "3 cells below 2 columns",
        5: "not UTF-8",
        6: "control character",
        7: "quotation marks do not pair",
        8: "quotation marks do not pair",
    }
    assert [line for line, _ in mistakes] == list(words)
    for line, message in mistakes:
        assert words[line] in message
        assert ";" in message


def test_an_open_quotation_mark_does_not_swallow_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "faq.csv"
    path.write_text('question,answer\nA?,"a\nB?,b\nC?,c\nD?,"d"\nE?,"e\nF?,f\n')
    found, mistakes = imported(path)
    assert [title for title, _ in found] == ["B?", "C?", "D?", "F?"]
    assert [line for line, _ in mistakes] == [2, 6]


@READERS
def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, read: Read, columns: Sequence[str]
) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MAX_CSV_BYTES + 1)
    assert read(path) == ([], [(1, "larger than 50,000,000 bytes; split it")])


@READERS
def test_a_file_with_too_many_rows_is_told_to_be_split(
    tmp_path: Path, read: Read, columns: Sequence[str]
) -> None:
    path = file_of(tmp_path, columns, "A,B\n" + ",\n" * MAX_ROWS + "a,b\n")
    assert read(path) == ([], [(MAX_ROWS + 2, "more than 100,000 rows; split the file")])


@READERS
def test_a_cell_as_long_as_a_book_is_read(
    tmp_path: Path, read: Read, columns: Sequence[str]
) -> None:
    long = "x" * 200_000
    found, mistakes = read(file_of(tmp_path, columns, f"A,B\nHow?,{long}\n"))
    assert (found, mistakes) == ([("How?", long)], [])
