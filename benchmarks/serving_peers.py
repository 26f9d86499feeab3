"""The servers that are compared: their environments, what each is given, and how it is started.

Part of serving.py. The peers run with what their own documentation shows, in environments in
`.cache/bench-serving` that are made at the first use.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from benchmarks.serving_requests import MODEL

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "bench-serving"
SAME = f"scikit-learn=={version('scikit-learn')}"
"""The pickled model is read by the release that wrote it, everywhere."""
PACKAGES = {
    # Its workers need an event loop that newer releases of uvloop do not make.
    "mlserver": [
        "mlserver==1.7.1",
        "mlserver-sklearn==1.7.1",
        "uvloop<0.22",
        "skl2onnx>=1.20,<2",
        "tritonclient[grpc]>=2.73",
        SAME,
    ],
    "bentoml": ["bentoml>=1.4.40,<1.5", SAME],
}
THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
FOREIGN = ("MAINSPRING", "MLSERVER", "BENTOML", "OTEL_", "PYTHON", "PROMETHEUS")
TOKEN = "benchmark-" + "0123456789abcdef" * 2
SERVICE = """\
import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Tumour:
    def __init__(self) -> None:
        self.model = joblib.load({model!r})

    @bentoml.api({batching})
    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(rows)
"""

Kind = Literal["mainspring", "mlserver", "bentoml"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where one server runs."""

    folder: Path
    models: Path
    """The folder of what serving_model.py wrote."""
    port: int
    grpc_port: int
    metrics_port: int


@dataclass(frozen=True, slots=True)
class Side:
    """One server with one way to run it."""

    title: str
    kind: Kind
    source: str = "model.joblib"
    flags: tuple[str, ...] = ()
    """Ours: further words of the command. Peers: `quiet` (no access log), `batches`."""
    token: bool = True
    """Ours: whether callers have to show one."""
    grpc: bool = True
    """Ours: whether it listens for gRPC, as MLServer always does."""
    cores: int = 1

    @property
    def logs(self) -> bool:
        """Whether every prediction has to be in its log afterwards."""
        return self.kind == "mainspring" and "--no-log" not in self.flags

    @property
    def bearer(self) -> str | None:
        """What a caller shows."""
        return TOKEN if self.kind == "mainspring" and self.token else None

    @property
    def ready(self) -> str:
        """The path that answers 200 once the model can be called."""
        paths = {"mlserver": f"/v2/models/{MODEL}/ready", "bentoml": "/readyz"}
        return paths.get(self.kind, "/v2/health/ready")

    @property
    def path(self) -> str:
        """Where a prediction is asked for."""
        return "/predict_proba" if self.kind == "bentoml" else f"/v2/models/{MODEL}/infer"

    def command(self, place: Place) -> list[str]:
        """Write what the server reads, and say how it is started."""
        return {"mainspring": _mainspring, "mlserver": _mlserver, "bentoml": _bentoml}[self.kind](
            self, place
        )


def _mainspring(side: Side, place: Place) -> list[str]:
    words = [sys.executable, "-m", "mainspring", "serve"]
    words += [f"{MODEL}={place.models / side.source}", "--port", str(place.port)]
    words += ["--log-folder", str(place.folder / "log"), *side.flags]
    if side.grpc:
        words += ["--grpc-port", str(place.grpc_port)]
    if not side.source.endswith(".onnx"):
        words.append("--allow-code-models")
    if side.token:
        path = place.folder / "token"
        path.write_text(TOKEN + "\n")
        path.chmod(0o600)
        words += ["--token-file", str(path)]
    return words


def _mlserver(side: Side, place: Place) -> list[str]:
    settings = {
        "host": "127.0.0.1",
        "http_port": place.port,
        "grpc_port": place.grpc_port,
        "metrics_port": place.metrics_port,
        "parallel_workers": 0,
    }
    if "quiet" in side.flags:
        settings["debug"] = False
    model: dict[str, Any] = {
        "name": MODEL,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(place.models / side.source), "version": "1"},
    }
    if "batches" in side.flags:
        model |= {"max_batch_size": 64, "max_batch_time": 0.002}
    (place.folder / "settings.json").write_text(json.dumps(settings))
    (place.folder / "model-settings.json").write_text(json.dumps(model))
    return [str(_program("mlserver", "mlserver")), "start", str(place.folder)]


def _bentoml(side: Side, place: Place) -> list[str]:
    batching = "batchable=True, max_batch_size=64" if "batches" in side.flags else ""
    text = SERVICE.format(model=str(place.models / side.source), batching=batching)
    (place.folder / "service.py").write_text(text)
    words = [str(_program("bentoml", "bentoml")), "serve", "service:Tumour"]
    return [*words, "--host", "127.0.0.1", "--port", str(place.port)]


def environment(place: Place) -> dict[str, str]:
    """One thread a library, no telemetry, no setting of the person who measures."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return {
        **plain,
        **THREADS,
        "HOME": str(place.folder),
        "DO_NOT_TRACK": "true",
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(place.folder / "bentoml"),
    }


def _program(peer: str, name: str) -> Path:
    return CACHE / peer / "bin" / name


def python_of(peer: str) -> Path:
    """The Python of a peer's environment."""
    return _program(peer, "python")


def why_missing(peer: str) -> str | None:
    """Make the peer's environment where it is not as wanted; the reason if that cannot be."""
    folder, wanted = CACHE / peer, "\n".join(PACKAGES[peer])
    ready = folder / "installed"
    if ready.exists() and ready.read_text() == wanted:
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    uv = str(Path(sys.executable).with_name("uv"))
    make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(folder)]
    for command in (make, [*install, *PACKAGES[peer]]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return " ".join(done.stderr.split())[:300]
    ready.write_text(wanted)
    return None


def release_of(peer: str) -> str:
    """The release that is installed."""
    code = f"from importlib.metadata import version; print(version({peer!r}))"
    done = subprocess.run([python_of(peer), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def train(folder: Path) -> None:
    """The model in all its forms."""
    command = [str(python_of("mlserver")), "-m", "benchmarks.serving_model", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **THREADS})
