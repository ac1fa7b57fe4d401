"""What a confidence is worth, as a picture.

For each group of questions a reliability diagram (is "90 % sure" right 90 times in 100?) and
the curve of what could be answered at which precision.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import InvalidInput
from bot.knowledge.evaluation import measures
from bot.knowledge.evaluation.figures import Judged, as_arrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#767676"
"""Told apart with every kind of colour vision (Okabe and Ito 2008)."""


def check_picture_file(file: Path) -> None:
    """Before the work rather than after it.

    Raises:
        InvalidInput: the file can be no picture.
    """
    if file.suffix.lower() not in FORMATS:
        raise InvalidInput(f"{file} must end in {' or '.join(FORMATS)}: the picture's format.")
    if not file.parent.is_dir():
        raise InvalidInput(f"There is no folder {file.parent}; create it first.")


def draw(groups: Mapping[str, Sequence[Judged]], precision: float, file: Path) -> None:
    """Write the picture: one row for each group.

    Args:
        precision: what was asked for; drawn as a line.

    Raises:
        InvalidInput: the file can be no picture, or cannot be written.
    """
    check_picture_file(file)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # The same answers make the same file, byte for byte: no date, no random identifiers.
    with rc_context({"svg.hashsalt": "usher", "font.size": 9}):
        figure = Figure(figsize=(10, 3.9 * len(groups)), layout="constrained")
        FigureCanvasAgg(figure)
        rows = figure.subplots(len(groups), 2, squeeze=False)
        for (name, judged), (left, right) in zip(groups.items(), rows, strict=True):
            _draw_reliability(left, name, judged)
            _draw_coverage(right, name, judged, precision)
        try:
            figure.savefig(
                file, dpi=130, metadata={"Date": None} if file.suffix.lower() == ".svg" else None
            )
        except OSError as error:
            raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error


def _draw_reliability(axes: "Axes", name: str, judged: Sequence[Judged]) -> None:
    found = measures.bins(*as_arrays(judged))
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="honest")
    for number, each in enumerate(found):
        low, high = measures.wilson(round(each.right * each.count), each.count)
        axes.plot([each.confidence] * 2, [low, high], color=_BLUE, linewidth=1.2)
        axes.plot(each.confidence, each.right, "o", color=_BLUE, markersize=5)
        axes.annotate(
            str(each.count),
            (each.confidence, low),
            xytext=(0, -4 - 8 * (number % 2)),  # neighbours' numbers stay apart
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=7,
            color=_GREY,
        )
    error = measures.calibration_error(*as_arrays(judged))
    said = "" if error is None else f", calibration error {error:.3f}"
    axes.set(
        title=f"{name}: {len(judged):,} questions{said}",
        xlabel="confidence, mean of the bin (below the bar: questions in it)",
        ylabel="share right, with 95 % interval",
        xlim=(-0.02, 1.02),
        ylim=(-0.08, 1.02),  # room for the counts
    )
    axes.grid(visible=True, alpha=0.25)
    axes.legend(loc="upper left", frameon=False)


def _draw_coverage(axes: "Axes", name: str, judged: Sequence[Judged], precision: float) -> None:
    _, coverage, reached = measures.coverage_curve(*as_arrays(judged))
    axes.plot(coverage, reached, color=_BLUE, linewidth=1.4, label="any threshold")
    axes.axhline(precision, color=_GREY, linewidth=1, linestyle="--", label="asked for")
    answered = [each for each in judged if each.answered]
    if answered:
        hits = sum(each.right for each in answered)
        low, high = measures.wilson(hits, len(answered))
        share = len(answered) / len(judged)
        axes.plot([share] * 2, [low, high], color=_ORANGE, linewidth=1.4)
        axes.plot(share, hits / len(answered), "D", color=_ORANGE, label="as it answered")
    axes.set(
        title=f"{name}: what could be answered",
        xlabel="share of all questions answered",
        ylabel="precision of what was answered",
        xlim=(-0.02, 1.02),
        ylim=(min([0.48, *(float(each) - 0.02 for each in reached)]), 1.02),
    )
    axes.grid(visible=True, alpha=0.25)
    axes.legend(loc="lower left", frameon=False)
