"""What came of rehearsed conversations, as tables and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from bot.messages import Outcome
from bot.rehearsals.judging import JudgedTurn

ALL = "all"


@dataclass(frozen=True)
class Figures:
    """What the turns of one group say. A share of nothing is None."""

    conversations: int
    turns: int
    """Of which something is expected."""
    right: float | None
    """Share of these turns that came as they must."""
    conversations_right: float | None
    """Share of the conversations in which all did."""
    precision: float | None
    """Of the turns in which an article was answered or an act done, the share that is right."""
    acts: int
    """Turns that must be taken for an act."""
    acts_right: float | None
    """Share of these that were taken for the right one."""
    acts_as_questions: float | None
    """Share of these that were taken for a question."""
    questions_as_acts: float | None
    """Share of the turns that must be answered or offered titles that were taken for an act."""

    @classmethod
    def of(cls, turns: Sequence[JudgedTurn]) -> "Figures":
        judged = [each for each in turns if each.is_judged]
        whole: dict[tuple[str, str], bool] = {}
        for each in judged:
            key = (str(each.script.file), each.script.name)
            whole[key] = whole.get(key, True) and each.right
        said = [each for each in judged if each.came.answered or each.came.act]
        acts = [each for each in judged if _must_be_act(each) and each.came.outcome]
        questions = [each for each in judged if _must_be_answered(each) and each.came.outcome]
        return cls(
            conversations=len({(str(each.script.file), each.script.name) for each in turns}),
            turns=len(judged),
            right=_share(judged, lambda each: each.right),
            conversations_right=sum(whole.values()) / len(whole) if whole else None,
            precision=_share(said, lambda each: each.right),
            acts=len(acts),
            acts_right=_share(acts, lambda each: each.came.act in _acts(each)),
            acts_as_questions=_share(acts, _is_question),
            questions_as_acts=_share(questions, lambda each: each.came.outcome == Outcome.ACT),
        )


def _acts(judged: JudgedTurn) -> set[str]:
    return {act for each in judged.turn.expect for act in each.act}


def _must_be_act(judged: JudgedTurn) -> bool:
    return all(each.act and not each.answers and not each.helps for each in judged.turn.expect)


def _must_be_answered(judged: JudgedTurn) -> bool:
    return all(each.answers or each.helps or each.offers for each in judged.turn.expect)


def _is_question(judged: JudgedTurn) -> bool:
    return judged.came.outcome in {Outcome.ANSWER, Outcome.CLARIFY, Outcome.HANDOFF}


def _share(turns: Sequence[JudgedTurn], is_so: Callable[[JudgedTurn], bool]) -> float | None:
    return sum(map(is_so, turns)) / len(turns) if turns else None


def groups(turns: Sequence[JudgedTurn]) -> Mapping[str, Sequence[JudgedTurn]]:
    """All, then by language."""
    found: dict[str, list[JudgedTurn]] = {ALL: list(turns)}
    for each in turns:
        found.setdefault(each.script.language, []).append(each)
    return found


def by_kind(turns: Sequence[JudgedTurn]) -> Mapping[str, Sequence[JudgedTurn]]:
    found: dict[str, list[JudgedTurn]] = {}
    for each in turns:
        found.setdefault(each.script.kind, []).append(each)
    return dict(sorted(found.items()))


def as_json(turns: Sequence[JudgedTurn], misses: int) -> dict[str, Any]:
    """The figures of every language and, of all, by kind; when wanted, also misses."""
    answer: dict[str, Any] = {
        language: asdict(Figures.of(some))
        | {"kinds": {kind: asdict(Figures.of(each)) for kind, each in by_kind(some).items()}}
        for language, some in groups(turns).items()
    }
    if misses:
        answer["misses"] = [
            {
                "file": str(each.script.file),
                "conversation": each.script.name,
                "kind": each.script.kind,
                "turn": each.number,
                "says": list(each.turn.says),
                "expected": [
                    expected.model_dump(exclude_defaults=True, by_alias=True)
                    for expected in each.turn.expect
                ],
                **asdict(each.came),
            }
            for each in _misses(turns)[:misses]
        ]
    return answer


def show(turns: Sequence[JudgedTurn], misses: int, out: Console) -> None:
    """The same as tables for a person."""
    of_language = {name: Figures.of(some) for name, some in groups(turns).items()}
    table = Table("", *(Column(name, justify="right", no_wrap=True) for name in of_language))
    rows: dict[str, Callable[[Figures], str]] = {
        "conversations": lambda each: str(each.conversations),
        "  all of it right": lambda each: _percent(each.conversations_right),
        "turns": lambda each: str(each.turns),
        "  right": lambda each: _percent(each.right),
        "right, of what was answered or done": lambda each: _percent(each.precision),
        "acts": lambda each: str(each.acts),
        "  taken for what they are": lambda each: _percent(each.acts_right),
        "  taken for a question": lambda each: _percent(each.acts_as_questions),
        "questions taken for an act": lambda each: _percent(each.questions_as_acts),
    }
    for name, cell in rows.items():
        table.add_row(name, *(cell(each) for each in of_language.values()))
    out.print(table)
    kinds = Table("turns right, by kind", *of_language)
    for kind in by_kind(turns):
        found = [
            Figures.of([each for each in some if each.script.kind == kind])
            for some in groups(turns).values()
        ]
        kinds.add_row(escape(kind), *(f"{_percent(each.right)} of {each.turns}" for each in found))
    out.print(kinds)
    if misses:
        out.print(_misses_table(_misses(turns)[:misses]))


def _misses(turns: Sequence[JudgedTurn]) -> list[JudgedTurn]:
    return [each for each in turns if not each.right]


def _misses_table(misses: Sequence[JudgedTurn]) -> Table:
    table = Table("where", Column("said", ratio=1), "taken for", "right", title="Misses")
    for each in misses:
        came = each.came
        taken = came.act or ", ".join(came.answered or came.offered) or came.outcome or "a human's"
        right = " or ".join(
            str(expected.model_dump(exclude_defaults=True, by_alias=True))
            for expected in each.turn.expect
        )
        table.add_row(
            escape(f"{each.script.file.name}: {each.script.name}, {each.number}"),
            escape(" / ".join(each.turn.says)),
            escape(f"{taken} {came.probability:.2f} {came.person}".strip()),
            escape(right),
        )
    return table


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
