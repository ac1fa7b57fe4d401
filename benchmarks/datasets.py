"""Public question sets as knowledge bases: folders of articles and CSV files of questions.

The files are not part of Usher (their makers' licences); they lie in `../shared/datasets` beside
the checkout, or where USHER_DATASETS says:

- `clinc150_dev.json`: CLINC150 (Larson et al. 2019), `train`, `val`, `oos_val` as [text, intent],
- `banking77_train.csv`, `banking77_dev.csv`: BANKING77 (Casanueva et al. 2020), text,category,
- `banking77_oos_dev.json`: 50 of its intents; questions of the other 27 (near) and of other trades
  (far) are out of scope,
- `hint3_curekart_{train,test}.csv`: HINT3 (Arora et al. 2020), sentence,label: what visitors of a
  web shop wrote, `NO_NODES_DETECTED` where nothing of it answers,
- `xquad_{en,vi,th}_dev.json` (Artetxe et al. 2020), `persianqa_fa_dev.json` (Ayoubi 2021): lists
  of {passage, questions, answers, unanswerable}; the same paragraphs in the same order.

Nothing is invented that the sets lack: an intent's article is called by the intent's name and
says one neutral sentence; a paragraph has no title of its own, so it is "Article 17".
"""

import csv
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PARAGRAPH_FILES = {
    "en": "xquad_en_dev.json",
    "vi": "xquad_vi_dev.json",
    "th": "xquad_th_dev.json",
    "fa": "persianqa_fa_dev.json",
}


@dataclass(frozen=True)
class Case:
    """A knowledge base and questions to it."""

    knowledge: Path
    questions: Path


@dataclass(frozen=True)
class Paragraph:
    """A text of a reading comprehension set."""

    text: str
    questions: Sequence[str]
    answers: Sequence[Sequence[str]]
    """Of each question, as they stand in the text; one is enough."""
    unanswerable: Sequence[str]
    """Questions that its readers were asked and it does not answer."""


def clinc(datasets: Path, folder: Path, examples: int, draw: int) -> Case:
    """150 articles; the questions of `val`, and those of `oos_val`, which nothing answers."""
    data = json.loads((datasets / "clinc150_dev.json").read_text("utf-8"))
    _write_intents(folder, _drawn(data["train"], examples, draw))
    rows = [(text, _id(intent)) for text, intent in data["val"]]
    rows += [(text, "") for text, _ in data["oos_val"]]
    return Case(folder, _write_questions(folder, rows, "en"))


def banking(datasets: Path, folder: Path, examples: int, draw: int) -> Case:
    """77 articles about one bank, which are hard to tell apart."""

    def read(name: str) -> list[tuple[str, str]]:
        with (datasets / name).open(encoding="utf-8", newline="") as file:
            return [(row["text"], row["category"]) for row in csv.DictReader(file)]

    _write_intents(folder, _drawn(read("banking77_train.csv"), examples, draw))
    rows = [(text, _id(category)) for text, category in read("banking77_dev.csv")]
    return Case(folder, _write_questions(folder, rows, "en"))


def banking_out_of_scope(datasets: Path, folder: Path) -> Case:
    """50 articles about one bank, and questions that none of them answers."""
    data = _out_of_scope(datasets)
    _write_intents(folder, data["articles"])
    rows = [(each["text"], _id(each["article"])) for each in data["answerable"]]
    rows += [(text, "") for text in out_of_scope_kinds(datasets)]
    return Case(folder, _write_questions(folder, [row for row in rows if row[0].strip()], "en"))


def out_of_scope_kinds(datasets: Path) -> dict[str, str]:
    """`near` or `far`, for each question that nothing answers."""
    data = _out_of_scope(datasets)
    return {
        text.strip(): kind
        for kind in ("near", "far")
        for text in data[f"unanswerable_{kind}"]
        if text.strip()
    }


def _out_of_scope(datasets: Path) -> Any:
    return json.loads((datasets / "banking77_oos_dev.json").read_text("utf-8"))


def hint3(datasets: Path, folder: Path) -> Case:
    """28 articles of a web shop; more than half of what visitors wrote is about none of them."""

    def read(name: str) -> list[tuple[str, str]]:
        with (datasets / f"hint3_curekart_{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = ((row["sentence"].strip(), row["label"]) for row in csv.DictReader(file))
            return [row for row in rows if row[0]]

    examples: dict[str, list[str]] = defaultdict(list)
    for text, label in read("train"):
        examples[label].append(text)
    _write_intents(folder, examples)
    rows = [
        (text, "" if label == "NO_NODES_DETECTED" else _id(label)) for text, label in read("test")
    ]
    return Case(folder, _write_questions(folder, rows, "en"))


def paragraphs(datasets: Path, language: str) -> list[Paragraph]:
    """The paragraphs of a language; the same ones in English, Vietnamese and Thai."""
    data = json.loads((datasets / PARAGRAPH_FILES[language]).read_text("utf-8"))
    return [
        Paragraph(
            each["passage"].strip("\ufeff \n"),
            each["questions"],
            each["answers"],
            each["unanswerable"],
        )
        for each in data
    ]


def reading(datasets: Path, folder: Path, asked_in: str, written_in: str) -> Case:
    """Paragraphs as articles without example questions, asked in one language, written in one."""
    for number, each in enumerate(paragraphs(datasets, written_in), start=1):
        _write_article(folder, f"article-{number}", written_in, f"Article {number}", [], each.text)
    rows: list[tuple[str, str]] = []
    for number, each in enumerate(paragraphs(datasets, asked_in), start=1):
        rows += [(question, f"article-{number}") for question in each.questions]
        rows += [(question, "") for question in each.unanswerable]
    return Case(folder, _write_questions(folder, rows, asked_in))


def long_articles(datasets: Path, folder: Path, language: str) -> Case:
    """Five paragraphs as one article, each below a heading with its number; what is left over at
    the end is left out. Only questions that have an answer are asked."""
    every = paragraphs(datasets, language)
    rows: list[tuple[str, str, str]] = []
    for number, begin in enumerate(range(0, len(every) - 4, 5), start=1):
        some = every[begin : begin + 5]
        body = "\n\n".join(
            f"## {place}\n{' '.join(each.text.split())}" for place, each in enumerate(some, start=1)
        )
        _write_article(folder, f"article-{number}", language, f"{number}", [], body)
        rows += [
            (question, f"article-{number}", "|".join(answers))
            for each in some
            for question, answers in zip(each.questions, each.answers, strict=True)
        ]
    return Case(folder, _write_questions(folder, rows, language))


def _drawn(labelled: Iterable[tuple[str, str]], examples: int, draw: int) -> dict[str, list[str]]:
    """So many texts of each label; another draw takes others."""
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in labelled:
        by_label[label].append(text)
    return {
        label: random.Random(f"{draw} {label}").sample(texts, min(examples, len(texts)))
        for label, texts in by_label.items()
    }


def _id(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def _write_intents(folder: Path, examples: dict[str, list[str]]) -> None:
    for label, texts in examples.items():
        title = " ".join(re.findall(r"[A-Za-z0-9']+", label))
        _write_article(folder, _id(label), "en", title, texts, f"This is about {title.lower()}.")


def _write_article(
    folder: Path, name: str, language: str, title: str, questions: Sequence[str], body: str
) -> None:
    front = {"id": name, "language": language, "title": title, "questions": list(questions)}
    text = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=1000)
    file = folder / language / f"{name}.md"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"---\n{text}---\n{body}\n", "utf-8")


def _write_questions(folder: Path, rows: Iterable[tuple[str, ...]], language: str) -> Path:
    """Rows are the text, the article's id and perhaps what the reply must contain."""
    file = folder / "questions.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("text", "article", "language", "says"))
        writer.writerows((text, article, language, *says) for text, article, *says in rows)
    return file
