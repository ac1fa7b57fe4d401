"""What was asked for, beside what was measured: the page `results/answers.md`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.knowledge.evaluation.measures import wilson
from bot.messages import LANGUAGES

Sets = Mapping[str, Mapping[str, Any]]

ASKED_PRECISION = 0.90
SLACK = 0.03
"""So much below the precision asked for is still honest."""
MAX_CALIBRATION_ERROR = 0.05
MAX_BEHIND_ENGLISH = 0.05
_OVER_DENSE = {"en": 0.03, "vi": 0.03, "th": 0.03, "fa": 0.01}
_OWN_JUDGED = ("own-questions", "own-strangers")
"""Newcomers' questions are all answerable, so their figures say less."""


@dataclass(frozen=True)
class Target:
    """One thing that was asked for."""

    of: str
    """Name of the set."""
    what: str
    asked: str
    measure: Callable[[Mapping[str, Any]], float | None]
    """From the results of the set."""
    met: Callable[[float], bool]


def _at_least(of: str, what: str, asked: float, *keys: str) -> Target:
    return Target(
        of, what, f"≥ {asked}", lambda found: _get(found, keys), lambda value: value >= asked
    )


def _get(found: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        found = found[key]
    return found


def _targets(sets: Sets) -> Iterator[Target]:
    yield _at_least("clinc-10", "right article first", 0.87, "in-scope", "top1")
    yield _at_least("clinc-10", "AUROC, out of scope mixed in", 0.93, "mixed", "auroc")
    yield _at_least("clinc-100", "right article first", 0.955, "in-scope", "top1")
    yield _at_least("clinc-100", "AUROC, out of scope mixed in", 0.96, "mixed", "auroc")
    yield _at_least(
        "clinc-100", "out-of-scope recall at in-scope accuracy 0.93", 0.80,
        "mixed", "out_of_scope", "recall_at_accuracy_0.93",
    )  # fmt: skip
    yield _at_least("banking-10", "right article first", 0.86, "all", "top1")
    for language, more in _OVER_DENSE.items():
        yield Target(
            f"reading-{language}",
            "recall@1 above dense alone",
            f"≥ +{more}",
            lambda found: round(found["all"]["top1"] - found["all"]["dense_alone"], 4),
            lambda value, more=more: value >= more,
        )
    for language in ("vi", "th"):
        yield _at_least(
            f"reading-{language}-en", "recall@1, English paragraphs", 0.78, "all", "top1"
        )
    for name in _OWN_JUDGED:
        yield from _own_targets(name)
    for name, measured in sets.items():
        for group in measured["results"]:
            if not (name.startswith("own-") and group != "all"):
                yield from _honesty(name, group)


def _own_targets(name: str) -> Iterator[Target]:
    for language in LANGUAGES:
        yield _at_least(name, f"{language}: precision", 0.90, language, "precision")
        yield _at_least(
            name, f"{language}: answered of answerable", 0.80,
            language, "share_answered_of_answerable",
        )  # fmt: skip
    for key in ("top1", "precision", "share_answered_of_answerable"):
        yield Target(
            name,
            f"{key}: the farthest behind English",
            f"≤ {MAX_BEHIND_ENGLISH}",
            lambda found, key=key: max(
                round((found["en"][key] or 0) - (found[each][key] or 0), 4) for each in LANGUAGES
            ),
            lambda value: value <= MAX_BEHIND_ENGLISH,
        )


def _honesty(name: str, group: str) -> Iterator[Target]:
    yield Target(
        name,
        f"{group}: precision of what was answered",
        f"≥ {ASKED_PRECISION - SLACK:.2f}",
        lambda found: found[group]["precision"],
        lambda value: value >= ASKED_PRECISION - SLACK,
    )
    yield Target(
        name,
        f"{group}: calibration error",
        f"≤ {MAX_CALIBRATION_ERROR}",
        lambda found: found[group]["calibration_error"],
        lambda value: value <= MAX_CALIBRATION_ERROR,
    )


_HEAD = """# Answers

What was asked for, and what was measured. Written by `benchmarks/accuracy.py`; what the sets are
and what they cannot show stands in [benchmarks/README.md](../README.md).

| set | what | asked | measured | met | command | date |
|---|---|---|---|---|---|---|
"""

_MORE = """
## All figures

As `usher evaluate` defines them, at precision 0.9; means over the draws. Shares are of all questions
of the group, but *answerable* is of those that an article answers. *95 %* is the interval of the
precision.

| set | group | questions | unanswerable | top 1 | top 3 | answered | answerable | precision | 95 % | held back | AUROC | calibration error | coverage at 0.8 / 0.9 / 0.95 |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501


@dataclass(frozen=True)
class Outcome:
    """A target and what became of it."""

    target: Target
    value: float | None
    """None: there was nothing to measure."""

    @property
    def met(self) -> str:
        if self.value is None:
            return "–"
        return "yes" if self.target.met(self.value) else "no"


def outcomes(sets: Sets) -> list[Outcome]:
    """Every target whose set was measured."""
    return [
        Outcome(each, each.measure(sets[each.of]["results"]))
        for each in _targets(sets)
        if each.of in sets
    ]


def page(sets: Sets) -> str:
    """The page as Markdown."""
    lines = [_HEAD]
    for each in outcomes(sets):
        target, measured = each.target, sets[each.target.of]
        lines.append(
            f"| {target.of} | {target.what} | {target.asked} | {number(each.value)} "
            f"| {'**no**' if each.met == 'no' else each.met} "
            f"| `{measured['command']}` | {measured['date']} |\n"
        )
    lines += [_MORE, *_rows(sets)]
    lines += ["\n## More\n\n", *_out_of_scope(sets), *_dense(sets), *_draws(sets)]
    return "".join(lines)


def _rows(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        for group, each in measured["results"].items():
            coverage = " / ".join(number(value) for value in each["coverage_at_precision"].values())
            answered = round(each["answered"])
            right = round((each["precision"] or 0) * answered)
            low, high = wilson(right, answered)
            cells = (
                name, group, f"{each['questions']:.0f}", f"{each['unanswerable']:.0f}",
                number(each["top1"]), number(each["top3"]), number(each["share_answered"]),
                number(each["share_answered_of_answerable"]), number(each["precision"]),
                f"{low:.2f}–{high:.2f}", number(each["held_back"]), number(each["auroc"]),
                number(each["calibration_error"]), coverage,
            )  # fmt: skip
            yield f"| {' | '.join(cells)} |\n"


def _out_of_scope(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        found = measured["results"].get("mixed", {}).get("out_of_scope")
        if found:
            at = ", ".join(
                f"{recall:.3f} at {accuracy}"
                for accuracy, recall in found["recall_at_accuracy"].items()
            )
            yield (
                f"- {name}: in-scope accuracy {found['accuracy_at_recall_0.80']:.3f} at "
                f"out-of-scope recall 0.80; out-of-scope recall "
                f"{found['recall_at_accuracy_0.93']:.3f} at in-scope accuracy 0.93; {at}. "
                "Published, full set: Rasa 0.453 at 0.915, BERT 0.403 at 0.969.\n"
            )


def _dense(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        found = measured["results"].get("all", {})
        if "dense_alone" in found:
            yield (
                f"- {name}: recall@1 {found['top1']:.3f}, dense alone in the same run "
                f"{found['dense_alone']:.3f}.\n"
            )


def _draws(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        for group, found in measured["results"].items():
            if found.get("draws", 1) > 1:
                low, high = found["top1_range"]
                yield (
                    f"- {name}, {group}: right article first {low:.3f}–{high:.3f} in "
                    f"{found['draws']} draws.\n"
                )


def number(value: float | None) -> str:
    """With three places, or a dash."""
    return "–" if value is None else f"{value:.3f}"
