"""Files that nothing names are forgotten in one transaction, and their bytes go after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.administration.tables import file_table
from mainspring.core.event_log import workspace_table
from mainspring.governance.reference_store import parts
from mainspring.governance.tables import condemned_table
from mainspring.tracking.tables import artifact_table

_F, _A = file_table.c, artifact_table.c


class StoredFile(NamedTuple):
    """A file of a workspace."""

    key: int
    digest: str
    size: int
    put_at: dt.datetime


_FILE = select(_F.id, _F.digest, _F.size, _F.recorded_at)


class FileStore:
    """The files of one workspace, and the bytes that all workspaces share."""

    def __init__(self, connection: Connection, workspace_id: int) -> None:
        self._connection = connection
        self._workspace_id = workspace_id

    def drop_places(self, places: Sequence[str]) -> list[tuple[str, dt.datetime | None]]:
        """Forget all paths of the places; answers their files, and since when each was there."""
        had: list[tuple[str, dt.datetime | None]] = []
        for part in parts(places):
            here = (_A.workspace_id == self._workspace_id) & _A.place.in_(part)
            rows = self._connection.execute(select(_A.digest, _A.recorded_at).where(here))
            had += [(digest, since) for digest, since in rows]
            self._connection.execute(delete(artifact_table).where(here))
        return had

    def stale_uploads(self, before: dt.datetime) -> Sequence[str]:
        """The places of uploads in parts of which nothing was heard since the moment."""
        query = (
            select(_A.place)
            .where(
                _A.workspace_id == self._workspace_id,
                _A.place >= "uploads/",
                _A.place < "uploads0",  # the character after the slash
            )
            .group_by(_A.place)
            .having(func.max(_A.recorded_at) <= before)
        )
        return self._connection.scalars(query).all()

    def named(self, digests: Collection[str]) -> list[StoredFile]:
        """Those of the files that this workspace has."""
        query = _FILE.where(_F.workspace_id == self._workspace_id)
        return [
            StoredFile(*row)
            for part in parts(sorted(digests))
            for row in self._connection.execute(query.where(_F.digest.in_(part)))
        ]

    def loose(
        self, after: int, window: int, before: dt.datetime
    ) -> tuple[list[StoredFile], int | None]:
        """Files that came before the moment and have no path, and the key to go on after.

        A window of keys at a time: so a look takes as long wherever there is nothing to find.
        """
        mine = _F.workspace_id == self._workspace_id
        first = self._connection.execute(
            select(func.min(_F.id)).where(mine, _F.id > after)
        ).scalar_one()
        if first is None:
            return [], None
        linked = select(_A.path).where(_A.workspace_id == _F.workspace_id, _A.digest == _F.digest)
        rows = self._connection.execute(
            _FILE.where(
                mine,
                _F.id.between(first, first + window),
                _F.recorded_at <= before,
                ~linked.exists(),
            )
        )
        return [StoredFile(*row) for row in rows], first + window

    def condemn(self, files: Sequence[StoredFile]) -> None:
        """Forget files here; a later transaction deletes the bytes that nobody has then."""
        for part in parts(files):
            keys = [file.key for file in part]
            self._connection.execute(delete(file_table).where(_F.id.in_(keys)))
            put = upsert(condemned_table)
            later = func.max if self._connection.dialect.name == "sqlite" else func.greatest
            self._connection.execute(
                put.on_conflict_do_update(
                    index_elements=["digest"],
                    set_={"put_by": later(condemned_table.c.put_by, put.excluded.put_by)},
                ),
                [{"digest": one.digest, "size": one.size, "put_by": one.put_at} for one in part],
            )

    def condemned(self, limit: int) -> Sequence[Row[Any]]:
        """Files whose bytes are to go."""
        return self._connection.execute(select(condemned_table).limit(limit)).all()

    def settle(self, digests: Collection[str]) -> None:
        """Note that the bytes are gone, or that they stay."""
        for part in parts(sorted(digests)):
            same = condemned_table.c.digest.in_(part)
            self._connection.execute(delete(condemned_table).where(same))

    def condemned_before(self) -> set[str]:
        """All that earlier transactions condemned."""
        return set(self._connection.scalars(select(condemned_table.c.digest)))

    def owned(self, digests: Collection[str]) -> set[str]:
        """Those of the files that any workspace has."""
        # By workspace: that is how the index begins.
        workspaces = self._connection.scalars(select(workspace_table.c.id)).all()
        query = select(_F.digest).where(_F.workspace_id.in_(workspaces))
        return {
            digest
            for part in parts(sorted(digests))
            for digest in self._connection.scalars(query.where(_F.digest.in_(part)))
        }

    def doomed(self, digests: Collection[str]) -> set[str]:
        """Those of the files that are condemned already."""
        column = condemned_table.c.digest
        return {
            digest
            for part in parts(sorted(digests))
            for digest in self._connection.scalars(select(column).where(column.in_(part)))
        }

    def hold_uploads(self) -> None:
        """Let nobody name a file until this transaction ends; on SQLite there is one writer anyway."""
        if self._connection.dialect.name != "sqlite":
            self._connection.exec_driver_sql("LOCK TABLE file IN SHARE ROW EXCLUSIVE MODE")

    def give_back(self, pages: int) -> bool:
        """Make SQLite's file shorter by so many pages at most; answers whether there are more."""
        if self._connection.dialect.name != "sqlite" or self._pragma("auto_vacuum") != INCREMENTAL:
            return False
        raw: Any = self._connection.connection.driver_connection
        before = self._pragma("freelist_count")
        for _ in range(min(pages, before)):
            # Python's driver takes one step of the statement, and a step is a page.
            raw.execute("PRAGMA incremental_vacuum(1)")
        return 0 < self._pragma("freelist_count") < before

    def _pragma(self, name: str) -> int:
        return int(self._connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())


INCREMENTAL = 2
