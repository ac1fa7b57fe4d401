"""How often the right article comes first, and is answered, on the shop's own question sets.

    .venv/bin/python benchmarks/accuracy.py

`questions/` is for development: the constants of bot/knowledge/matching.py were fitted on it.
`newcomers/` is not, with two limits. Its questions were written without sight of the articles
and their example questions, but from the same sheet of products, policies and topics that the
articles were written from; no real customer asked them. And the first version's misses on it
(top-1 85, 77.5, 90 and 80 %) were read before the ranking was changed: the new one was chosen
on `questions/` and on left-out example questions, and then measured here again. Forty questions
a language leave some six points of chance either way.
"""

import csv
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from bot import bootstrap
from bot.knowledge.matching import Matcher
from bot.knowledge.service import load_matcher
from bot.messages import LANGUAGES, Outcome

HERE = Path(__file__).parent


def measure(matcher: Matcher, file: Path, language: str) -> dict[str, float | None]:
    """Shares of one set; a question without an article is one that nothing answers."""
    answerable = first = first_three = answered = right = held_back = unanswerable = 0
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            match = matcher.match(row["text"], language)
            articles = [candidate.article for candidate in match.candidates]
            is_answered = match.outcome is Outcome.ANSWER
            answered += is_answered
            right += is_answered and articles[0] == row["article"]
            if row["article"]:
                answerable += 1
                first += articles[0] == row["article"]
                first_three += row["article"] in articles
            else:
                unanswerable += 1
                held_back += not is_answered
    return {
        "questions": answerable + unanswerable,
        "top1": round(first / answerable, 3),
        "top3": round(first_three / answerable, 3),
        "answered": answered,
        "precision": round(right / max(answered, 1), 3),
        "held_back": round(held_back / unanswerable, 3) if unanswerable else None,
    }


def main() -> None:
    matcher = load_matcher(bootstrap.settings())
    results = {
        f"{folder}/{language}": measure(matcher, HERE / folder / f"{language}.csv", language)
        for folder in ("questions", "newcomers")
        for language in LANGUAGES
    }
    columns = list(next(iter(results.values())))
    print(f"{'set':16}" + "".join(f"{column:>11}" for column in columns))
    for name, row in results.items():
        print(f"{name:16}" + "".join(f"{row[column]!s:>11}" for column in columns))
    report = {
        "command": ".venv/bin/python benchmarks/accuracy.py",
        "date": datetime.now(UTC).date().isoformat(),
        "results": results,
    }
    out = HERE / "results" / "accuracy.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
