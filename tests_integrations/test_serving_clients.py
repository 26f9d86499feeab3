"""Clients of other model servers, unmodified, against a real `mainspring serve`; and plain curl.

The flows are pytest files for the environment that has the clients.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests_integrations.clients_environment import clients_python
from tests_integrations.installed import BIN, ROOT

pytestmark = pytest.mark.timeout(600)  # the environment is made within the first test
FLOWS = ROOT / "tests_integrations" / "serving_flows"
MODELS = """
class Sum:
    inputs = [{"name": name, "datatype": "FP64", "shape": [-1]} for name in "ab"]
    outputs = [{"name": "sum", "datatype": "FP64", "shape": [-1]}]

    def predict(self, inputs):
        return {"sum": inputs["a"] + inputs["b"]}


class Echo:
    def predict(self, inputs):
        return inputs
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where two models in Python are served."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "added.py").write_text(MODELS)
    words = ["serve", "sum=added:Sum", "echo=added:Echo", "--port", "0", "--home", str(folder)]
    with subprocess.Popen(
        [str(BIN / "mainspring"), *words], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()
        assert process.wait(30) == 0


@pytest.mark.parametrize("flow", ["kserve_client", "mlflow_client"])
def test_a_client_cannot_tell_the_difference(url: str, tmp_path: Path, flow: str) -> None:
    words = ["-q", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(
        [str(clients_python()), "-m", "pytest", *words, str(FLOWS / f"{flow}.py")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "FLOW_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("flags", [[], ["--http1.0"], ["--http2"], ["--compressed"]], ids=str)
def test_curl_predicts(url: str, flags: list[str]) -> None:
    body = json.dumps({"rows": [{"a": 1.0, "b": 2.0}]})

    done = subprocess.run(
        ["curl", "--silent", "--fail", *flags, "--data", body, f"{url}/predict/sum"],
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout)["rows"][0]["sum"] == 3.0
