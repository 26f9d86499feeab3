"""A run as the training process sees it: what it is told is on disk when the call returns.

Nothing here waits for a server, and nothing of the server's is raised into a training: a thread ships
what was written (`shipping`), and what the server does not take is kept aside and said once.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any

from mainspring.core.errors import MainspringError, Unreachable
from mainspring.core.home import Taken
from mainspring.core.settings import read_number
from mainspring.recording import active
from mainspring.recording.config import Config, as_mapping
from mainspring.recording.duplicates import Duplicates
from mainspring.recording.forgiving import forgiving
from mainspring.recording.journal import Journal, Silent
from mainspring.recording.keeping import Keeping
from mainspring.recording.observers import Observers
from mainspring.recording.records import (
    Described,
    Ended,
    EndStatus,
    Printed,
    Renamed,
    Stream,
    Texts,
)
from mainspring.recording.shipping import Parcel, Shipping
from mainspring.recording.summary import Summary
from mainspring.recording.values import clean_key, flattened, number, plain, text
from mainspring.tracking.surroundings_contract import DescribeRun, Tried

MAX_PARAM, MAX_TAG, MAX_PARAMS = 6000, 8000, 1000
NOTE = "note"
AWAY_S = 3.0
"""How long the end of a run waits for a server that does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a run knows of itself from the start."""

    id: str
    name: str
    experiment: str
    parent: str | None = None
    opener: bool = True
    """Whether this process opened the run, and so ends it."""
    strict: bool = False
    """Whether the end waits for everything to arrive, and raises what was refused."""
    url: str | None = None
    rank: int = 0
    mode: str = "online"


class Run(Keeping):
    """One training run; use it with `with`, or call `finish` at the end.

    >>> with ms.run("first try", config={"rate": 0.1}) as run:
    ...     for step in range(3):
    ...         run.log({"loss": 1 / (step + 1)}, step=step)
    >>> run.over
    True
    """

    def __init__(
        self, facts: RunFacts, journal: Journal | Silent, config: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(journal, facts.id)
        self.id = facts.id
        self.name = facts.name
        self.experiment = facts.experiment
        self.parent = facts.parent
        self.rank = facts.rank
        self.mode = facts.mode
        self.config = Config(config, self._config_changed)
        self.summary = Summary(lambda results: self.log(results, commit=False))
        self.over = False
        self.duplicates = Duplicates()
        self.observers = Observers()
        self._facts = facts
        self._pid = os.getpid()
        self._names: dict[str, str] = {}
        self._way: tuple[Parcel, Shipping] | None = None
        self._patience_s = 0

    def ships_by(self, parcel: Parcel, shipping: Shipping) -> None:
        """Say which thread takes it to the server."""
        self._patience_s = read_number("MAINSPRING_FINISH_TIMEOUT", 30)
        self._way = (parcel, shipping)

    @property
    def url(self) -> str | None:
        """The address of the run; None while no server runs on the home.

        >>> run.url.endswith(run.id)
        True
        """
        return f"{self._facts.url}/o/run/{self.id}" if self._facts.url else None

    @property
    def info(self) -> SimpleNamespace:
        """The same facts under the names that MLflow's scripts use.

        >>> run.info.run_id == run.id
        True
        """
        return SimpleNamespace(
            run_id=self.id, run_name=self.name, status="FINISHED" if self.over else "RUNNING"
        )

    @property
    def reused(self) -> bool:
        """Whether an earlier run did the same, and this one was asked to make do with it.

        >>> with ms.run(config={"rate": 0.1}, on_duplicate="reuse") as run:
        ...     if not run.reused:
        ...         run.log({"auc": 0.71})
        """
        return self.duplicates.reused

    @property
    def tried(self) -> Tried | None:
        """The newest finished run of the same configuration, code and data, once it is known.

        >>> earlier = run.tried
        """
        return self.duplicates.found

    @forgiving
    def log(
        self, metrics: Mapping[str, Any], /, step: int | None = None, *, commit: bool = True
    ) -> None:
        """Log values of metrics: numbers, and figures, images and tables too.

        Nested mappings are joined by `/`. Without a step each call gets the next one, as W&B counts;
        `commit=False` leaves it to the next call. A value of another kind is left out, which is said
        once.

        >>> run.log({"loss": 0.3, "train": {"auc": 0.71}}, step=1)
        """
        names, values = self._names, {}
        for key, value in metrics.items():
            if type(value) is float and key in names:
                values[names[key]] = value
            else:
                self._take(key, value, values, step)
        if values:
            self._journal.values(values, step, commit=commit)

    @forgiving
    def log_params(self, params: Mapping[str, Any], /) -> None:
        """Log parameters; nested mappings are joined by `.`. One that was logged does not change.

        >>> run.log_params({"depth": 6, "optimizer": {"name": "adam"}})
        """
        found = {
            clean_key(key): text(value, MAX_PARAM)
            for key, value in flattened(as_mapping(params), ".")
        }
        items = list(found.items())
        for start in range(0, len(items), MAX_PARAMS):
            self._journal.write(Texts(dict(items[start : start + MAX_PARAMS]), {}))

    @forgiving
    def set_tags(self, tags: Mapping[str, Any], /) -> None:
        """Set tags; they may change.

        >>> run.set_tags({"team": "delays"})
        """
        found = {clean_key(key): text(value, MAX_TAG) for key, value in tags.items()}
        if found:
            self._journal.write(Texts({}, found))

    def note(self, words: str, /) -> None:
        """Say in words what the run is about; a new note replaces the old one.

        >>> run.note("the winter months alone")
        """
        self.set_tags({NOTE: words})

    @forgiving
    def rename(self, name: str, /) -> None:
        """Give the run another name.

        >>> run.rename("second try")
        """
        self.name = name
        self._journal.write(Renamed(text(name, 10_000)))

    @property
    def is_opener(self) -> bool:
        """Whether this process opened the run."""
        return self._facts.opener

    def describe(self, request: DescribeRun) -> None:
        """Write down what surrounds the run."""
        self._journal.write(Described(request))

    def measured(self, found: Mapping[str, float]) -> None:
        """Keep measurements of the machine; they count their own steps."""
        self._journal.measured(found)

    def console(self, stream: Stream, said: bytes) -> None:
        """Keep what the program printed."""
        self._journal.write(Printed(stream, said))

    def flush(self, timeout_s: float = 60.0, *, away_s: float = AWAY_S) -> bool:
        """Wait until everything that was told so far has arrived; answers whether it has.

        A server that does not answer is waited for `away_s` seconds, and the whole takes
        `timeout_s` at most. Of a run that is over it ships what had to stay in the spool.

        >>> run.flush()
        True
        """
        if self._way is None:
            return isinstance(self._journal, Silent)
        parcel, shipping = self._way
        since = time.monotonic()
        parcel.hurry(awaited=True)
        left = parcel.closed and not parcel.folder.arrived()
        if left:
            parcel.reopen()
            shipping.add(parcel)
        shipping.wait(
            lambda: parcel.folder.arrived() or _hopeless(parcel, since, away_s), timeout_s
        )
        done = parcel.folder.arrived()
        parcel.hurry()
        if left:
            shipping.remove(parcel, clear=done)
        return done

    def finish(self, status: EndStatus = "finished") -> None:
        """End the run, and wait a little for what is left to arrive; what does not is kept.

        >>> run.finish()
        """
        if self.over:
            return
        mine = self._pid == os.getpid()
        if mine:
            self.observers.stop()
        self.over = True
        active.end(self)
        if mine and self._facts.opener:
            status = "killed" if self.duplicates.reused else status
            self._journal.write(Ended(status), force=True)
        self._journal.close()
        if self._way is not None and mine:
            parcel, shipping = self._way
            if self._facts.opener or parcel.folder.own():
                self._arrive(parcel, shipping)
            else:  # the process that opened it ships, as long as it lives
                shipping.remove(parcel)
            self.observers.last()

    def _arrive(self, parcel: Parcel, shipping: Shipping) -> None:
        """Wait as long as something moves; a server that is away keeps nobody."""
        parcel.hurry(awaited=True)
        since = time.monotonic()

        def arrived() -> bool:
            # What was printed is gathered by whoever opened the run, also while a part of it ends.
            return parcel.delivery.ended or parcel.folder.arrived()

        def settled() -> bool:
            still = time.monotonic() - max(parcel.moved_at, since)
            hopeless = not self._facts.strict and _hopeless(parcel, since)
            return arrived() or hopeless or still > self._patience_s

        try:
            shipping.wait(settled, 24 * 3600.0)
        except KeyboardInterrupt:
            sys.stderr.write(f"run {self.id} stays in the spool\n")
        done = arrived()
        shipping.remove(parcel, clear=done)
        if not done:
            self._stays(parcel)
        if self._facts.strict and parcel.delivery.refusals:
            raise parcel.delivery.refusals[0]

    def _stays(self, parcel: Parcel) -> None:
        why = parcel.away.message if parcel.away is not None else "it took nothing for a while"
        if self._facts.strict:
            raise Unreachable(f"run {self.id} did not arrive: {why}")
        if self._facts.opener:
            self._journal.warn(
                "stays",
                "run %s waits in the spool, nothing of it is lost (%s); ship it with: mainspring sync",
                self.id,
                why,
            )

    @property
    def refusals(self) -> list[MainspringError]:
        """What the server did not take of this run.

        >>> run.refusals
        []
        """
        return list(self._way[0].delivery.refusals) if self._way is not None else []

    def tick(self) -> None:
        """Measure the machine; the shipping thread calls it now and then."""
        if not self.over:
            self.observers.tick()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.finish()
        else:
            self.finish("killed" if issubclass(kind, KeyboardInterrupt) else "failed")

    def _take(self, key: Any, value: Any, values: dict[str, float], step: int | None) -> None:
        found = number(value)
        clean = clean_key(key)
        if found is not None:
            if clean != key:
                self._journal.warn(f"key {key}", "metric %r is kept as %r", key, clean)
            self._names[key] = clean
            values[clean] = found
        elif isinstance(value, Mapping):
            for inner, leaf in value.items():
                self._take(f"{key}/{inner}", leaf, values, step)
        elif isinstance(value, str):
            self.set_tags({clean: value})
        elif not self._keep_shown(clean, value, step):
            self._journal.warn(
                f"value {key}",
                "metric %r: a %s is no number, figure, image or table, and is left out",
                key,
                type(value).__name__,
            )

    @forgiving
    def _config_changed(self, entries: dict[str, Any]) -> None:
        self._journal.write(Described(DescribeRun(run=self.id, config=plain(entries))))
        self.log_params(entries)


def _hopeless(parcel: Parcel, since: float, away_s: float = AWAY_S) -> bool:
    """Whether the server was found away, and a little waiting changed nothing.

    A home that somebody else writes to is not away: its turn comes.
    """
    since = max(since, parcel.moved_at)
    away = parcel.away is not None and not isinstance(parcel.away, Taken)
    return away and time.monotonic() - since > away_s
