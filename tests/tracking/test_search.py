"""Searches answer what the same search in plain Python answers, in whatever way they are done."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mainspring.app import App
from mainspring.core.filters import parse_filter
from mainspring.core.grammar import Order
from mainspring.core.order import parse_order
from mainspring.tracking.search_contract import View
from mainspring.tracking.search_grammar import RUNS
from mainspring.tracking.search_store import Effort, Question, SearchStore
from tests.tracking.herd import EXPERIMENTS, START, Beast, bred, drive_in, driven_in, expected

HERD = bred(150)
EFFORTS = {
    "gathers runs": Effort(),
    "looks up": Effort(gathered=0, listed=0, looked_through=1),
    "lists": Effort(gathered=0, listed=10_000, looked_through=10_000),
    "gathers a part": Effort(gathered=100, listed=10, looked_through=10_000),
}
MILLIS = int(START.timestamp() * 1000)
FILTERS = [
    "",
    "metrics.loss < 1.5",
    "metrics.loss >= 1 AND metrics.loss < 1e999",
    "metrics.loss != 1",
    "metrics.loss = 0.30000000000000004",
    "metrics.auc <= 1e999 AND metrics.loss > -1e999",
    "min_metrics.loss < 1 AND metrics.loss > 0",
    "count_metrics.auc >= 2",
    "params.p = 'a'",
    "params.p != 'a'",
    "params.p LIKE 'a%'",
    "params.p LIKE '%b'",
    "params.p LIKE 'a_b'",
    "params.p ILIKE 'AB'",
    "params.p ILIKE '%B%'",
    "params.p LIKE '%*%' ",
    "params.p LIKE '%[%'",
    "params.p LIKE 'a\\b'",
    "params.p LIKE '%'",
    "params.p LIKE ''",
    'params.`q q` = "b\'c"',
    "params.p IS NULL",
    "params.p IS NOT NULL",
    "params.p IS NULL AND params.p = 'a'",
    "params.p LIKE 'a%' AND params.`q q` LIKE '%b%' AND params.p != 'ab'",
    "tags.team = 'x' AND metrics.loss < 2",
    "tags.rare = '1'",
    "tags.rare IS NULL AND tags.team != 'x'",
    "tags.nothing = 'x'",
    "attributes.status = 'FAILED'",
    "attributes.status != 'FAILED'",
    "attributes.status IN ('RUNNING', 'KILLED')",
    "attributes.status ILIKE 'f%'",
    "attributes.run_name LIKE 'a%' AND user_id = 'ada'",
    "attributes.run_name NOT IN ('a', 'b')",
    f"run_id = '{HERD[3].id}'",
    f"run_id IN ('{HERD[3].id}', '{HERD[4].id}', '{HERD[5].id.upper()}')",
    f"run_id != '{HERD[3].id}'",
    f"run_id LIKE '{HERD[3].id[:5]}%'",
    f"artifact_uri = 'mlflow-artifacts:/{HERD[3].experiment}/{HERD[3].id}/artifacts'",
    f"artifact_uri LIKE '%/{EXPERIMENTS[0]}/%'",
    f"start_time > {MILLIS + 2}",
    f"start_time <= {MILLIS + 2}",
    f"start_time = {MILLIS + 2}",
    f"start_time != {MILLIS + 2}",
    f"start_time >= {MILLIS + 1.5}",
    f"end_time < {MILLIS + 3}",
    "end_time > -1e999",
    "dataset.name = 'x'",
    "dataset.name = 'flights'",
    "dataset.name LIKE 'w%'",
    "dataset.name ILIKE 'w%' AND datasets.digest != 'd1'",
    "dataset.context IN ('train')",
    "dataset.context != 'train' AND dataset.digest = 'd2'",
]
ORDERS = [
    [],
    ["metrics.loss"],
    ["metrics.loss DESC"],
    ["metrics.loss DESC", "metrics.auc"],
    ["min_metrics.loss"],
    ["count_metrics.loss DESC", "params.p"],
    ["params.p"],
    ["params.p DESC", "metrics.loss DESC"],
    ["tags.rare", "tags.team DESC"],
    ["start_time"],
    ["end_time DESC"],
    ["end_time", "start_time DESC"],
    ["run_name DESC", "metrics.loss"],
    ["run_id"],
    ["run_id DESC"],
    ["artifact_uri"],
    ["status", "user_id DESC"],
    ["metrics.nothing", "attributes.created ASC"],
]


def seen(herd: list[Beast], view: View, experiments: tuple[str, ...]) -> list[Beast]:
    wanted = {"active": (False,), "deleted": (True,), "all": (False, True)}[view]
    return [one for one in herd if one.deleted in wanted and one.experiment in experiments]


class Pages:
    """All pages of a search of a size, from the first to the last."""

    def __init__(self, app: App, workspace: int, effort: Effort, size: int = 25) -> None:
        self.app, self.workspace, self.effort, self.size = app, workspace, effort, size

    def ids(
        self, text: str, orders: list[Order], view: View, experiments: tuple[str, ...]
    ) -> list[str]:
        by_key = {one.key: one.id for one in HERD}
        return [
            by_key[key] for page in self._pages(text, orders, view, experiments) for key in page
        ]

    def _pages(
        self, text: str, orders: list[Order], view: View, experiments: tuple[str, ...]
    ) -> Iterator[list[int]]:
        after = None
        comparisons = parse_filter(text, RUNS)
        with self.app.database.read() as connection:
            store = SearchStore(connection, self.workspace, self.effort)
            scope = store.scope(experiments, view)
            assert scope is not None
            while True:
                found = store.page(Question(scope, comparisons, orders), after, self.size)
                yield [key for key, _ in found]
                if len(found) < self.size:
                    return
                after = found[-1][1]


@pytest.fixture
def workspace(app: App) -> int:
    return driven_in(app, HERD)


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
def test_every_filter_finds_what_python_finds(app: App, workspace: int, effort: Effort) -> None:
    pages, herd = Pages(app, workspace, effort, 50), seen(HERD, "active", EXPERIMENTS[:1])

    found = {text: pages.ids(text, [], "active", EXPERIMENTS[:1]) for text in FILTERS}

    assert found == {text: expected(herd, parse_filter(text, RUNS), []) for text in FILTERS}


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
def test_every_order_is_pythons_page_by_page(app: App, workspace: int, effort: Effort) -> None:
    pages, herd = Pages(app, workspace, effort, 9), seen(HERD, "all", EXPERIMENTS)
    orders = {str(clauses): parse_order(clauses, RUNS) for clauses in ORDERS}

    found = {name: pages.ids("", order, "all", ()) for name, order in orders.items()}

    assert found == {name: expected(herd, [], order) for name, order in orders.items()}


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
@pytest.mark.parametrize("clauses", [["metrics.loss DESC"], ["params.p"]], ids=str)
def test_filters_and_orders_meet(
    app: App, workspace: int, effort: Effort, clauses: list[str]
) -> None:
    pages, herd = Pages(app, workspace, effort), seen(HERD, "active", EXPERIMENTS)
    orders = parse_order(clauses, RUNS)

    found = {text: pages.ids(text, orders, "active", EXPERIMENTS) for text in FILTERS}

    assert found == {text: expected(herd, parse_filter(text, RUNS), orders) for text in FILTERS}


@pytest.mark.parametrize("view", ["active", "deleted", "all"])
def test_deleted_runs_are_seen_where_they_are_asked_for(
    app: App, workspace: int, view: View
) -> None:
    pages = Pages(app, workspace, EFFORTS["gathers runs"])

    found = pages.ids("tags.team = 'x'", [], view, EXPERIMENTS)

    herd = seen(HERD, view, EXPERIMENTS)
    assert found == expected(herd, parse_filter("tags.team = 'x'", RUNS), [])


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=EFFORTS)
def test_a_thousand_comparisons_are_answered(app: App, workspace: int, effort: Effort) -> None:
    text = " AND ".join(
        [f"metrics.loss != {n}.5" for n in range(300)]
        + [f"params.p{n} IS NULL" for n in range(350)]
        + [f"run_name != 'x{n}'" for n in range(350)]
    )

    found = Pages(app, workspace, effort, 200).ids(text, [], "active", EXPERIMENTS)

    herd = seen(HERD, "active", EXPERIMENTS)
    assert found == expected(herd, parse_filter(text, RUNS), [])


def test_no_experiment_of_that_id_has_no_runs(app: App, workspace: int) -> None:
    with app.database.read() as connection:
        assert SearchStore(connection, workspace).scope(["33"], "all") is None


def test_rows_that_come_meanwhile_move_no_others(app: App, workspace: int) -> None:
    orders = parse_order(["metrics.loss"], RUNS)
    with app.database.read() as connection:
        store = SearchStore(connection, workspace)
        scope = store.scope(EXPERIMENTS, "all")
        assert scope is not None
        question = Question(scope, [], orders)
        first = store.page(question, None, 40)
    late = bred(40, seed=2)

    drive_in(app, workspace, late)

    with app.database.read() as connection:
        rest = SearchStore(connection, workspace).page(question, first[-1][1], 500)
    keys = [key for key, _ in first] + [key for key, _ in rest]
    assert len(set(keys)) == len(keys)
    assert {one.key for one in HERD} <= set(keys)
