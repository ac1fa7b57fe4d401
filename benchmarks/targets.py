"""What was asked for, beside what was measured: the page `results/answers.md`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.knowledge.evaluation.measures import wilson

Sets = Mapping[str, Mapping[str, Any]]

_READING = {"en": 0.965, "vi": 0.95, "th": 0.95, "fa": 0.99, "vi-en": 0.85, "th-en": 0.85}
"""Right paragraph first, by language of the question and of the paragraphs."""

_SAYS = {"en": 0.88, "vi": 0.85, "th": 0.84, "fa": 0.86}
"""Replies that hold the answer, of articles of five paragraphs."""
_LONGEST = 450
"""Characters of a reply."""
_STRANGERS = {"en": 0.85, "vi": 0.82, "th": 0.87, "fa": 0.80}
"""Right article first."""


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


def _at_most(of: str, what: str, asked: float, *keys: str) -> Target:
    return Target(
        of, what, f"≤ {asked}", lambda found: _get(found, keys), lambda value: value <= asked
    )


def _get(found: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        found = found[key]
    return found


def _targets() -> Iterator[Target]:
    hint3, oos, strangers = "hint3-curekart", "banking-oos", "own-strangers"
    yield _at_least(hint3, "precision", 0.88, "all", "precision")
    yield _at_least(
        hint3, "answerable at precision 0.9", 0.30, "all", "coverage_at_precision", "0.9"
    )
    yield _at_least(hint3, "AUROC", 0.91, "all", "auroc")
    yield _at_least(oos, "precision, near and far mixed in", 0.88, "all", "precision")
    for language, asked in _STRANGERS.items():
        yield _at_least(strangers, f"right article first, {language}", asked, language, "top1")
    yield _at_least(strangers, "among the first three", 0.93, "all", "top3")
    yield _at_least(strangers, "precision", 0.88, "all", "precision")
    yield _at_least(strangers, "right one answered or offered", 0.88, "all", "helped")
    yield _at_least(strangers, "unanswerable held back", 0.85, "all", "held_back")
    yield _at_most(strangers, "titles offered in vain", 0.40, "all", "offered_in_vain")
    yield _at_most(strangers, "calibration error", 0.08, "all", "calibration_error")
    yield _at_least("own-sections", "reply says what it must", 0.85, "all", "says")
    yield _at_most(
        "own-kinds", "right first, most behind the plain kind", 0.12, "all", "most_behind_plain"
    )
    yield _at_most(
        "own-products", "answered about a wrong product", 0, "all", "wrong_product_answered"
    )
    for language, asked in _SAYS.items():
        yield _at_least(f"says-{language}", "reply says the answer", asked, "all", "says")
        yield _at_most(f"says-{language}", "longest reply", _LONGEST, "all", "longest")
    for name, asked in _READING.items():
        yield _at_least(f"reading-{name}", "right paragraph first", asked, "all", "top1")
    yield _at_least("clinc-10", "right article first", 0.915, "in-scope", "top1")
    yield _at_least("banking-10", "right article first", 0.86, "all", "top1")


_HEAD = """# Answers

What was asked for, and what was measured. Written by `benchmarks/accuracy.py`; what the sets are
and what they cannot show stands in [benchmarks/README.md](../README.md).

| set | what | asked | measured | met | command | date |
|---|---|---|---|---|---|---|
"""

_MORE = """
## All figures

As `usher evaluate` defines them, at precision 0.9; means over the draws. Shares are of all questions
of the group, but *answerable* and *helped* are of those that an article answers, *held back* and
*in vain* of the others, *says* of those that tell what the reply must contain. *95 %* is the interval
of the precision.

| set | group | questions | unanswerable | top 1 | top 3 | answered | answerable | precision | 95 % | helped | says | held back | in vain | AUROC | calibration error | coverage at 0.8 / 0.9 / 0.95 |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
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
        for each in _targets()
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
    lines += [*_replies(sets), *_products(sets), *_kinds(sets)]
    return "".join(lines)


def _rows(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        for group, each in measured["results"].items():
            if "top1" not in each:  # which article is right is not known
                continue
            coverage = " / ".join(number(value) for value in each["coverage_at_precision"].values())
            answered = round(each["answered"])
            right = round((each["precision"] or 0) * answered)
            low, high = wilson(right, answered)
            cells = (
                name, group, f"{each['questions']:.0f}", f"{each['unanswerable']:.0f}",
                number(each["top1"]), number(each["top3"]), number(each["share_answered"]),
                number(each["share_answered_of_answerable"]), number(each["precision"]),
                f"{low:.2f}–{high:.2f}", number(each["helped"]), number(each.get("says")),
                number(each["held_back"]), number(each["offered_in_vain"]), number(each["auroc"]),
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


def _replies(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        found = measured["results"].get("all", {})
        if "first_paragraph_says" in found:
            yield (
                f"- {name}: {found['says']:.3f} of the replies hold the answer, of the first "
                f"paragraphs alone {found['first_paragraph_says']:.3f}; a reply has "
                f"{found['median_length']:.0f} characters (median), at most {found['longest']}.\n"
            )


def _products(sets: Sets) -> Iterator[str]:
    for name, measured in sets.items():
        for group, found in measured["results"].items():
            if "wrong_product_first" in found:
                yield (
                    f"- {name}, {group}: of {found['questions']} questions about one product "
                    f"{found['answered']} answered, {found['wrong_product_answered']} of them "
                    f"about a wrong one; a wrong one came first "
                    f"{found['wrong_product_first']} times.\n"
                )


def _kinds(sets: Sets) -> Iterator[str]:
    """Right first, a column for each kind of typing."""
    for name, measured in sets.items():
        found = measured["results"].get("all", {}).get("top1_by_kind", {})
        kinds = list(dict.fromkeys(kind for by_kind in found.values() for kind in by_kind))
        if kinds:
            yield f"\nRight article first, {name}, by kind of typing:\n\n"
            yield f"| | {' | '.join(kinds)} |\n|---{'|---' * len(kinds)}|\n"
        for language, by_kind in found.items():
            cells = (number(by_kind.get(kind)) for kind in kinds)
            yield f"| {language} | {' | '.join(cells)} |\n"


def number(value: float | None) -> str:
    """With three places, or a dash."""
    return "–" if value is None else f"{value:.3f}"
