"""GraphQL as MLflow's pages speak it: the same answers as the REST API, and nothing too large."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query

from mainspring.app import App
from mainspring.core.access import Caller
from mainspring.core.ids import new_id
from mainspring.interfaces.mlflow_api.dispatch import Call
from mainspring.interfaces.mlflow_api.graph import resolution
from mainspring.interfaces.mlflow_api.graph.answering import answer

API = "/api/2.0/mlflow"


@pytest.fixture
def database_kind() -> str:
    """It looks nothing up by itself."""
    return "SQLite"


@pytest.fixture
def http(
    url: str, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> Iterator[httpx2.Client]:
    """A client of a developer; at the end there must be no traceback in the log."""
    headers = {"Authorization": f"Bearer {tokens['dora']}"}
    with httpx2.Client(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        yield client
    assert [record for record in caplog.get_records("call") if record.exc_info] == []


def done(http: httpx2.Client, path: str, **fields: object) -> Any:
    made = http.post(f"{API}/{path}", json=fields)
    assert made.status_code == 200, made.text
    return made.json()


def asked(http: httpx2.Client, query: str, variables: Mapping[str, object] | None = None) -> Any:
    found = http.post("/graphql", json={"query": query, "variables": variables})
    assert found.status_code == 200, found.text
    assert set(found.json()) == {"data", "errors"}
    return found.json()


def data(http: httpx2.Client, query: str, **variables: object) -> Any:
    found = asked(http, query, variables)
    assert found["errors"] is None
    return found["data"]


def refused(http: httpx2.Client, query: str, **variables: object) -> str:
    found = asked(http, query, variables)
    return str(found["errors"][0])


@pytest.fixture
def run(http: httpx2.Client) -> str:
    """A run with metrics, one of them without a value."""
    made = done(http, "runs/create", experiment_id="0", start_time=1_700_000_000_000)
    run = str(made["run"]["info"]["run_id"])
    metrics = [
        {"key": "loss", "value": value, "timestamp": 5, "step": step}
        for step, value in enumerate((3.0, 2.0, 1.5))
    ]
    nothing = {"key": "nothing", "value": "NaN", "timestamp": 2**40, "step": 2**40}
    done(http, "runs/log-batch", run_id=run, metrics=[*metrics, nothing])
    return run


def test_an_experiment_is_shown(http: httpx2.Client) -> None:
    query = '{mlflowGetExperiment(input: {experimentId: "0"}) {experiment {name tags {key}} apiError {code}}}'

    assert data(http, query)["mlflowGetExperiment"] == {
        "experiment": {"name": "Default", "tags": []},
        "apiError": None,
    }


def test_a_run_is_shown_with_its_experiment_and_versions(http: httpx2.Client, run: str) -> None:
    done(http, "registered-models/create", name="churn")
    done(http, "model-versions/create", name="churn", source="s3://a/b", run_id=run)
    query = """query Shown($id: String!) @component(name: "Page") {
      mlflowGetRun(input: {runId: $id}) { run {
        info { runId status startTime endTime }
        experiment { name }
        modelVersions { name version status currentStage modelId }
      } }
    }"""

    assert data(http, query, id=run)["mlflowGetRun"]["run"] == {
        "info": {
            "runId": run, "status": "RUNNING", "startTime": "1700000000000", "endTime": "0",
        },
        "experiment": {"name": "Default"},
        "modelVersions": [
            {
                "name": "churn", "version": "1", "status": "READY", "currentStage": "None",
                "modelId": "",
            }
        ],
    }  # fmt: skip


def test_a_metric_without_a_value_is_null(http: httpx2.Client, run: str) -> None:
    query = f"""{{mlflowGetRun(input: {{runId: "{run}"}}) {{
      run {{data {{metrics {{key value step timestamp datasetName}}}}}} }} }}"""

    assert data(http, query)["mlflowGetRun"]["run"]["data"]["metrics"] == [
        {"key": "loss", "value": 1.5, "step": "2", "timestamp": "5", "datasetName": ""},
        {
            "key": "nothing", "value": None, "step": "1099511627776", "timestamp": "1099511627776",
            "datasetName": "",
        },
    ]  # fmt: skip


def test_a_history_is_shown(http: httpx2.Client, run: str) -> None:
    query = """query History($runs: [String]) {
      mlflowGetMetricHistoryBulkInterval(input: {runIds: $runs, metricKey: "loss"}) {
        metrics { runId key value step }
      }
    }"""

    assert data(http, query, runs=[run])["mlflowGetMetricHistoryBulkInterval"]["metrics"] == [
        {"runId": run, "key": "loss", "value": 3.0, "step": "0"},
        {"runId": run, "key": "loss", "value": 2.0, "step": "1"},
        {"runId": run, "key": "loss", "value": 1.5, "step": "2"},
    ]


@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_runs_are_found(http: httpx2.Client, run: str, kind: str) -> None:
    done(http, "runs/create", experiment_id="0")
    query = (
        kind
        + """ Found($wanted: MlflowSearchRunsInput) {
      mlflowSearchRuns(input: $wanted) { runs { info { runId } } nextPageToken }
    }"""
    )
    wanted = {
        "experimentIds": ["0"], "filter": "metrics.loss < 2", "runViewType": "ACTIVE_ONLY",
        "orderBy": ["start_time"], "maxResults": 10,
    }  # fmt: skip

    assert data(http, query, wanted=wanted)["mlflowSearchRuns"] == {
        "runs": [{"info": {"runId": run}}],
        "nextPageToken": "",
    }


def test_versions_are_found(http: httpx2.Client) -> None:
    done(http, "registered-models/create", name="churn")
    done(http, "model-versions/create", name="churn", source="s3://a/b")
    query = """{mlflowSearchModelVersions(input: {filter: "name='churn'", maxResults: "10"}) {
      modelVersions { name source aliases } }}"""

    assert data(http, query)["mlflowSearchModelVersions"]["modelVersions"] == [
        {"name": "churn", "source": "s3://a/b", "aliases": []}
    ]


def test_files_are_listed(http: httpx2.Client, run: str) -> None:
    root = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts"
    http.put(f"{root}/test.txt", content=b"hello world").raise_for_status()
    http.put(f"{root}/folder/test.txt", content=b"hello").raise_for_status()
    query = f'{{mlflowListArtifacts(input: {{runId: "{run}"}}) {{files {{path isDir fileSize}}}}}}'

    assert data(http, query)["mlflowListArtifacts"]["files"] == [
        {"path": "folder", "isDir": True, "fileSize": "0"},
        {"path": "test.txt", "isDir": False, "fileSize": "11"},
    ]


def test_datasets_are_listed(http: httpx2.Client, run: str) -> None:
    dataset = {"name": "people", "digest": "1", "source_type": "local", "source": "x"}
    done(http, "runs/log-inputs", run_id=run, datasets=[{"dataset": dataset}])
    query = """mutation {mlflowSearchDatasets(input: {experimentIds: ["0"]}) {
      datasetSummaries { name digest context } }}"""

    assert data(http, query)["mlflowSearchDatasets"]["datasetSummaries"] == [
        {"name": "people", "digest": "1", "context": ""}
    ]


def test_what_is_not_there_is_said_in_words(http: httpx2.Client) -> None:
    query = '{mlflowGetRun(input: {runId: "x"}) {run {info {runId}}}}'

    assert asked(http, query) == {
        "data": {"mlflowGetRun": None},
        "errors": ["Run with id=x not found"],
    }


def test_a_query_may_come_in_the_url(http: httpx2.Client) -> None:
    found = http.get("/graphql", params={"query": '{test(inputString: "abc") {output}}'})

    assert found.json() == {"data": {"test": {"output": "abc"}}, "errors": None}


def test_the_operation_is_chosen_by_its_name(http: httpx2.Client) -> None:
    query = 'query A {test(inputString: "a") {output}} mutation B {testMutation(inputString: "b") {output}}'
    found = http.post("/graphql", json={"query": query, "operationName": "B"})

    assert found.json()["data"] == {"testMutation": {"output": "b"}}


def test_the_schema_may_be_asked_for(http: httpx2.Client) -> None:
    found = data(http, get_introspection_query())

    assert "MlflowRunExtension" in {kind["name"] for kind in found["__schema"]["types"]}


def nested(depth: int, inner: str = "name") -> str:
    return "{a" * depth + f"{{{inner}}}" + "}" * depth


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("{" + " ".join(f"k{n}: test {{output}}" for n in range(12)) + "}", "at most 10 root fields, got 12"),
        ("{" + "test {output} " * 11 + "}", "at most 10 root fields, got 11"),
        ("{... {" + "test {output} " * 11 + "}}", "at most 10 root fields, got 11"),
        ("{...F} fragment F on Query {" + "test {output} " * 11 + "}", "at most 10 root fields"),
        ("{test {" + " ".join(f"k{n}: output" for n in range(12)) + "}}", "at most 10 aliases, got 12"),
        ("{test {... on Test {" + " ".join(f"k{n}: output" for n in range(12)) + "}}}", "at most 10 aliases"),
        (nested(12), "exceeds maximum depth of 10"),
        ("{test {" + " ".join(f"f{n} {{name}}" for n in range(1_002)) + "}}", "total selections of 1000"),
        ("{" + " " * 200_000 + "test {output}}", "exceeds maximum length"),
        ("{" + "a " * 30_000 + "}", "Document contains more than 20000 tokens"),
        (nested(5_000), "nested too deeply"),
        ("{a(b: " + "[" * 9_000 + "]" * 9_000 + ")}", "nested too deeply"),
        ("{__schema{types{fields{type{fields{type{fields{type{fields{name}}}}}}}}}}", "introspection"),
        ("{...F} fragment F on Query {...F}", "Cannot spread fragment 'F' within itself"),
        ("type Query {a: String}", "Only queries and mutations"),
        ("subscription {a}", "not supported"),
        ("{nothing}", "Cannot query field 'nothing'"),
        ("{test(inputString: 7) {output}}", "String cannot represent a non string value"),
        ('{test(inputString: "\\ud800") {output}}', "Invalid Unicode escape sequence"),
        ("{", "Syntax Error"),
        (" ", "Syntax Error"),
        ("query A {test {output}} query B {test {output}}", "operation name"),
        ('{mlflowSearchModelVersions(input: {maxResults: 1.5}) {nextPageToken}}', "cannot represent 1.5"),
        ('{mlflowSearchModelVersions(input: {maxResults: "x"}) {nextPageToken}}', "cannot represent 'x'"),
        ('{mlflowSearchRuns(input: {maxResults: 99999999999}) {nextPageToken}}', "non 32-bit signed integer"),
        ('{mlflowSearchRuns(input: {runViewType: NONE}) {nextPageToken}}', "NONE"),
        ('{mlflowGetExperiment(input: {experimentId: "\\u0000"}) {experiment {name}}}', "experiment"),
        ('{mlflowGetExperiment {experiment {name}}}', "Missing value for required parameter 'experiment_id'"),
        ('query A($a: MlflowGetRunInput) {mlflowGetRun(input: $a) {apiError {code}}}', "Missing value"),
    ],
)  # fmt: skip
def test_a_bad_query_is_told_so(http: httpx2.Client, query: str, reason: str) -> None:
    assert reason in refused(http, query)


def test_a_bad_variable_is_named(http: httpx2.Client) -> None:
    query = "query A($id: String!) {mlflowGetRun(input: {runId: $id}) {apiError {code}}}"

    assert "'$id'" in refused(http, query)
    assert "'$id'" in refused(http, query, id=7)


@pytest.mark.parametrize(
    "body", [{}, {"query": ""}, {"query": None}, {"query": 7}, {"query": "{a}", "variables": []}]
)
def test_what_is_no_query_is_refused(http: httpx2.Client, body: dict[str, object]) -> None:
    found = http.post("/graphql", json=body)

    assert (found.status_code, found.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_one_query_looks_up_so_many_things(
    http: httpx2.Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(http, "runs/create", experiment_id="0")
    monkeypatch.setattr(resolution, "MAX_LOOKUPS", 3)
    search = '{mlflowSearchRuns(input: {experimentIds: ["0"]}) {runs {%s}}}'

    # The experiment is the same, and so is looked up once.
    assert len(data(http, search % "experiment {name}")["mlflowSearchRuns"]["runs"]) == 2
    assert "more than 3 lookups" in refused(http, search % "experiment {name} modelVersions {name}")


@pytest.mark.parametrize("query", ["{test {output}}", "{__typename}"])
def test_nobody_comes_in(url: str, query: str) -> None:
    headers = {"Authorization": "Bearer msp_wrong"}
    found = httpx2.post(
        f"{url}/graphql", json={"query": query}, headers=headers, trust_env=False, verify=False
    )

    assert (found.status_code, found.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_a_fault_of_ours_is_logged_and_not_told(app: App, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> Any:
        raise ZeroDivisionError("secret of ours")

    caller = Caller(token="", workspace="default", request_id=new_id(), named=False)
    call = Call(caller, broken, broken, app.blobs, "http://localhost")
    found = answer(
        call, '{mlflowGetExperiment(input: {experimentId: "0"}) {apiError {code}}}', {}, None
    )

    assert found["data"] == {"mlflowGetExperiment": None}
    assert "secret of ours" not in found["errors"][0]
    assert found["errors"][0].rpartition(" ")[2] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_its_library_is_loaded_when_it_is_needed() -> None:
    program = (
        "import mainspring.interfaces.mlflow_api.door, sys; sys.exit('graphql' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
