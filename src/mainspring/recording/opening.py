"""How runs begin: opened, resumed, joined, or silent; with what surrounds them written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from mainspring.core.clock import utc_now
from mainspring.core.errors import Invalid, MainspringError
from mainspring.core.ids import Id, new_id
from mainspring.core.operation import FileClient
from mainspring.core.settings import put_variable, read_variable
from mainspring.recording import active
from mainspring.recording.capture import Entry
from mainspring.recording.config import as_mapping
from mainspring.recording.duplicates import DUPLICATE_OF, on_duplicate, said
from mainspring.recording.ending import finish_at_exit
from mainspring.recording.journal import Journal, Silent, room_of
from mainspring.recording.ranks import rank
from mainspring.recording.records import Opened, Resumed
from mainspring.recording.resuming import next_steps
from mainspring.recording.run import NOTE, Run, RunFacts
from mainspring.recording.shipping import Parcel, shipping_of
from mainspring.recording.spool import Part, SpoolFolder, Target
from mainspring.recording.surroundings import Surroundings
from mainspring.recording.values import clean_key, plain, text
from mainspring.recording.watching import Watching
from mainspring.tracking.contract import OpenRun
from mainspring.tracking.surroundings_contract import Tried

MODES = ("online", "offline", "disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a run should be; every word may be left out."""

    name: str = ""
    title: str = ""
    """The name if nobody gives another, also by `mainspring run --name`."""
    experiment: str = "Default"
    config: Any = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    id: str | None = None
    """The id of a new run, if it is to have a certain one."""
    resume: str | None = None
    """The id of a run that goes on."""
    parent: str | None = None
    on_duplicate: str | None = None
    entry: Entry | None = None
    """The program whose run it is; this one if it is left out."""
    watching: Watching = field(default_factory=Watching)
    strict: bool = False
    mode: str | None = None
    """`online`, `offline` or `disabled`; what `MAINSPRING_MODE` says if it is left out."""
    join: bool = True
    """Whether it may be the run that `mainspring run` has opened around this process."""
    member: bool = False
    """Whether the id is the one of a run of another process, in which this one takes part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Where a run is written down, and where it goes."""

    client: FileClient
    spool: Path
    workspace: str = "default"
    url: str | None = None
    remote: bool = False
    """Whether it is to be shipped to this very address, and not to whatever serves the home."""


def open_run(surface: Surface, opening: Opening) -> Run:
    """Begin a run, or go on with one; what it is told is on disk from now on."""
    place, mode = rank(), _mode(opening.mode)
    joined = _joined(opening)
    facts = RunFacts(
        id=_checked(opening.resume or joined or opening.id or new_id()),
        name=text(opening.name or opening.title, 10_000),
        experiment=opening.experiment,
        parent=opening.parent or _around(joined),
        opener=joined is None and place == 0,
        strict=opening.strict,
        url=surface.url,
        rank=place,
        mode=mode,
    )
    config = as_mapping(opening.config)
    if place > 0 or mode == "disabled":
        return _begun(Run(facts, Silent(), config))
    folder = SpoolFolder(surface.spool / facts.id)
    target = Target(
        run=facts.id,
        workspace=surface.workspace,
        url=surface.url if surface.remote else None,
        name=facts.name,
    )
    folder.prepare(target)
    journal = Journal(folder, room_of(surface.spool), _part(opening, joined))
    run = Run(facts, journal, config)
    if joined is not None:
        # Only the first run of the program that was started is that run; others are part of it.
        put_variable("MAINSPRING_RUN", None)
        _tell(run, opening, config, _name_in(folder))
    elif opening.resume is not None:
        journal.write(Resumed(), force=True)
        journal.go_on_from(next_steps(surface.client, folder, facts.id))
        _tell(run, opening, config, _name_in(folder))
    else:
        journal.write(Opened(_request(facts, opening, config)), force=True)
        run.log_params(config)
    if mode == "online":
        parcel, shipping = Parcel(folder, facts.id, run), shipping_of(surface.client)
        run.ships_by(parcel, shipping)
        shipping.add(parcel)
    return _accompanied(_begun(run), surface, opening)


def _name_in(folder: SpoolFolder) -> str:
    target = folder.target()
    return target.name if target is not None else ""


def _part(opening: Opening, joined: str | None) -> Part:
    if joined is not None:
        return "joins"
    return "opens" if opening.resume is None else "resumes"


def _joined(opening: Opening) -> str | None:
    """The run of another process that this one is to be, if it is."""
    if opening.member:
        return opening.id
    return read_variable("MAINSPRING_RUN") if opening.join and not opening.resume else None


def _accompanied(run: Run, surface: Surface, opening: Opening) -> Run:
    """Find out what surrounds the run, whether it was tried, and watch the machine."""
    setup = read_variable("MAINSPRING_SETUP")
    if not run.is_opener and (setup is None or opening.member):
        return run

    def tell(earlier: Tried) -> None:
        run.set_tags({DUPLICATE_OF: earlier.id})
        run.say("tried", "%s: mainspring runs show %s", said(earlier), earlier.id[:8])

    policy = on_duplicate(opening.on_duplicate, read_variable("MAINSPRING_ON_DUPLICATE"))
    if opening.resume is None and run.mode == "online":
        run.duplicates.watch(surface.client, run.id, policy, tell)
        run.observers.add(stop=run.duplicates.settle)
    if not run.is_opener:
        # `mainspring run` has looked at the code; the data are known only here.
        run.duplicates.set_up(setup)
        return run
    opening.watching.start(run)
    surroundings = Surroundings(run, opening.entry)
    try:
        surroundings.begin(wait=run.duplicates.waits)
    except MainspringError:
        run.finish("killed")
        raise
    return run


def _begun(run: Run) -> Run:
    active.begin(run)
    finish_at_exit(run)
    return run


def _tell(run: Run, opening: Opening, config: Mapping[str, Any], known_as: str) -> None:
    """What a run that is there already is told on top."""
    if opening.name or (opening.title and not known_as):
        run.rename(opening.name or opening.title)
    if config:
        run.config.update(dict(config))
    if opening.tags:
        run.set_tags(opening.tags)
    if opening.note:
        run.note(opening.note)


def _request(facts: RunFacts, opening: Opening, config: Mapping[str, Any]) -> OpenRun:
    tags = {clean_key(key): text(value, 8000) for key, value in opening.tags.items()}
    if opening.note:
        tags[NOTE] = text(opening.note, 8000)
    document = plain(dict(list(config.items())[:200]))
    try:
        return msgspec.convert(
            {
                "id": facts.id,
                "experiment": facts.experiment,
                "name": facts.name,
                "tags": tags,
                "config": document,
                "parent": facts.parent,
                "started_at": utc_now(),
            },
            OpenRun,
        )
    except msgspec.ValidationError as error:
        raise Invalid(f"this run cannot be opened: {error}", field="run") from error


def _mode(given: str | None) -> str:
    mode = given or read_variable("MAINSPRING_MODE") or "online"
    if mode not in MODES:
        raise Invalid(
            f"the mode is {mode!r}, wanted one of {', '.join(MODES)}",
            field="mode" if given else "MAINSPRING_MODE",
        )
    return mode


def _around(joined: str | None) -> str | None:
    """The run that a new one is part of: of this thread, or of the process that started this one."""
    if joined is not None:
        return None
    around = active.enclosing_run()
    found = around.id if around is not None else read_variable("MAINSPRING_ACTIVE_RUN")
    if around is None and active.open_runs():
        return None  # runs of other threads, side by side with this one
    return found


def _checked(run: str) -> str:
    try:
        return msgspec.convert(run.replace("-", ""), Id)
    except msgspec.ValidationError:
        raise Invalid(f"{run!r} is no run's id; wanted 32 hex characters", field="id") from None
