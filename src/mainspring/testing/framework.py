"""The exam of every framework: subclass it, say which script trains and what it must tell.

class TestMyLibrary(FrameworkContract):
    framework = MyLibrary()
    script = Path(__file__).parent / "scripts" / "my_library_real_data.py"
    expected = Expected(
        params={"depth"}, metrics={"training/auc"}, series={"validation/auc": 50}, rows=426
    )

The script knows nothing of Mainspring. It trains once at its top level, on real data and with a fixed
seed, and leaves `model` and `predictions` (numbers) in its variables. Each test runs it in a process
of its own; the framework must be installed with its entry point.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mainspring.core.ids import Id
from mainspring.core.settings import foreign_environment
from mainspring.interfaces.sdk.client import Client
from mainspring.recording.framework import Framework
from mainspring.tracking import contract, search_contract
from mainspring.tracking.contract import NameRun, Run
from mainspring.tracking.search_contract import SearchRuns

LIMIT_S = 100
PARTS = ("mainspring.datasets.joining", "mainspring.recording.packing")
"""What data are linked by and models kept by; hooks fail where these are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the run of the script must have, whatever else it has."""

    params: Set[str]
    metrics: Set[str]
    series: Mapping[str, int] = field(default_factory=dict)
    """Metrics with a value for each iteration, and how many at least."""
    rows: int
    """Rows of the dataset that is trained on."""
    evaluated: bool = True
    """Whether the script evaluates on other data, so that these are linked too."""
    children: int = 0
    """Runs that are part of the script's run."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a process did, and the runs that it left."""

    answer: dict[str, Any]
    runs: list[Run]
    printed: str
    errors: str
    """What stands on the standard error."""

    @property
    def run(self) -> Run:
        """The only run that is part of no other."""
        outer = [run for run in self.runs if run.parent is None]
        assert len(outer) == 1, f"{[run.name for run in outer]}\n{self.errors}"
        return outer[0]


Record = Callable[..., Recording]


def _runs(home: Path) -> list[Run]:
    if not (home / "mainspring.db").exists():
        return []
    client = Client(home)
    found: list[Id] = [
        run.id for run in client.call(search_contract.search_runs, SearchRuns()).items
    ]
    runs = [client.call(contract.show_run, NameRun(run=run)) for run in found]
    client.close()
    return runs


class FrameworkContract:
    """What any framework must do; `mainspring.recording.framework.Framework` says how it is called."""

    framework: ClassVar[Framework]
    script: ClassVar[Path]
    expected: ClassVar[Expected]

    @pytest.fixture(scope="class")
    @classmethod
    def record(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
        """Run the script under options, once for each set of them."""
        known: dict[tuple[str, ...], Recording] = {}

        def run(*options: str) -> Recording:
            if options not in known:
                known[options] = _recorded(cls, tmp_path_factory.mktemp("framework"), options)
            return known[options]

        yield run
        known.clear()

    def test_a_plain_script_is_recorded_whole(self, record: Record) -> None:
        run = record("--autolog", "before").run

        assert run.status == "finished"
        assert set(run.params) >= set(self.expected.params)
        assert {metric.key for metric in run.metrics} >= set(self.expected.metrics)
        assert run.code
        assert run.environment["packages"]

    def test_iterations_are_recorded_one_by_one(self, record: Record) -> None:
        run = record("--autolog", "before").run

        counts = {metric.key: metric.count for metric in run.metrics}
        short = {
            key: (counts.get(key, 0), wanted)
            for key, wanted in self.expected.series.items()
            if counts.get(key, 0) < wanted
        }
        assert not short

    def test_the_data_are_linked_by_their_digests(self, record: Record) -> None:
        run = record("--autolog", "before").run

        trained = [data for data in run.datasets if data.role == "training"]
        assert [data.rows for data in trained] == [self.expected.rows]
        assert all((data.digest or "").startswith("sha256:") for data in run.datasets)
        others = {data.role for data in run.datasets} - {"training"}
        assert bool(others & {"evaluation", "validation"}) == self.expected.evaluated

    def test_the_model_has_an_id_a_digest_a_signature_and_a_sample(self, record: Record) -> None:
        run = record("--autolog", "before").run

        [model] = run.models
        assert model.id
        assert (model.digest or "").startswith("sha256:")
        assert model.signature.inputs
        assert "sample.json" in {file.path for file in model.files}
        assert len(model.files) > 1

    def test_the_same_training_gives_the_same_data_again(self, record: Record) -> None:
        first = record("--autolog", "before").run
        again = record("--autolog", "after").run

        assert {data.digest for data in first.datasets} == {data.digest for data in again.datasets}

    def test_a_library_that_is_there_already_is_followed_too(self, record: Record) -> None:
        before = record("--autolog", "before").run
        after = record("--autolog", "after").run

        assert after.params == before.params
        assert _keys(after) == _keys(before)

    def test_what_is_part_of_the_training_is_a_run_of_its_own(self, record: Record) -> None:
        found = record("--autolog", "before")

        children = [run for run in found.runs if run.parent is not None]
        assert len(children) == self.expected.children
        assert {run.parent for run in children} <= {found.run.id}
        assert {run.status for run in children} <= {"finished"}

    def test_results_are_the_same_with_and_without(self, record: Record) -> None:
        without = record()

        assert not without.runs
        assert without.answer["predictions"]
        assert record("--autolog", "before").answer["predictions"] == without.answer["predictions"]
        assert record("--autolog", "after").answer["predictions"] == without.answer["predictions"]

    def test_the_script_prints_the_same(self, record: Record) -> None:
        assert record("--autolog", "before").printed == record().printed

    def test_nothing_is_kept_that_was_not_wanted(self, record: Record) -> None:
        run = record("--autolog", "before", "--bare").run

        assert not run.models
        assert not run.datasets
        assert not [file.path for file in run.artifacts if file.path.endswith(".png")]
        assert set(run.params) >= set(self.expected.params)

    def test_hooks_that_fail_do_not_fail_the_training(self, record: Record) -> None:
        found = record("--autolog", "before", "--without", *PARTS)

        assert found.answer["predictions"] == record().answer["predictions"]
        assert set(found.run.params) >= set(self.expected.params)
        assert not found.run.models

    def test_a_home_that_cannot_be_written_does_not_fail_the_training(self, record: Record) -> None:
        found = record("--autolog", "before", "--no-home")

        assert found.answer["predictions"] == record().answer["predictions"]
        assert not found.runs

    def test_a_training_inside_another_is_part_of_it(self, record: Record) -> None:
        found = record("--autolog", "before", "--inside")

        assert found.answer["predictions"] == record().answer["predictions"]
        assert found.run.name == "around"
        assert not found.run.models
        assert not [data for data in found.run.datasets if data.role == "training"]

    def test_a_training_belongs_to_the_active_run(self, record: Record) -> None:
        run = record("--autolog", "before", "--active").run

        assert run.name == "mine"
        assert set(run.params) >= set(self.expected.params)
        assert len(run.models) == 1

    def test_a_training_in_a_thread_is_recorded_as_well(self, record: Record) -> None:
        run = record("--autolog", "before", "--thread").run

        assert set(run.params) >= set(self.expected.params)
        assert len(run.models) == 1

    def test_a_worker_process_records_nothing_by_itself(self, record: Record) -> None:
        found = record("--autolog", "before", "--worker")

        assert found.answer["predictions"] == record().answer["predictions"]
        assert not found.runs

    def test_it_knows_its_models_and_saves_them(self, record: Record) -> None:
        answer = record("--save").answer

        assert answer["owns"]
        assert answer["saved"]
        assert answer["saved"] == answer["found"]

    def test_it_is_asked_whether_it_owns_something_without_loading_anything(self) -> None:
        code = (
            "import sys, json; sys.argv = []\n"
            f"from {type(self.framework).__module__} import {type(self.framework).__qualname__} as F\n"
            "owned = [thing for thing in (object(), 1, 'tree', {}, sys) if F().owns(thing)]\n"
            "roots = {module.partition('.')[0] for module in F().modules}\n"
            "print(json.dumps([len(owned), sorted(roots & set(sys.modules))]))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603  our own code

        assert json.loads(done.stdout) == [0, []]


def _keys(run: Run) -> dict[str, int]:
    return {
        metric.key: metric.count for metric in run.metrics if not metric.key.startswith("system/")
    }


def _recorded(case: type[FrameworkContract], folder: Path, options: tuple[str, ...]) -> Recording:
    home, answer = folder / "home", folder / "answer.json"
    if "--no-home" in options:
        home.write_text("no folder")
    kind = type(case.framework)
    command = [
        sys.executable, "-W", "ignore", "-m", "mainspring.testing.followed",
        str(case.script), str(answer), f"{kind.__module__}:{kind.__qualname__}", *options,
    ]  # fmt: skip
    environment = foreign_environment() | {"MAINSPRING_HOME": str(home)}
    done = subprocess.run(  # noqa: S603  our own code, and the script of the exam
        command, capture_output=True, cwd=folder, env=environment, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    runs = [] if "--no-home" in options else _runs(home)
    told = json.loads(answer.read_bytes())
    printed = done.stdout.decode().replace(os.linesep, "\n")
    return Recording(told, runs, printed, done.stderr.decode())
