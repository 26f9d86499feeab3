"""The part of the client that records: runs are opened, joined, resumed; what waits is shipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import Unreachable
from mainspring.core.home import Home
from mainspring.core.operation import FileClient
from mainspring.core.settings import home_folder
from mainspring.interfaces.sdk.connection import Connection
from mainspring.recording.active import known_runs
from mainspring.recording.duplicates import OnDuplicate
from mainspring.recording.opening import Opening, Surface, open_run
from mainspring.recording.run import Run
from mainspring.recording.spool import spool_of
from mainspring.recording.sync import Synced, sync
from mainspring.recording.watching import Watching

ARRIVAL_S, AWAY_S = 120.0, 30.0
"""How long what needs a run waits for it to arrive, and for a server that does not answer."""


def arrived(run: str | None) -> None:
    """Wait until what this process told of the run is on the server; raises what was refused."""
    for known in known_runs():
        if known.id == run and not known.flush(ARRIVAL_S, away_s=AWAY_S):
            if known.refusals:
                raise known.refusals[0]
            raise Unreachable(
                f"run {run} has not arrived at the server yet",
                fix="is it running? mainspring status; mainspring sync",
            )


class Recording:
    """What a client can do for a training."""

    _connection: Connection
    files: FileClient

    def run(  # noqa: PLR0913  each is a word of the SDK that users leave out
        self,
        name: str = "",
        *,
        config: Any = None,
        experiment: str = "Default",
        tags: Mapping[str, Any] | None = None,
        note: str = "",
        id: str | None = None,  # noqa: A002  the field's own word
        resume: str | None = None,
        parent: str | None = None,
        on_duplicate: OnDuplicate | None = None,
        watching: Watching | None = None,
    ) -> Run:
        """Open a tracked run; use it with `with`. Inside another run of this thread it is part of it.

        `config` is a mapping, a namespace or a dataclass. `resume` is the id of a run to go on with.
        `on_duplicate` says what happens if configuration, code and data equal an earlier run's:
        `warn`, `reuse` (see `run.reused`) or `stop`, which raises `AlreadyTried`.

        >>> client = ms.Client()
        >>> with client.run("first try", config={"rate": 0.1}) as run:
        ...     run.log({"auc": 0.71}, step=1)
        """
        opening = Opening(
            name=name,
            experiment=experiment,
            config=config,
            tags=tags or {},
            note=note,
            id=id,
            resume=resume,
            parent=parent,
            on_duplicate=on_duplicate,
            watching=watching or Watching(),
        )
        return open_run(self.surface(), opening)

    def surface(self) -> Surface:
        """Where this client's runs are written down, and where they go."""
        connection = self._connection
        home = connection.home or Home(home_folder())
        home.make()
        return Surface(
            client=connection.impatient,
            spool=spool_of(home.folder),
            workspace=connection.workspace,
            url=connection.url,
            remote=connection.is_remote,
        )

    def sync(self) -> Synced:
        """Ship what waits in the spool of the home: of processes that are gone, or had no server.

        >>> ms.Client().sync().waiting
        {}
        """
        surface = self.surface()
        return sync(surface.spool, surface.client, url=surface.url, workspace=surface.workspace)
