"""Runs: what is logged is read back as it was."""

from __future__ import annotations

import math
import threading
import time
from pathlib import Path

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import pytest
from client_side import refused
from mlflow.artifacts import download_artifacts, list_artifacts, load_dict, load_text
from mlflow.entities import Metric, Param, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository


def values(client: mlflow.MlflowClient, run_id: str, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, key)]


def paths(run_id: str, folder: str | None = None) -> set[str]:
    return {one.path for one in list_artifacts(run_id=run_id, artifact_path=folder)}


def test_parameters_metrics_and_tags_come_back(experiment: str) -> None:
    with mlflow.start_run(run_name="first", description="a try", tags={"team": "a"}) as run:
        mlflow.log_param("rate", 0.1)
        mlflow.log_params({"depth": 3, "kind": "tree"})
        mlflow.log_metric("loss", 0.5)
        mlflow.log_metric("loss", 0.25, step=1)
        mlflow.log_metrics({"auc": 0.75, "f1": 0.5}, step=2)
        mlflow.set_tag("note", "good")
        mlflow.set_tags({"x": 1, "y": "z"})
        mlflow.delete_tag("x")
    found = mlflow.get_run(run.info.run_id)

    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert found.info.experiment_id == experiment
    assert found.info.start_time <= found.info.end_time
    assert found.data.params == {"rate": "0.1", "depth": "3", "kind": "tree"}
    assert found.data.metrics == {"loss": 0.25, "auc": 0.75, "f1": 0.5}
    own = {key: value for key, value in found.data.tags.items() if not key.startswith("mlflow.")}
    assert own == {"team": "a", "note": "good", "y": "z"}
    assert found.data.tags["mlflow.note.content"] == "a try"


def test_children_know_their_parent(experiment: str) -> None:
    with mlflow.start_run() as parent:
        for number in range(2):
            with mlflow.start_run(nested=True, run_name=f"child-{number}"):
                mlflow.log_metric("m", number)
    wanted = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = mlflow.search_runs(filter_string=wanted, output_format="list")

    assert sorted(one.info.run_name for one in children) == ["child-0", "child-1"]
    assert mlflow.get_parent_run(children[0].info.run_id).info.run_id == parent.info.run_id


def test_a_run_that_fails_says_so(experiment: str) -> None:
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as run:
        _ = 1 / 0

    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"


def test_a_finished_run_goes_on(client: mlflow.MlflowClient, experiment: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1, step=0)
    with mlflow.start_run(run_id=run.info.run_id):
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("m", 2, step=1)

    assert values(client, run.info.run_id, "m") == [(0, 1.0), (1, 2.0)]
    client.update_run(run.info.run_id, status="KILLED", name="over")
    found = client.get_run(run.info.run_id).info
    assert (found.status, found.run_name) == ("KILLED", "over")


def test_odd_numbers_keep_their_kind(client: mlflow.MlflowClient, experiment: str) -> None:
    logged = [1.5, math.nan, math.inf, -math.inf, -0.0, 5e-324]
    with mlflow.start_run() as run:
        for step, value in enumerate(logged):
            mlflow.log_metric("odd", value, step=step)
        mlflow.log_metric("last", math.nan)
    found = [value for _, value in values(client, run.info.run_id, "odd")]

    assert math.isnan(found[1])
    assert found[2] >= 1.7e308
    assert found[3] <= -1.7e308
    assert [found[0], *found[4:]] == [1.5, 0.0, 5e-324]
    assert math.isnan(client.get_run(run.info.run_id).data.metrics["last"])


def test_a_long_history_comes_in_pages(client: mlflow.MlflowClient, experiment: str) -> None:
    run = client.create_run(experiment)
    for start in range(0, 30_000, 1000):
        points = [Metric("m", float(step), step, step) for step in range(start, start + 1000)]
        client.log_batch(run.info.run_id, metrics=points)

    found = values(client, run.info.run_id, "m")
    assert found == [(step, float(step)) for step in range(30_000)]


def test_a_batch_is_taken_whole(client: mlflow.MlflowClient, experiment: str) -> None:
    run_id = client.create_run(experiment, run_name="batch").info.run_id
    client.log_batch(
        run_id,
        metrics=[Metric("a/b c", 1.0, 1000, step) for step in range(900)],
        params=[Param(f"p{number}", "v") for number in range(50)],
        tags=[RunTag(f"t{number}", "v") for number in range(50)],
    )
    client.log_batch(run_id, params=[Param("p0", "v")])

    data = client.get_run(run_id).data
    assert len(data.params) == 50
    assert len(values(client, run_id, "a/b c")) == 900
    with refused("INVALID_PARAMETER_VALUE", "p0"):
        client.log_batch(run_id, params=[Param("p0", "other")])


def test_values_sent_in_the_background_arrive(client: mlflow.MlflowClient, experiment: str) -> None:
    mlflow.config.enable_async_logging()
    try:
        with mlflow.start_run() as run:
            for step in range(50):
                mlflow.log_metric("q", step, step=step)
            mlflow.log_params({"a": 1}, synchronous=False).wait()
            mlflow.set_tag("t", "v")
        mlflow.flush_async_logging()
    finally:
        mlflow.config.enable_async_logging(enable=False)

    assert values(client, run.info.run_id, "q") == [(step, float(step)) for step in range(50)]
    assert client.get_run(run.info.run_id).data.params == {"a": "1"}


def test_the_machine_is_watched(client: mlflow.MlflowClient, experiment: str) -> None:
    mlflow.set_system_metrics_sampling_interval(0.1)
    with mlflow.start_run(log_system_metrics=True) as run:
        deadline = time.monotonic() + 20
        while not (found := client.get_run(run.info.run_id).data.metrics):
            assert time.monotonic() < deadline
            threading.Event().wait(0.05)

    assert found["system/system_memory_usage_megabytes"] > 0


def test_files_come_back(experiment: str, tmp_path: Path) -> None:
    big = np.random.default_rng(1).bytes(3_000_000)
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "big.bin").write_bytes(big)
    (tmp_path / "out" / "deep" / "é ü.txt").write_text("ä", encoding="utf-8")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(tmp_path / "out" / "big.bin"))
        mlflow.log_artifacts(str(tmp_path / "out"), "all")
        mlflow.log_text("hello", "notes/n.txt")
        mlflow.log_dict({"a": [1]}, "d.json")
        mlflow.log_dict({"a": [1]}, "d.yaml")
    run_id = run.info.run_id

    assert paths(run_id) == {"big.bin", "all", "notes", "d.json", "d.yaml"}
    assert paths(run_id, "all") == {"all/big.bin", "all/deep"}
    assert load_text(f"runs:/{run_id}/notes/n.txt") == "hello"
    assert load_dict(f"runs:/{run_id}/d.json") == {"a": [1]}
    got = Path(download_artifacts(run_id=run_id, dst_path=str(tmp_path / "got")))
    assert (got / "all" / "big.bin").read_bytes() == big
    assert (got / "all" / "deep" / "é ü.txt").read_text(encoding="utf-8") == "ä"
    one = download_artifacts(f"runs:/{run_id}/all/deep", dst_path=str(tmp_path / "one"))
    assert [path.name for path in Path(one).iterdir()] == ["é ü.txt"]


def test_figures_images_and_tables_come_back(experiment: str) -> None:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [1, 0])
    with mlflow.start_run() as run:
        mlflow.log_figure(figure, "plots/line.png")
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), "black.png")
        mlflow.log_image(np.zeros((8, 8, 3), dtype=np.uint8), key="shots", step=3)
        mlflow.log_table({"a": [1, 2]}, "t.json")
        mlflow.log_table(pd.DataFrame({"a": [3]}), "t.json")
    plt.close(figure)

    assert mlflow.artifacts.load_image(f"runs:/{run.info.run_id}/black.png").size == (8, 8)
    assert paths(run.info.run_id, "plots") == {"plots/line.png"}
    assert mlflow.load_table("t.json", run_ids=[run.info.run_id])["a"].tolist() == [1, 2, 3]
    assert any("shots" in path for path in paths(run.info.run_id, "images"))


def test_a_file_can_be_deleted(experiment: str) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("a", "keep/a.txt")
        mlflow.log_text("b", "drop/b.txt")
    store = get_artifact_repository(run.info.artifact_uri)
    store.delete_artifacts("drop")

    assert paths(run.info.run_id) == {"keep"}
    assert paths(run.info.run_id, "drop") == set()


def test_datasets_are_inputs(experiment: str, iris: pd.DataFrame) -> None:
    table = mlflow.data.from_pandas(iris, source="s3://x/iris", name="iris", targets="target")
    array = mlflow.data.from_numpy(np.arange(6).reshape(3, 2), name="grid")
    with mlflow.start_run() as run:
        mlflow.log_input(table, context="training")
        mlflow.log_input(array, context="test", tags={"k": "v"})
    inputs = {
        one.dataset.name: one for one in mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    }

    assert inputs["iris"].dataset.digest == table.digest
    assert {one.key: one.value for one in inputs["iris"].tags} == {
        "mlflow.data.context": "training"
    }
    assert ("k", "v") in [(one.key, one.value) for one in inputs["grid"].tags]
    assert mlflow.data.get_source(inputs["iris"].dataset).uri == "s3://x/iris"
    for wanted in ("datasets.name = 'iris'", "dataset.context = 'test'"):
        assert len(mlflow.search_runs(filter_string=wanted)) == 1


def test_a_deleted_run_comes_back_with_its_files(
    client: mlflow.MlflowClient, experiment: str
) -> None:
    with mlflow.start_run() as run:
        mlflow.log_text("hello", "n.txt")
        mlflow.log_metric("m", 1)
    run_id = run.info.run_id

    mlflow.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert len(mlflow.search_runs()) == 0
    with refused("INVALID_PARAMETER_VALUE", "must be in the 'active' state"):
        client.log_metric(run_id, "m", 2)

    client.restore_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "active"
    assert load_text(f"runs:/{run_id}/n.txt") == "hello"
    client.log_metric(run_id, "m", 2, step=1)
    assert values(client, run_id, "m") == [(0, 1.0), (1, 2.0)]


def test_a_traced_function_disturbs_no_training(
    client: mlflow.MlflowClient, experiment: str
) -> None:
    @mlflow.trace
    def double(number: int) -> int:
        return 2 * number

    with mlflow.start_run() as run:
        mlflow.log_metric("m", double(2))
    mlflow.flush_trace_async_logging()

    assert client.get_run(run.info.run_id).data.metrics == {"m": 4.0}
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
