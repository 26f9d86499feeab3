"""The same data has the same digest, whatever it is given as; what cannot be read is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pytest
import sqlalchemy
from scipy import sparse

from mainspring.core.errors import Invalid, MainspringError
from mainspring.datasets.addresses import redacted_address
from mainspring.datasets.joining import with_target
from mainspring.datasets.reading import describe
from mainspring.datasets.table import as_table
from tests.datasets.given import COLUMNS, ROWS, TABLE, WANTED, digest, frame

NUMBERS = np.random.default_rng(7).random((70_000, 3))


@pytest.mark.parametrize(
    "make",
    [
        frame,
        lambda: frame().astype({"t": object}),
        lambda: frame().astype({"t": "category"}),
        lambda: frame().convert_dtypes().astype({"f": "Float64"}),
        lambda: frame().set_index(pd.Index([9, 8, 7])),
        lambda: pd.DataFrame(COLUMNS, dtype=None).astype({"t": pd.ArrowDtype(pa.string())}),
        lambda: pl.DataFrame(COLUMNS),
        lambda: pl.DataFrame(COLUMNS).with_columns(pl.col("t").cast(pl.Categorical)),
        lambda: pl.DataFrame(COLUMNS).lazy(),
        lambda: COLUMNS,
        lambda: {name: np.array(values, object) for name, values in COLUMNS.items()},
        lambda: {name: pl.Series(values) for name, values in COLUMNS.items()},
        lambda: ROWS,
        lambda: TABLE.to_reader(1),
        lambda: TABLE.combine_chunks().to_batches()[0],
        lambda: pa.dataset.dataset(TABLE),
        lambda: pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1)]),
    ],
)  # fmt: skip
def test_libraries_give_one_digest(make: Callable[[], Any]) -> None:
    assert digest(make()) == WANTED


@pytest.mark.parametrize(
    "make",
    [
        lambda: pd.DataFrame(NUMBERS),
        lambda: np.asfortranarray(NUMBERS),
        lambda: NUMBERS.astype(">f8"),
        lambda: np.concatenate([NUMBERS, NUMBERS], axis=1)[:, :3],
        lambda: pl.DataFrame(NUMBERS, schema=["0", "1", "2"]),
        lambda: {0: NUMBERS[:, 0], 1: NUMBERS[:, 1], 2: NUMBERS[:, 2]},
        NUMBERS.tolist,
    ],
)
def test_matrices_give_the_digest_of_their_columns(make: Callable[[], Any]) -> None:
    assert digest(make()) == digest(NUMBERS)


@pytest.mark.parametrize(
    "make",
    [pd.Series, pl.Series, pa.array, list, lambda values: values.reshape(-1, 1)],
)
def test_one_column_without_a_name_is_called_0(make: Callable[[Any], Any]) -> None:
    values = NUMBERS[:, 0]

    assert digest(make(values)) == digest(values) == digest({"0": values})


def test_arrays_with_more_axes_are_lists() -> None:
    images = np.arange(24, dtype=np.float32).reshape(4, 2, 3)

    assert digest(images) == digest(
        {"0": pa.array(images.tolist(), pa.list_(pa.list_(pa.float32())))}
    )


def test_fields_and_masks_of_arrays_are_columns_and_missing_values() -> None:
    fields = np.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])
    masked = np.ma.MaskedArray([1, 2], [False, True])

    assert digest(fields) == digest(pa.table({"a": pa.array([1], pa.int32()), "b": [2.5]}))
    assert digest(masked) == digest({"0": [1, None]})


def test_moments_of_any_unit_are_one() -> None:
    times = pd.DataFrame(
        {
            "at": pd.to_datetime(["2020-01-01 00:00:00.5", None]).tz_localize("UTC"),
            "took": pd.to_timedelta([1500, None], unit="ms"),
        }
    )
    coarse = pa.table(
        {
            "at": pa.array([1577836800500, None], pa.timestamp("ms", "Etc/UTC")),
            "took": pa.array([1500, None], pa.duration("ms")),
        }
    )
    days = np.array(["2020-01-01", "NaT"], "M8[D]")

    assert digest(times) == digest(pl.from_pandas(times)) == digest(coarse)
    assert digest(days) == digest({"0": pa.array([18262, None], pa.date32())})


def test_a_query_has_the_digest_of_its_answer(tmp_path: Path) -> None:
    table = frame().drop(columns="b")
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/data.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table d (i integer, f real, t text)")
        for row in ROWS:
            connection.exec_driver_sql(
                "insert into d values (?, ?, ?)", (row["i"], row["f"], row["t"])
            )
    query = "select *  from d"

    with engine.connect() as connection, sqlite3.connect(tmp_path / "data.db") as driver:
        ways = [engine, connection, driver, driver.cursor()]
        found = [digest(way, query=query) for way in ways]
        found.append(digest(engine, query=sqlalchemy.text(query)))
        source = describe(engine, query=query).source
    driver.close()
    engine.dispose()

    assert set(found) == {digest(table)}
    assert source == f"sqlite:///{tmp_path}/data.db select * from d"


def test_types_of_a_query_are_found_in_all_rows() -> None:
    driver = sqlite3.connect(":memory:")
    driver.execute("create table d (a, b)")
    driver.executemany("insert into d values (?, ?)", [(None, 1)] * 65_536 + [("x", 0.5)])

    found = describe(driver, query="select * from d")
    driver.close()

    assert [column["type"] for column in found.columns] == ["text", "float64"]
    assert found.rows == 65_537


def test_sparse_matrices_of_any_form_are_one() -> None:
    rows, columns, values = [0, 0, 2, 2], [1, 1, 0, 3], [1.0, 2.0, 5.0, 0.0]
    matrix = sparse.coo_matrix((values, (rows, columns)), shape=(3, 4))
    wider = sparse.coo_matrix((values, (rows, columns)), shape=(3, 5))

    found = {digest(matrix), digest(matrix.tocsr()), digest(matrix.tocsc()), digest(matrix.todok())}

    assert len(found) == 1
    assert digest(wider) not in found
    assert digest(matrix.toarray()) not in found
    assert describe(matrix).rows == 3
    with pytest.raises(Invalid, match="have an order"):
        describe(matrix, ordered=False)


def test_features_and_target_are_one_dataset() -> None:
    target = np.arange(70_000)
    named = pd.Series(target, name="late")
    together = {"0": NUMBERS[:, 0], "1": NUMBERS[:, 1], "2": NUMBERS[:, 2], "label": target}

    assert digest(with_target(NUMBERS, target)) == digest(together)
    assert with_target(NUMBERS, named).schema.names == ["0", "1", "2", "late"]
    assert with_target(frame(), frame()["b"]).schema.names == ["i", "f", "t", "b", "label"]
    assert digest(with_target(NUMBERS)) == digest(NUMBERS)
    with pytest.raises(Invalid, match="70000 rows of features and 5 of the target"):
        describe(with_target(NUMBERS, target[:5]))


def test_the_target_of_a_sparse_matrix_counts() -> None:
    matrix = sparse.eye(3, format="csr")
    found = [with_target(matrix, target) for target in (["a", "b", "c"], ["a", "b", "d"])]

    assert len({digest(matrix), *map(digest, found)}) == 3


def test_rows_can_be_kept_on_the_way(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    reader = pl.DataFrame(COLUMNS).with_columns(pl.col("t").cast(pl.Categorical))

    found = describe(pa.RecordBatchReader.from_stream(reader), keep=path)

    assert digest(path) == found.digest == WANTED
    assert found.table is None
    assert describe(reader).table is not None
    assert digest(as_table(reader)) == WANTED


def test_rows_without_columns_are_counted() -> None:
    found = describe(pd.DataFrame(index=range(5)))

    assert (found.rows, found.columns) == (5, [])


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (5, "a dataset cannot be made of a int; wanted a data frame"),
        (np.float64(1), "a single value is no dataset"),
        ({"a": [1, "x"]}, "column 'a' cannot be read: .*'x'"),
        (pd.DataFrame({"ok": [1], "a": [object()]}), "column 'a' cannot be read"),
        (pl.DataFrame({"a": [object()]}), "column 'a' cannot be read: it holds Python objects"),
        ({"a": np.array([1j])}, "column 'a' cannot be read"),
        ({"a": [1], "b": [1, 2]}, "column 'b' has 2 rows and 'a' has 1"),
        ({"a": "text"}, "column 'a' is a str; wanted a list"),
        ([[1, 2], [3]], "different lengths"),
        ("https://me:secret@host/x.csv?sig=secret", r"https://me:\*\*\*@host/x.csv\?sig=\*\*\* is"),
        (sqlite3.connect, "a dataset cannot be made"),
    ],
)
def test_what_cannot_be_read_is_named(thing: Any, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        describe(thing)


def test_a_query_needs_a_database_and_a_database_a_query() -> None:
    driver = sqlite3.connect(":memory:")
    try:
        with pytest.raises(MainspringError, match="takes no query"):
            describe(COLUMNS, query="select 1")
        with pytest.raises(MainspringError) as alone:
            describe(driver)
    finally:
        driver.close()

    assert alone.value.fix == "give the query as well: query='select ...'"


def test_decimals_are_the_same_at_any_width() -> None:
    values = [Decimal("1.25"), None, Decimal("-3.50")]
    narrow = pa.array(values, pa.decimal128(5, 2))

    assert digest({"a": narrow}) == digest({"a": pa.array(values, pa.decimal256(40, 2))})
    assert digest({"a": narrow}) == digest(pl.DataFrame({"a": pl.Series(values)}))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("s3://bucket/key", "s3://bucket/key"),
        ("/home/me/data?token=1", "/home/me/data?token=1"),
        ("postgresql://me:pw@host/db", "postgresql://me:***@host/db"),
        ("https://ghp_abc@host/x", "https://***@host/x"),
        ("https://h/x?a=1&X-Amz-Signature=2&api_key=3", "https://h/x?a=1&X-Amz-Signature=***&api_key=***"),
        ("https://h/x?monkey=1", "https://h/x?monkey=1"),
    ],
)  # fmt: skip
def test_addresses_lose_their_secrets(address: str, shown: str) -> None:
    assert redacted_address(address) == shown
