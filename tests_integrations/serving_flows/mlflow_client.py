"""MLflow's own client of a scoring server, in the forms that it writes."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

URL = urlsplit(os.environ["FLOW_URL"])
CLIENT = ScoringServerClient(URL.hostname, URL.port)
FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [10.0, 20.0]})


def test_it_sees_the_server() -> None:
    CLIENT.wait_server_ready(timeout=20)

    assert CLIENT.get_version()


def test_a_data_frame_is_scored() -> None:
    found = CLIENT.invoke(FRAME).get_predictions(predictions_format="ndarray")

    assert found.ravel().tolist() == [11.0, 22.0]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": FRAME.to_dict(orient="split")},
        {"dataframe_records": FRAME.to_dict(orient="records")},
        {"instances": FRAME.to_dict(orient="records")},
        {"inputs": FRAME.to_dict(orient="list")},
        {"inputs": {"a": [[1.0], [2.0]], "b": [[10.0], [20.0]]}, "params": {"unused": 1}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_form_of_json_is_scored(body: dict[str, object]) -> None:
    answer = requests.post(f"{URL.geturl()}/invocations", json=body, timeout=20)

    assert answer.json()["predictions"] == [11.0, 22.0]


def test_csv_is_scored() -> None:
    answer = requests.post(
        f"{URL.geturl()}/invocations",
        data=FRAME.to_csv(index=False),
        headers={"content-type": "text/csv"},
        timeout=20,
    )

    assert answer.json()["predictions"] == [11.0, 22.0]


def test_a_wrong_frame_is_said_to_be_wrong() -> None:
    with pytest.raises(Exception, match="error code 400"):
        CLIENT.invoke(FRAME.rename(columns={"b": "c"}))
