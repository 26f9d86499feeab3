"""The usual charts, drawn from their tables without pyplot: no window, no backend, nothing left open."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

MAX_CELLS = 20
"""Classes up to which each cell of a confusion matrix has its number."""
MAX_BARS = 30


def _axes(width: float = 5.0, height: float = 4.5, columns: int = 1) -> tuple[Any, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def confusion_matrix(table: dict[str, Any]) -> Any:
    """Counts beside shares of each true class."""
    figure, (left, right) = _axes(width=9.5, columns=2)
    for axes, values, title in (
        (left, table["counts"], "counts"), (right, table["normalised"], "share of the true class"),
    ):  # fmt: skip
        _matrix(axes, table["labels"], values)
        axes.set_title(title)
    return figure


def _matrix(axes: Any, labels: list[Any], values: list[list[float]]) -> None:
    axes.imshow(values, cmap="Blues")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if len(labels) > MAX_CELLS:
        return
    axes.set_xticks(range(len(labels)), [str(label) for label in labels], rotation=45)
    axes.set_yticks(range(len(labels)), [str(label) for label in labels])
    middle = max(max(row) for row in values) / 2
    for row, numbers in enumerate(values):
        for column, number in enumerate(numbers):
            colour = "white" if number > middle else "black"
            axes.text(column, row, f"{number:.4g}", ha="center", va="center", color=colour)


def roc(table: dict[str, Any]) -> Any:
    """True positives over false positives."""
    figure, axes = _axes()
    for curve in table["curves"]:
        axes.plot(
            curve["false_positive_rate"], curve["true_positive_rate"],
            label=f"{curve['class']} (AUC {curve['auc']:.3f})",
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    axes.legend(loc="lower right")
    return figure


def precision_recall(table: dict[str, Any]) -> Any:
    """Precision over recall."""
    figure, axes = _axes()
    for curve in table["curves"]:
        axes.plot(
            curve["recall"], curve["precision"],
            label=f"{curve['class']} (AP {curve['average_precision']:.3f})",
        )  # fmt: skip
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.legend(loc="lower left")
    return figure


def importances(table: dict[str, Any]) -> Any:
    """A bar for each column, the most important on top."""
    names, sizes = table["columns"][:MAX_BARS], table["importances"][:MAX_BARS]
    figure, axes = _axes(width=6.0, height=1.0 + 0.25 * len(names))
    axes.barh(range(len(names)), sizes)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("importance" if table["kind"] != "coef_" else "mean size of the coefficients")
    return figure


def residuals(table: dict[str, Any]) -> Any:
    """How far predictions were off, over what was predicted."""
    figure, axes = _axes()
    axes.scatter(table["predicted"], table["residual"], s=8, alpha=0.6)
    axes.axhline(0, color="grey", linestyle="--")
    axes.set_xlabel("predicted")
    axes.set_ylabel("true - predicted")
    return figure
