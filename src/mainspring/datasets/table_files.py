"""Files and folders that hold a table: Parquet, Arrow, CSV, JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from mainspring.core.errors import Invalid
from mainspring.datasets.addresses import address_of
from mainspring.datasets.blocks import BLOCK
from mainspring.datasets.csv_files import from_csv, unreadable
from mainspring.datasets.digest import types_of
from mainspring.datasets.json_files import from_json_lines
from mainspring.datasets.rows import Batches, Rows

KINDS = {
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "arrow", ".feather": "arrow",
    ".ipc": "arrow", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
"""What a file holds, by the end of its name."""
PACKED = (".gz", ".bz2", ".zst")
_AS_TEXT = frozenset({"csv", "tsv", "jsonl"})


def kind_of(path: Path) -> str | None:
    """The kind of table in a file, by its name; None if it holds none."""
    name = path.name.lower()
    packed = next((end for end in PACKED if name.endswith(end)), "")
    kind = KINDS.get(Path(name.removesuffix(packed)).suffix)
    return kind if kind in _AS_TEXT or not packed else None


def tables_in(folder: Path) -> list[Path]:
    """The files of a folder that are one table, in the order of their names; else none."""
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not _is_hidden(path.relative_to(folder))
    ]
    kinds = {kind_of(path) for path in files}
    if len(kinds) != 1 or None in kinds:
        return []
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix().encode())


def _is_hidden(path: Path) -> bool:
    """Notes of those who write tables: `_SUCCESS`, `.part-0.crc`."""
    return any(part.startswith((".", "_")) and "=" not in part for part in path.parts)


def from_files(paths: Sequence[Path], place: Path) -> Rows:
    """The rows of files of one kind; the place is the folder, or the one file."""
    kind = kind_of(paths[0])
    if kind in ("csv", "tsv"):
        found = from_csv(paths, kind)
    elif kind == "jsonl":
        found = from_json_lines(paths)
    else:
        found = _from_columns(paths, "parquet" if kind == "parquet" else "arrow", place)
    return Rows(found.schema, found.batches, found.kind, address_of(place))


def _from_columns(paths: Sequence[Path], kind: str, place: Path) -> Rows:
    read = _parquet if kind == "parquet" else _arrow
    folders = [_partition(path, place) for path in paths]
    types = _partition_types(folders)
    own = _schema(paths[0], kind)
    schema = pa.schema([*own, *(pa.field(name, of) for name, of in types.items())])

    def batches() -> Batches:
        for path, folder in zip(paths, folders, strict=True):
            try:
                for batch in read(path):
                    arrays = _conformed(batch, own, path).columns
                    same = [_repeated(folder, name, of, len(batch)) for name, of in types.items()]
                    yield pa.RecordBatch.from_arrays([*arrays, *same], schema=schema)
            except (pa.ArrowException, OSError) as error:
                raise unreadable(path, error) from None

    return Rows(schema, batches, kind)


def _schema(path: Path, kind: str) -> pa.Schema:
    try:
        if kind == "parquet":
            return pq.read_schema(path).remove_metadata()
        with pa.memory_map(str(path)) as file:
            return _reader(file).schema.remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from None


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(BLOCK)


def _arrow(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as file:
        reader = _reader(file)
        if isinstance(reader, pa.ipc.RecordBatchFileReader):
            yield from (reader.get_batch(at) for at in range(reader.num_record_batches))
        else:
            yield from reader


def _reader(file: pa.NativeFile) -> pa.ipc.RecordBatchFileReader | pa.ipc.RecordBatchStreamReader:
    try:
        return pa.ipc.open_file(file)
    except pa.ArrowInvalid:
        file.seek(0)
        return pa.ipc.open_stream(file)


def _conformed(batch: pa.RecordBatch, schema: pa.Schema, path: Path) -> pa.RecordBatch:
    """The batch in the storage of the first file; the files must hold the same columns."""
    if batch.schema.equals(schema):
        return batch
    if sorted(batch.schema.names) != sorted(schema.names):
        differ = sorted(set(batch.schema.names) ^ set(schema.names))
        raise Invalid(
            f"{path} differs from the other files in the columns {', '.join(differ)}", field="path"
        )
    if batch.schema.names != schema.names:
        batch = batch.select(schema.names)
    for name, here, wanted in zip(
        schema.names, types_of(batch.schema), types_of(schema), strict=True
    ):
        if here != wanted:
            raise Invalid(
                f"column {name!r} of {path} is of type {here}, and {wanted} in the other files",
                field=name,
            )
    return batch.cast(schema)


def _partition(path: Path, place: Path) -> dict[str, str]:
    """What the folders above a file say of all its rows: `year=2013`."""
    if path == place:
        return {}
    parts = (part.partition("=") for part in path.relative_to(place).parts[:-1])
    return {unquote(name): unquote(value) for name, equals, value in parts if equals}


def _partition_types(folders: Sequence[dict[str, str]]) -> dict[str, pa.DataType]:
    names = dict.fromkeys(name for folder in folders for name in folder)
    for name in names:
        if any(name not in folder for folder in folders):
            raise Invalid(f"only some of the files lie in a folder {name}=...", field="path")
    return {name: _partition_type([folder[name] for folder in folders]) for name in names}


def _partition_type(values: list[str]) -> pa.DataType:
    known = [value for value in values if value != _NONE]
    whole = all(value.removeprefix("-").isdecimal() and value.isascii() for value in known)
    return pa.int32() if whole and all(abs(int(v)) < 2**31 for v in known) else pa.string()


_NONE = "__HIVE_DEFAULT_PARTITION__"


def _repeated(folder: dict[str, str], name: str, kind: pa.DataType, rows: int) -> pa.Array:
    text = None if folder[name] == _NONE else folder[name]
    value = int(text) if text is not None and pa.types.is_integer(kind) else text
    return pa.repeat(pa.scalar(value, kind), rows)
