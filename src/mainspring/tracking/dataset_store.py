"""The rows of datasets and of their use by runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from mainspring.tracking.contract import RunDataset
from mainspring.tracking.dataset_comparison import ALGORITHM, Named
from mainspring.tracking.dataset_contract import (
    Dataset,
    DatasetModel,
    DatasetUse,
    ListDatasets,
    UsedDataset,
)
from mainspring.tracking.tables import (
    dataset_table,
    experiment_table,
    run_dataset_table,
    run_table,
    trained_model_table,
)


class items_in(FunctionElement[int]):  # noqa: N801
    """How many items a list has that is stored as JSON."""

    inherit_cache = True


@compiles(items_in)
def _items_in(element: FunctionElement[int], compiler: Any, **given: Any) -> str:
    return f"json_array_length(CAST({compiler.process(element.clauses, **given)} AS json))"


@compiles(items_in, "sqlite")
def _items_in_sqlite(element: FunctionElement[int], compiler: Any, **given: Any) -> str:
    return f"json_array_length({compiler.process(element.clauses, **given)})"


_D, _L = dataset_table.c, run_dataset_table.c


class DatasetStore:
    """Dataset versions of one workspace."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def put_dataset(self, row: Mapping[str, Any]) -> int:
        """The key of the dataset version, stored once."""
        table = dataset_table
        known = self._connection.execute(
            select(table.c.id).where(
                table.c.workspace_id == self._workspace_id,
                table.c.digest == row["digest"],
                table.c.name == row["name"],
                table.c.scope == row.get("scope", ""),
            )
        ).scalar_one_or_none()
        if known is not None:
            return int(known)
        made = self._connection.execute(
            insert(table).values(**row, workspace_id=self._workspace_id)
        ).inserted_primary_key
        assert made is not None
        return int(made[0])

    def link_dataset(self, run: int, dataset: int, role: str, **said: Any) -> bool:
        """Link a dataset to a run, with its split or tags; answers whether the link is new."""
        table = run_dataset_table
        same = (table.c.run_id == run) & (table.c.dataset_id == dataset) & (table.c.role == role)
        if self._connection.execute(select(table.c.run_id).where(same)).first():
            return False
        values = {"run_id": run, "dataset_id": dataset, "role": role, "tags": {}, **said}
        self._connection.execute(insert(table).values(values))
        return True

    def datasets(self, run: int) -> list[RunDataset]:
        """What the run used."""
        return self.datasets_of([run])[run]

    def datasets_of(self, runs: Sequence[int]) -> dict[int, list[RunDataset]]:
        """What each of the runs used."""
        found: dict[int, list[RunDataset]] = {run: [] for run in runs}
        rows = self._connection.execute(
            select(
                dataset_table,
                run_dataset_table.c.run_id,
                run_dataset_table.c.role,
                run_dataset_table.c.tags,
                run_dataset_table.c.split,
            )
            .join(run_dataset_table, run_dataset_table.c.dataset_id == dataset_table.c.id)
            .where(run_dataset_table.c.run_id.in_(found))
            .order_by(run_dataset_table.c.run_id, dataset_table.c.id, run_dataset_table.c.role)
        ).mappings()
        names = RunDataset.__struct_fields__
        for row in rows:
            found[row["run_id"]].append(RunDataset(**{name: row[name] for name in names}))
        return found

    def used(self, experiments: Sequence[str], limit: int) -> list[UsedDataset]:
        """What the runs of the experiments used, each dataset once for a role."""
        columns = (
            experiment_table.c.public_id.label("experiment"),
            dataset_table.c.name,
            dataset_table.c.digest,
            run_dataset_table.c.role,
        )
        rows = self._connection.execute(
            select(*columns)
            .distinct()
            .select_from(run_dataset_table)
            .join(dataset_table, dataset_table.c.id == run_dataset_table.c.dataset_id)
            .join(run_table, run_table.c.id == run_dataset_table.c.run_id)
            .join(experiment_table, experiment_table.c.id == run_table.c.experiment_id)
            .where(
                experiment_table.c.workspace_id == self._workspace_id,
                experiment_table.c.public_id.in_(experiments),
                run_table.c.deleted_at.is_(None),
            )
            .order_by(*columns)
            .limit(limit)
        ).mappings()
        return [UsedDataset(**row) for row in rows]

    def list_datasets(self, request: ListDatasets) -> tuple[list[Dataset], str | None]:
        """A page of dataset versions, newest first, and the token of the next."""
        runs = (
            select(func.count(func.distinct(_L.run_id)))
            .where(_L.dataset_id == _D.id)
            .scalar_subquery()
        )
        told = (_D.id, _D.name, _D.digest, _D.rows, _D.source_type, _D.source, _D.recorded_at)
        query = (
            select(*told, items_in(_D.columns).label("columns"), runs.label("runs"))
            .where(_D.workspace_id == self._workspace_id)
            .order_by(_D.id.desc())
            .limit(request.limit + 1)
        )
        if request.name is not None:
            query = query.where(_D.name == request.name)
        if request.after is not None:
            query = query.where(_D.id < int(request.after))
        rows = list(self._connection.execute(query).mappings())
        shown = rows[: request.limit]
        words = self._words([row["id"] for row in shown])
        names = set(Dataset.__struct_fields__)
        found = [dict(row) | words.get(row["id"], {"splits": [], "roles": []}) for row in shown]
        items = [Dataset(**{name: row[name] for name in names}) for row in found]
        return items, str(shown[-1]["id"]) if len(rows) > len(shown) else None

    def _words(self, keys: Sequence[int]) -> dict[int, dict[str, list[str]]]:
        """The splits and roles in which runs used the datasets."""
        found: dict[int, dict[str, list[str]]] = {}
        query = select(_L.dataset_id, _L.split, _L.role).distinct().where(_L.dataset_id.in_(keys))
        for key, split, role in self._connection.execute(query):
            words = found.setdefault(key, {"splits": [], "roles": []})
            for name, word in (("splits", split), ("roles", role)):
                if word and word not in words[name]:
                    words[name] = sorted([*words[name], word])
        return found

    def named(self, wanted: Named, limit: int) -> list[Row[Any]]:
        """The versions that are meant, newest first."""
        query = select(dataset_table).where(_D.workspace_id == self._workspace_id)
        if wanted.name is not None:
            query = query.where(_D.name == wanted.name)
        if wanted.digest is not None:
            query = query.where(_begins(wanted.digest))
        return list(self._connection.execute(query.order_by(_D.id.desc()).limit(limit)))

    def same(self, digest: str) -> list[Row[Any]]:
        """All that is said of the same data, the oldest word first."""
        query = select(_D.id, _D.name).where(
            _D.workspace_id == self._workspace_id, _D.digest == digest
        )
        return list(self._connection.execute(query.order_by(_D.id)))

    def words_of(self, keys: Sequence[int]) -> tuple[list[str], list[str]]:
        """The splits and the roles in which runs used any of the datasets."""
        found = self._words(keys).values()
        splits = {split for words in found for split in words["splits"]}
        return sorted(splits), sorted({role for words in found for role in words["roles"]})

    def count_runs(self, keys: Sequence[int]) -> int:
        """How many runs used any of the datasets; deleted ones do not count."""
        query = (
            select(func.count(func.distinct(_L.run_id)))
            .join(run_table, run_table.c.id == _L.run_id)
            .where(_L.dataset_id.in_(keys), run_table.c.deleted_at.is_(None))
        )
        return int(self._connection.execute(query).scalar_one())

    def uses(self, keys: Sequence[int], limit: int) -> list[DatasetUse]:
        """The runs that used any of the datasets, newest first."""
        run = run_table.c
        query = (
            select(
                run.public_id.label("run"), run.name.label("run_name"), run.status, run.author,
                run.opened_at, experiment_table.c.name.label("experiment"), _D.name, _L.role,
                _L.split,
            )
            .select_from(run_dataset_table)
            .join(dataset_table, _D.id == _L.dataset_id)
            .join(run_table, run.id == _L.run_id)
            .join(experiment_table, experiment_table.c.id == run.experiment_id)
            .where(_L.dataset_id.in_(keys), run.deleted_at.is_(None))
            .order_by(run.id.desc(), _D.id, _L.role)
            .limit(limit)
        )  # fmt: skip
        return [DatasetUse(**row) for row in self._connection.execute(query).mappings()]

    def models(self, keys: Sequence[int], limit: int) -> list[DatasetModel]:
        """The models that runs trained which used any of the datasets, newest first."""
        model = trained_model_table.c
        runs = select(_L.run_id).where(_L.dataset_id.in_(keys))
        query = (
            select(
                model.public_id.label("id"), model.name, run_table.c.public_id.label("run"),
                model.engine, model.digest, model.recorded_at,
            )
            .join(run_table, run_table.c.id == model.run_id)
            .where(
                model.run_id.in_(runs), model.deleted_at.is_(None),
                run_table.c.deleted_at.is_(None),
            )
            .order_by(model.id.desc())
            .limit(limit)
        )  # fmt: skip
        return [DatasetModel(**row) for row in self._connection.execute(query).mappings()]


def _begins(digest: str) -> ColumnElement[bool]:
    """Whether a digest begins so; those of other tools' clients may be written in any way."""
    exact = or_(_D.digest == digest, _D.digest == ALGORITHM + digest)
    if len(digest) < 8 or not digest.isascii() or not digest.isalnum():
        return exact
    return or_(exact, _D.digest.like(f"{ALGORITHM}{digest}%"), _D.digest.like(f"{digest}%"))
