"""The stored files of runs and trained models, and loose ones, under their paths."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.tracking.artifact_contract import Artifact
from mainspring.tracking.contract import FileEntry
from mainspring.tracking.tables import artifact_table

_AFTER_SLASH = "0"  # the character after "/": all that is in a folder sorts before it


def place_of_run(run: str) -> str:
    """Where a run's files are."""
    return f"runs/{run}"


def place_of_model(trained_model: str) -> str:
    """Where a trained model's files are."""
    return f"models/{trained_model}"


class ArtifactStore:
    """Files of one workspace, by place and path."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def artifacts(self, place: str) -> list[FileEntry]:
        """All files of a place, by path."""
        rows = self._connection.execute(
            select(artifact_table).where(self._in(place)).order_by(artifact_table.c.path)
        )
        return [_entry(row) for row in rows]

    def find(self, place: str, path: str) -> FileEntry | None:
        """The file at the path, if there is one."""
        row = self._connection.execute(
            select(artifact_table).where(self._in(place), artifact_table.c.path == path)
        ).one_or_none()
        return None if row is None else _entry(row)

    def add(self, place: str, files: Sequence[FileEntry], now: dt.datetime) -> None:
        """New files of a place."""
        if files:
            self._connection.execute(
                insert(artifact_table), [self._row(place, file, now) for file in files]
            )

    def put(self, place: str, file: FileEntry, now: dt.datetime) -> None:
        """A file of a place, instead of what is there."""
        row = self._row(place, file, now)
        self._connection.execute(
            upsert(artifact_table)
            .values(row)
            .on_conflict_do_update(
                index_elements=["workspace_id", "place", "path"],
                set_={name: row[name] for name in ("digest", "size", "recorded_at")},
            )
        )

    def frozen(self, place: str, path: str) -> str | None:
        """A file at the path or below it that a version was made of, if there is one."""
        table = artifact_table
        condition = self._in(place) & table.c.frozen
        if path:
            condition &= or_(table.c.path == path, _below(path))
        return self._connection.execute(
            select(table.c.path).where(condition).limit(1)
        ).scalar_one_or_none()

    def in_the_way(self, place: str, path: str) -> str | None:
        """A file where the path needs a folder, or the path if it is a folder itself."""
        parts = path.split("/")
        folders = ["/".join(parts[:count]) for count in range(1, len(parts))]
        table = artifact_table
        for condition in (table.c.path.in_(folders), _below(path)):
            found = self._connection.execute(
                select(table.c.path).where(self._in(place), condition).limit(1)
            ).scalar_one_or_none()
            if found is not None:
                return found if found in folders else path
        return None

    def folder(
        self, place: str, folder: str, after: str | None, limit: int
    ) -> tuple[list[Artifact], str | None]:
        """A page of what is in a folder, and where the next begins; folders are passed in one step."""
        prefix = f"{folder}/" if folder else ""
        start = prefix if after is None else _past(after)
        found: list[Artifact] = []
        while True:
            rows = self._between(place, folder, start, limit + 1)
            for row in rows:
                if row.path < start:  # below a folder that is told of already
                    continue
                if len(found) == limit:
                    return found, found[-1].path + ("/" if found[-1].folder else "")
                name, slash, _ = row.path[len(prefix) :].partition("/")
                found.append(
                    Artifact(path=prefix + name, folder=True, size=None, digest=None)
                    if slash
                    else Artifact(path=row.path, folder=False, size=row.size, digest=row.digest)
                )
                start = _past(prefix + name + slash)
            if len(rows) <= limit:
                return found, None

    def remove(self, place: str, path: str) -> int:
        """Remove a file, a folder, or with the empty path everything; answers how many files."""
        condition = self._in(place)
        if path:
            condition &= or_(artifact_table.c.path == path, _below(path))
        return self._connection.execute(delete(artifact_table).where(condition)).rowcount

    def _between(self, place: str, folder: str, start: str, limit: int) -> Sequence[Row[Any]]:
        table = artifact_table
        query = select(table).where(self._in(place), table.c.path >= start)
        if folder:
            query = query.where(_below(folder))
        return self._connection.execute(query.order_by(table.c.path).limit(limit)).all()

    def _in(self, place: str) -> ColumnElement[bool]:
        return (artifact_table.c.workspace_id == self._workspace_id) & (
            artifact_table.c.place == place
        )

    def _row(self, place: str, file: FileEntry, now: dt.datetime) -> dict[str, Any]:
        return {
            "workspace_id": self._workspace_id,
            "place": place,
            "path": file.path,
            "digest": file.digest,
            "size": file.size,
            "recorded_at": now,
        }


def _below(folder: str) -> ColumnElement[bool]:
    path = artifact_table.c.path
    return (path >= f"{folder}/") & (path < f"{folder}{_AFTER_SLASH}")


def _past(path: str) -> str:
    """The first text after a file's path, or after all that is in a folder if it ends in a slash."""
    return path[:-1] + _AFTER_SLASH if path.endswith("/") else path + "\x01"


def _entry(row: Any) -> FileEntry:
    return FileEntry(path=row.path, digest=row.digest, size=row.size)
