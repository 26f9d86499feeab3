"""Experiments, and searches over them and their runs."""

from __future__ import annotations

import mlflow
import pytest
from client_side import refused
from mlflow.entities import ViewType


@pytest.fixture
def herd(client: mlflow.MlflowClient, experiment: str) -> str:
    """Six runs r0 to r5 in one experiment."""
    for number in range(6):
        run_id = client.create_run(experiment, run_name=f"r{number}").info.run_id
        client.log_metric(run_id, "acc", number / 10)
        client.log_param(run_id, "depth", str(number % 2))
        client.log_param(run_id, "odd-key 1", f"Value{number}")
        client.set_tag(run_id, "team", "even" if number % 2 == 0 else "odd")
        client.set_terminated(run_id, "FAILED" if number == 5 else "FINISHED")
    return experiment


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("metrics.acc > 0.2 and metrics.acc <= 0.4", "r3 r4"),
        ("params.depth = '1' AND metrics.acc < 0.4", "r1 r3"),
        ("params.\"odd-key 1\" ILIKE 'value4'", "r4"),
        ("params.`odd-key 1` LIKE 'Value%' and tags.team != 'odd'", "r0 r2 r4"),
        ("attributes.status = 'FAILED'", "r5"),
        ("run_name LIKE 'r%' and attributes.run_name != 'r0'", "r1 r2 r3 r4 r5"),
        ("tag.mlflow.runName IN ('r1', 'r2')", None),
        ("attributes.start_time > 0 and metrics.none > 1", ""),
    ],
)
def test_runs_are_found(herd: str, wanted: str, names: str | None) -> None:
    def search() -> list[str]:
        found = mlflow.search_runs([herd], wanted, output_format="list")
        return sorted(one.info.run_name for one in found)

    if names is None:
        with refused("INVALID_PARAMETER_VALUE"):
            search()
    else:
        assert search() == names.split()


def test_runs_come_in_the_order_asked_for(client: mlflow.MlflowClient, herd: str) -> None:
    order = ["params.depth DESC", "metrics.acc ASC"]
    first = client.search_runs([herd], order_by=order, max_results=4)
    rest = client.search_runs([herd], order_by=order, max_results=4, page_token=first.token)

    names = [one.info.run_name for one in [*first, *rest]]
    assert names == ["r1", "r3", "r5", "r0", "r2", "r4"]
    assert not rest.token


def test_a_table_of_runs_has_their_columns(herd: str) -> None:
    table = mlflow.search_runs([herd], order_by=["metrics.acc DESC"])

    assert table["metrics.acc"].tolist() == [0.5, 0.4, 0.3, 0.2, 0.1, 0.0]
    assert set(table["tags.team"]) == {"even", "odd"}
    by_name = mlflow.search_runs(experiment_names=[mlflow.get_experiment(herd).name])
    assert len(by_name) == len(table)


def test_an_experiment_is_made_renamed_and_tagged(client: mlflow.MlflowClient) -> None:
    number = mlflow.create_experiment("made", tags={"team": "a", "z": "1"})
    client.set_experiment_tag(number, "stage", "x y")
    client.delete_experiment_tag(number, "z")
    client.rename_experiment(number, "made-anew")

    found = mlflow.get_experiment_by_name("made-anew")
    assert found.experiment_id == number
    assert found.tags == {"team": "a", "stage": "x y"}
    assert mlflow.get_experiment_by_name("made") is None
    assert mlflow.get_experiment("0").name == "Default"
    with refused("RESOURCE_ALREADY_EXISTS"):
        mlflow.create_experiment("made-anew")


def test_experiments_are_found(client: mlflow.MlflowClient) -> None:
    for number in range(3):
        mlflow.create_experiment(f"find-{number}", tags={"team": str(number % 2)})

    def names(**asked: object) -> list[str]:
        return [one.name for one in mlflow.search_experiments(**asked)]

    assert names(filter_string="name LIKE 'find-%'", order_by=["name ASC"]) == [
        "find-0", "find-1", "find-2",
    ]  # fmt: skip
    wanted = "name ILIKE 'FIND%' AND tags.team = '0'"
    assert names(filter_string=wanted, order_by=["name DESC"]) == ["find-2", "find-0"]
    page = client.search_experiments(filter_string="name LIKE 'find-%'", max_results=2)
    assert len(page) == 2
    assert page.token


def test_a_deleted_experiment_comes_back_with_its_runs(client: mlflow.MlflowClient) -> None:
    number = mlflow.create_experiment("gone")
    run_id = client.create_run(number).info.run_id

    mlflow.delete_experiment(number)
    assert client.get_experiment(number).lifecycle_stage == "deleted"
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    wanted = {"view_type": ViewType.DELETED_ONLY, "filter_string": "name = 'gone'"}
    assert [one.experiment_id for one in client.search_experiments(**wanted)] == [number]
    with refused("INVALID_PARAMETER_VALUE"):
        client.create_run(number)

    client.restore_experiment(number)
    assert client.get_experiment(number).lifecycle_stage == "active"
    assert client.get_run(run_id).info.lifecycle_stage == "active"
