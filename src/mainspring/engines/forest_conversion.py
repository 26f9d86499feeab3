"""LightGBM's text models as ONNX, with thresholds in single or double precision.

Written from the rules of LightGBM's own prediction, since what ready-made converters give is float32
alone for classifiers, and takes what counts as missing for something else in some models.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.core.errors import Invalid
from mainspring.core.extras import require
from mainspring.core.signature import Column, Signature
from mainspring.engines.lightgbm import MODEL
from mainspring.engines.table import Precision
from mainspring.engines.tree_text import Forest, Split, Tree, read_forest

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""The first of ai.onnx.ml whose trees take doubles, and a year's older ONNX beside it."""
IR_VERSION = 8
DOUBLE = 11  # TensorProto.DOUBLE
MOST_NODES = 2_000_000
BY = "by"
"""The second operand of a node, if that is a constant."""
IDENTITY = (
    "",
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
)
CONVERTED = {
    "cross_entropy": "Sigmoid",
    "poisson": "Exp",
    "gamma": "Exp",
    "tweedie": "Exp",
}

Node = tuple[str, list[str], list[str], dict[str, Any]]
Rule = tuple[str, int, float, bool]
"""Mode, feature, value, and whether it says yes to what is missing."""


@dataclass(slots=True)
class _Nodes:
    """The attributes of one TreeEnsembleRegressor, node after node."""

    tree: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    mode: list[str] = field(default_factory=list)
    true: list[int] = field(default_factory=list)
    false: list[int] = field(default_factory=list)
    missing_true: list[int] = field(default_factory=list)

    def add(self, tree: int, number: int, rule: Rule | None, to: tuple[int, int]) -> None:
        """Add a node and where it leads if its rule says yes and no; a leaf has no rule."""
        mode, feature, value, missing = rule or ("LEAF", 0, 0.0, False)
        self.tree.append(tree)
        self.number.append(number)
        self.feature.append(feature)
        self.value.append(value)
        self.mode.append(mode)
        self.true.append(to[0])
        self.false.append(to[1])
        self.missing_true.append(int(missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a converter is asked for."""

    folder: Path
    signature: Signature
    precision: Precision
    allow_code: bool = False
    """Whether files may be read that hold code."""


def convert(asked: Asked) -> bytes:
    """The model of the folder as ONNX; errors: `Invalid` says what ONNX cannot express."""
    signature, precision = asked.signature, asked.precision
    forest = read_forest((asked.folder / MODEL).read_text())
    after = _after(forest, signature.outputs)
    if sum(len(tree.splits) + len(tree.leaves) for tree in forest.trees) > MOST_NODES:
        raise Invalid(f"its trees have more than {MOST_NODES:,} nodes")
    matrix = free_name({column.name for column in (*signature.inputs, *signature.outputs)})
    ensemble = _ensemble(forest, precision, matrix)
    return _model([ensemble, *after], matrix, forest, signature, precision)


def free_name(taken: set[str]) -> str:
    """What the one matrix is called where columns have names of their own."""
    name = "matrix"
    while name in taken:
        name += "_"
    return name


def _ensemble(forest: Forest, precision: Precision, matrix: str) -> Node:
    nodes = _Nodes()
    leaves: list[tuple[int, int, float]] = []
    for place, tree in enumerate(forest.trees):
        _add_tree(nodes, place, tree)
        leaves += [
            (place, len(tree.splits) + leaf, weight) for leaf, weight in enumerate(tree.leaves)
        ]
    attributes: dict[str, Any] = {
        "nodes_treeids": nodes.tree,
        "nodes_nodeids": nodes.number,
        "nodes_featureids": nodes.feature,
        "nodes_modes": nodes.mode,
        "nodes_truenodeids": nodes.true,
        "nodes_falsenodeids": nodes.false,
        "nodes_missing_value_tracks_true": nodes.missing_true,
        "target_treeids": [tree for tree, _, _ in leaves],
        "target_nodeids": [node for _, node, _ in leaves],
        "target_ids": [tree % forest.per_iteration for tree, _, _ in leaves],
        "n_targets": forest.per_iteration,
        **_numbers("nodes_values", nodes.value, precision, rounded_down=True),
        **_numbers("target_weights", [weight for _, _, weight in leaves], precision),
    }
    return "TreeEnsembleRegressor", [matrix], ["mainspring.raw"], attributes


def _add_tree(nodes: _Nodes, place: int, tree: Tree) -> None:
    """Splits keep their numbers, leaves follow; what takes several nodes goes on behind them."""
    inner = len(tree.splits)
    free = inner + len(tree.leaves)

    def number(child: int) -> int:
        return child if child >= 0 else inner + ~child

    for at, split in enumerate(tree.splits):
        steps = _steps(split)
        left, right = number(split.left), number(split.right)
        numbers = [at, *range(free, free + len(steps) - 1)]
        free += len(steps) - 1
        for step, (mode, value, missing, when_true) in enumerate(steps):
            on_true = left if when_true else right
            otherwise = right if when_true else left
            following = numbers[step + 1] if step + 1 < len(steps) else otherwise
            nodes.add(
                place, numbers[step], (mode, split.feature, value, missing), (on_true, following)
            )
    for leaf in range(len(tree.leaves)):
        nodes.add(place, inner + leaf, None, (0, 0))


def _steps(split: Split) -> list[tuple[str, float, bool, bool]]:
    """The questions of a split, each asked if the one before said no.

    A question is its mode, its value, whether it says yes to what is missing, and whether yes leads to
    the left. The rules are those of `Tree::NumericalDecision` and `Tree::CategoricalDecision`.
    """
    if split.categories is not None:
        return [("BRANCH_EQ", float(one), False, True) for one in split.categories or (-1,)]
    zero_left = split.threshold >= 0.0
    if split.missing == "nan":
        return [("BRANCH_LEQ", split.threshold, split.default_left, True)]
    if split.missing == "none" or split.default_left == zero_left:
        return [("BRANCH_LEQ", split.threshold, zero_left, True)]
    return [
        ("BRANCH_EQ", 0.0, True, split.default_left),
        ("BRANCH_LEQ", split.threshold, False, True),
    ]


def _numbers(
    name: str, values: list[float], precision: Precision, *, rounded_down: bool = False
) -> dict[str, Any]:
    """Numbers as an attribute. A threshold that is rounded down parts float32 values as it did."""
    exact = np.array(values, dtype=np.float64)
    if precision == "FP64":
        helper = require("onnx", "convert").helper
        tensor = helper.make_tensor(name, DOUBLE, [len(values)], exact.tobytes(), raw=True)
        return {f"{name}_as_tensor": tensor}
    with np.errstate(over="ignore"):
        near = exact.astype(np.float32)
    if rounded_down:
        near = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return {name: near.tolist()}


def _after(forest: Forest, columns: tuple[Column, ...]) -> list[Node]:
    """From the raw score to the signature's columns, in double precision."""
    outputs = [column.name for column in columns]
    whole = len(columns) == 1 and bool(columns[0].shape)
    kind, _, said = forest.objective.partition(" ")
    parameters = dict(part.partition(":")[::2] for part in said.split())
    if not whole and len(outputs) != forest.per_iteration:
        raise Invalid(f"it has {forest.per_iteration} scores, its signature {len(outputs)} outputs")
    nodes: list[Node] = [("Cast", ["mainspring.raw"], ["mainspring.score"], {"to": DOUBLE})]
    if forest.average:
        iterations = max(1, len(forest.trees) // forest.per_iteration)
        nodes.append(_scaled(nodes[-1][2][0], "mainspring.mean", 1.0 / iterations))
    nodes += _transform(kind, parameters, nodes[-1][2][0])
    last = nodes[-1][2][0]
    if len(outputs) == 1:
        return [*nodes, ("Identity", [last], outputs, {})]
    return [*nodes, ("Split", [last], outputs, {"axis": 1})]


def _scaled(given: str, name: str, factor: float) -> Node:
    return "Mul", [given], [name], {BY: factor}


def _transform(kind: str, parameters: dict[str, str], given: str) -> list[Node]:
    """The objective's own, as `ObjectiveFunction::ConvertOutput` of LightGBM has it."""
    if kind in ("binary", "multiclassova"):
        factor = float(parameters.get("sigmoid", "1"))
        return [
            _scaled(given, "mainspring.scaled", factor),
            ("Sigmoid", ["mainspring.scaled"], ["mainspring.told"], {}),
        ]
    if kind == "multiclass":
        return [("Softmax", [given], ["mainspring.told"], {"axis": 1})]
    if kind == "cross_entropy_lambda":
        return [
            ("Exp", [given], ["mainspring.grown"], {}),
            ("Add", ["mainspring.grown"], ["mainspring.more"], {BY: 1.0}),
            ("Log", ["mainspring.more"], ["mainspring.told"], {}),
        ]
    if kind in CONVERTED:
        return [(CONVERTED[kind], [given], ["mainspring.told"], {})]
    if kind == "regression" and "sqrt" in parameters:
        return [
            ("Abs", [given], ["mainspring.size"], {}),
            ("Mul", [given, "mainspring.size"], ["mainspring.told"], {}),
        ]
    if kind in IDENTITY:
        return []
    raise Invalid(f"no rule is known for the objective {kind!r}")


def _model(
    nodes: list[Node], matrix: str, forest: Forest, signature: Signature, precision: Precision
) -> bytes:
    onnx = require("onnx", "convert")
    helper, kind = onnx.helper, onnx.TensorProto
    made, constants = [], []
    for name, given, gives, attributes in nodes:
        if BY in attributes:
            constants.append(helper.make_tensor(f"{gives[0]}.by", DOUBLE, [], [attributes[BY]]))
            made.append(helper.make_node(name, [*given, constants[-1].name], gives))
            continue
        domain = "ai.onnx.ml" if name.startswith("TreeEnsemble") else ""
        made.append(helper.make_node(name, given, gives, domain=domain, **attributes))
    graph = helper.make_graph(
        made,
        "mainspring",
        [
            helper.make_tensor_value_info(
                matrix,
                kind.FLOAT if precision == "FP32" else kind.DOUBLE,
                ["rows", forest.features],
            )
        ],
        [
            helper.make_tensor_value_info(column.name, DOUBLE, ["rows", *(column.shape or (1,))])
            for column in signature.outputs
        ],
        constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
