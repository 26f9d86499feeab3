"""`predict` against a real data plane."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from mainspring.core.signature import Signature
from mainspring.deployment import contract as deployment
from mainspring.engines import lightgbm as engine
from mainspring.engines.encoding import encode
from mainspring.interfaces.cli.program import main
from tests import story
from tests.house import Clients
from tests.serving.data_plane import Plane, hash_of, served


@pytest.fixture
def database_kind() -> str:
    """The data plane has no database."""
    return "SQLite"


@pytest.fixture
def transport() -> str:
    """The tests' own clients; the command line goes over HTTP."""
    return "in process"


def train(folder: Path, signature: Signature) -> Path:
    """A small model of the story's signature."""
    folder.mkdir()
    distances = np.arange(200.0)
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(encode(signature, {"distance": distances}), distances > 100),
        num_boost_round=5,
    )
    engine.save(booster.model_to_string(), folder, signature)
    return folder


@pytest.fixture
def plane(tmp_path: Path, clients: Clients, tokens: dict[str, str]) -> Iterator[Plane]:
    """The deployed model, and the registry that knows where it answers."""
    story.declare(clients.developer)
    version = story.version(clients.developer)
    promotion = story.ask(clients.developer, version.number)
    story.say(clients.service, promotion.id)
    story.approve(clients.approver, promotion.id)
    clients.admin.call(deployment.start, deployment.StartDeployment(model=story.MODEL))
    folder = train(tmp_path / "model", story.SIGNATURE)
    models = [served(folder, "1", story.MODEL)]
    with Plane(tmp_path, models, tokens=[hash_of(tokens["ada"])]) as plane:
        process = deployment.Process(
            pid=1, started=1, nonce="0a1b", port=plane.port, log_folder=str(plane.log_folder)
        )
        report = deployment.Report(deployment=story.MODEL, state="ready", served=1, process=process)
        clients.service.call(deployment.report, report)
        yield plane


def test_plain_columns_become_a_request(
    plane: Plane,
    url: str,
    tokens: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"distance": [10, 190]}')

    code = main(
        ["predict", story.MODEL, "-f", str(path), "--json", "--url", url, "--token", tokens["ada"]]
    )

    answer = json.loads(capsys.readouterr().out)
    near, far = answer["outputs"][0]["data"]
    assert code == 0
    assert near < far


def test_a_request_of_the_protocol_is_sent_as_it_is(
    plane: Plane,
    url: str,
    tokens: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data.json"
    column = {"name": "distance", "shape": [1], "datatype": "FP64", "data": [10.0]}
    path.write_text(json.dumps({"id": "mine", "inputs": [column]}))

    main(["predict", story.MODEL, "-f", str(path), "--url", url, "--token", tokens["ada"]])

    head, row = capsys.readouterr().out.splitlines()
    assert head == "score\tmainspring.request_id"
    assert row.endswith("\tmine")


def test_an_unknown_column_and_an_unknown_token_are_refused(
    plane: Plane,
    url: str,
    tokens: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"speed": [10]}')
    common = ["predict", story.MODEL, "-f", str(path), "--url", url]

    unknown_column = main([*common, "--token", tokens["ada"]])
    unknown_token = main([*common, "--token", tokens["dora"]])

    assert (unknown_column, unknown_token) == (2, 5)
    assert "no input 'speed'; it has distance" in capsys.readouterr().err
