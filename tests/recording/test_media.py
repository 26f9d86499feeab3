"""Figures, images, tables, files: what is kept is what was shown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image as Pillow

from mainspring.core.errors import Invalid
from mainspring.core.operation import FileClient
from mainspring.recording.media import Image, Table
from mainspring.recording.run import Run
from mainspring.recording.sync import sync
from tests.house import Clients
from tests.recording.lines import begun, told

mpl.use("Agg")
from matplotlib import pyplot as plt

PIXELS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], dtype=np.uint8)
ROWS = {"carrier": ["UA", "AA"], "late": [0.25, 0.5]}
Kept = Callable[[Callable[[Run], object]], dict[str, bytes]]


@pytest.fixture
def transport() -> str:
    """Without HTTP."""
    return "in process"


@pytest.fixture
def database_kind() -> str:
    """On SQLite alone: nothing here is a store's business."""
    return "SQLite"


@pytest.fixture
def kept(clients: Clients, spool: Path) -> Kept:
    """What is kept of what a run is shown."""

    def keep(show: Callable[[Run], object]) -> dict[str, bytes]:
        client: FileClient = clients.developer
        run = begun(client, spool, mode="offline")
        show(run)
        run.finish()
        assert sync(spool, client, url=None, workspace="default").shipped == [run.id]
        found = told(client, run.id)["artifacts"]
        return {path: b"".join(client.download(digest)) for path, digest in found.items()}

    return keep


def pixels(content: bytes) -> Any:
    return np.asarray(Pillow.open(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (PIXELS, PIXELS),
        (PIXELS.tolist(), PIXELS),
        (PIXELS / 255, PIXELS),
        (PIXELS[:, :, 0], PIXELS[:, :, 0]),
        (PIXELS[:, :, :1], PIXELS[:, :, 0]),
        (np.dstack([PIXELS, PIXELS[:, :, 0]]), np.dstack([PIXELS, PIXELS[:, :, 0]])),
        (Pillow.fromarray(PIXELS), PIXELS),
        (Image(PIXELS, caption="four"), PIXELS),
        (np.array([[np.nan, -3.0, 2.0]]), np.array([[0, 0, 255]])),
    ],
    ids=["array", "lists", "floats", "grey", "one band", "alpha", "PIL", "Image", "beyond"],
)
def test_a_picture_is_the_pixels_that_were_given(kept: Kept, given: Any, wanted: Any) -> None:
    found = kept(lambda run: run.log_image(given, "pixels.png"))

    assert np.array_equal(pixels(found["pixels.png"]), wanted)


def test_a_picture_may_be_a_file_or_the_bytes_of_one(kept: Kept, tmp_path: Path) -> None:
    place = tmp_path / "photo.jpg"
    Pillow.fromarray(PIXELS).save(place)

    def show(run: Run) -> None:
        run.log_image(place, "photo.png")
        run.log_image(place.read_bytes(), "bytes.jpg")

    found = kept(show)
    assert found == {"photo.jpg": place.read_bytes(), "bytes.jpg": place.read_bytes()}


def test_figures_draw_themselves(kept: Kept) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3])

    def show(run: Run) -> None:
        run.log_figure(figure, "curves/roc.png", step=12)
        run.log_figure(axes, "axes.svg")
        run.log({"drawn": figure}, step=3)

    found = kept(show)
    plt.close(figure)
    assert set(found) == {"curves/roc-000012.png", "axes.svg", "figures/drawn-000003.png"}
    assert pixels(found["curves/roc-000012.png"]).shape[2] == 4
    assert found["axes.svg"].lstrip().startswith(b"<?xml")


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        pd.DataFrame(ROWS),
        pl.DataFrame(ROWS),
        [{"carrier": "UA", "late": 0.25}, {"carrier": "AA", "late": 0.5}],
        Table(columns=["carrier", "late"], data=[["UA", 0.25], ["AA", 0.5]]),
        Table(dataframe=pd.DataFrame(ROWS)),
    ],
    ids=["columns", "pandas", "polars", "mappings", "Table", "Table of a frame"],
)
def test_a_table_of_any_kind_is_the_same_rows(kept: Kept, rows: Any) -> None:
    def show(run: Run) -> None:
        run.log_table(rows, "late.json")
        run.log_table(rows, "late.csv")

    found = kept(show)
    data = [["UA", 0.25], ["AA", 0.5]]
    assert json.loads(found["late.json"]) == {"columns": ["carrier", "late"], "data": data}
    lines = list(csv.reader(io.StringIO(found["late.csv"].decode())))
    assert lines == [["carrier", "late"], ["UA", "0.25"], ["AA", "0.5"]]


def test_a_table_grows_by_rows_that_fit() -> None:
    table = Table(columns=["a", "b"])

    table.add_data(1, 2)

    assert table.rows == [[1, 2]]
    with pytest.raises(Invalid, match="has 2 columns, found 1"):
        table.add_data(1)


def test_pictures_and_tables_may_be_logged_among_metrics(kept: Kept) -> None:
    found = kept(
        lambda run: run.log(
            {"loss": 0.5, "sample": Image(PIXELS), "errors": Table(["a"], [[1]])}, step=2
        )
    )

    assert set(found) == {"images/sample-000002.png", "tables/errors-000002.json"}


def test_a_folder_is_kept_file_by_file(kept: Kept, tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")

    def show(run: Run) -> None:
        run.log_artifact(folder)
        run.log_artifact(folder, "under")
        run.log_artifact(folder, name="renamed")
        run.log_artifact(folder / "a.txt", name="deep/er/c.txt")

    assert kept(show) == {
        "plots/a.txt": b"a", "plots/deep/b.txt": b"b",
        "under/plots/a.txt": b"a", "under/plots/deep/b.txt": b"b",
        "renamed/a.txt": b"a", "renamed/deep/b.txt": b"b",
        "deep/er/c.txt": b"a",
    }  # fmt: skip


def test_what_cannot_be_kept_is_said(
    kept: Kept, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def show(run: Run) -> None:
        assert run.log_artifact(tmp_path / "nothing.txt") == []
        run.log_figure(3, "three.png")
        run.log_image("nothing.png", "nothing.png")
        run.log_image([[[1, 2, 3, 4, 5]]], "bands.png")
        run.log_text("outside", "../outside.txt")
        run.log_table([1, 2], "numbers.json")

    assert kept(show) == {}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 6
    assert any("a int cannot draw itself" in one for one in said)
    assert any("'../outside.txt' is no path of an artifact" in one for one in said)
