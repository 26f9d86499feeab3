"""One command on its way through `mainspring run`: opened, run, ended, told."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mainspring.core.errors import MainspringError, NotFound, Unavailable
from mainspring.core.settings import home_folder, inherited_environment
from mainspring.interfaces.cli import failure
from mainspring.interfaces.cli.frame import Choices, note
from mainspring.interfaces.sdk.client import Client
from mainspring.recording.bootstrap import FOLDER
from mainspring.recording.capture import entry_of
from mainspring.recording.duplicates import AlreadyTried
from mainspring.recording.framework import frameworks
from mainspring.recording.gauges import Gauges
from mainspring.recording.opening import Opening, open_run
from mainspring.recording.program import Held, Program, signals_held
from mainspring.recording.records import EndStatus
from mainspring.recording.redaction import MARK, names_a_secret
from mainspring.recording.run import Run
from mainspring.recording.surroundings import CAPTURE_THREAD
from mainspring.recording.watching import Watching

NOT_FOUND, NOT_EXECUTABLE = 127, 126
SIGNALLED = 128
FIRST_S = 1.0
SETUP_S = 2.0
"""How long the command waits for its code to be looked at; it takes a tenth of that at most."""
_ENDINGS: dict[EndStatus, str] = {
    "finished": "has finished", "failed": "has failed", "killed": "was killed",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked of `mainspring run`."""

    command: list[str]
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    name: str
    experiment: str
    note: str
    on_duplicate: str | None
    autolog: bool
    choices: Choices

    @property
    def words(self) -> list[str]:
        """The command with the parameters put in."""
        return filled_in(self.command, self.params)

    @property
    def shown_params(self) -> dict[str, Any]:
        """The parameters as they may be kept."""
        return {key: MARK if names_a_secret(key) else value for key, value in self.params.items()}


def filled_in(command: Sequence[str], params: Mapping[str, Any]) -> list[str]:
    """The command with each `{key}` replaced by the parameter of that name."""
    found = list(command)
    for key, value in params.items():
        text = value if isinstance(value, str) else json.dumps(value)
        found = [word.replace(f"{{{key}}}", text) for word in found]
    return found


def record(wanted: Wanted) -> int:
    """Run the command and record it; answers its exit code."""
    with signals_held() as held:
        client, run = _opened(wanted)
        if run is not None and run.reused:
            return _reused(run)
        if run is not None:
            note(f"mainspring: recording run {run.id}{f' at {run.url}' if run.url else ''}")
        code = _performed(wanted, client, run, held)
    if run is not None:
        _ended(run, code, wanted.name)
    if client is not None:
        client.close()
    return code


def _opened(wanted: Wanted) -> tuple[Client | None, Run | None]:
    """Open the run; without one the command runs all the same."""
    choices = wanted.choices
    entry = entry_of(filled_in(wanted.command, wanted.shown_params), Path.cwd())
    opening = Opening(
        name=wanted.name,
        experiment=wanted.experiment,
        config=wanted.shown_params,
        tags=wanted.tags,
        note=wanted.note,
        on_duplicate=wanted.on_duplicate,
        entry=entry,
        watching=Watching(console=False, machine=False),
        join=False,
    )
    try:
        client = Client(choices.home, choices.url, choices.token, choices.workspace)
        return client, open_run(client.surface(), opening)
    except AlreadyTried:
        raise
    except (MainspringError, OSError) as error:
        said = error.message if isinstance(error, MainspringError) else str(error)
        fix = getattr(error, "fix", None)
        _say(f"the command is not recorded: {said}{f' ({fix})' if fix else ''}")
        return None, None


def _performed(wanted: Wanted, client: Client | None, run: Run | None, held: Held) -> int:
    environment = inherited_environment() | {"MAINSPRING_PARAMS": json.dumps(dict(wanted.params))}
    if client is not None and run is not None:
        environment = _for_joining(environment, wanted, client, run)
    program = Program(wanted.words, environment, run.console if run is not None else None)
    told: MainspringError
    try:
        return program.run(held, lambda pid: _measured(run, pid))
    except FileNotFoundError:
        told = NotFound(
            f"no command {wanted.words[0]!r}",
            field="command",
            fix="look at its spelling and at PATH",
        )
        code = NOT_FOUND
    except OSError as error:
        told = Unavailable(
            f"{wanted.words[0]!r} cannot be run: {error.strerror}",
            field="command",
            fix="is it executable, and does it begin with #! and its interpreter?",
        )
        code = NOT_EXECUTABLE
    failure.tell(told, failure.Style.chosen_by(wanted.choices, []))
    return code


def _for_joining(
    environment: dict[str, str], wanted: Wanted, client: Client, run: Run
) -> dict[str, str]:
    """What lets the programs of the command find the run, and the place where it is kept."""
    choices, surface = wanted.choices, client.surface()
    found = environment | {
        "MAINSPRING_RUN": run.id,
        "MAINSPRING_HOME": str(home_folder(str(choices.home) if choices.home else None)),
        "MAINSPRING_WORKSPACE": surface.workspace,
    }
    if choices.token:
        found["MAINSPRING_TOKEN"] = choices.token
    setup = _setup(run)
    if setup is not None:
        found["MAINSPRING_SETUP"] = setup
    if wanted.on_duplicate:
        found["MAINSPRING_ON_DUPLICATE"] = wanted.on_duplicate
    if surface.remote and surface.url:
        found["MAINSPRING_URL"] = surface.url
    else:  # the home that is named leads to its server, if one runs
        found.pop("MAINSPRING_URL", None)
    if wanted.autolog:
        named = (module for one in frameworks().values() for module in one.modules)
        packages = sorted({module.partition(".")[0] for module in named})
        path = [str(FOLDER), environment.get("PYTHONPATH", "")]
        found["PYTHONPATH"] = os.pathsep.join(part for part in path if part)
        found["MAINSPRING_AUTOLOG"] = ",".join(packages)
    return found


def _setup(run: Run) -> str | None:
    """What the run is set up to do, by which its programs find out whether it was tried."""
    until = time.monotonic() + SETUP_S
    while run.duplicates.setup is None and time.monotonic() < until and _is_looking():
        time.sleep(0.01)
    return run.duplicates.setup


def _is_looking() -> bool:
    return any(thread.name == CAPTURE_THREAD for thread in threading.enumerate())


def _measured(run: Run | None, pid: int) -> None:
    """Measure the command's processes, and not this one."""
    if run is None:
        return
    gauges = Gauges(pid)

    def measure() -> None:
        found = gauges.read()
        if found:
            run.measured(found)

    # A short command is over before the run is asked to measure for the first time.
    first = threading.Timer(FIRST_S, measure)
    first.daemon = True
    first.start()
    run.observers.add(tick=measure, stop=first.cancel)


def _reused(run: Run) -> int:
    earlier = run.tried
    run.finish()
    if earlier is not None:
        note(f"mainspring: run {earlier.id} did the same; the command is not run again")
        note(f"mainspring runs show {earlier.id}")
    return 0


def _ended(run: Run, code: int, name: str) -> None:
    status: EndStatus = "finished" if code == 0 else "killed" if code > SIGNALLED else "failed"
    try:
        try:
            if name:  # what was trained may have given it another
                run.rename(name)
        finally:  # the command has ended so, whoever interrupts us now
            run.finish(status)
    except MainspringError as error:
        _say(f"run {run.id} could not be ended: {error.message}")
    note(f"mainspring: run {run.id} {_ENDINGS[status]}: mainspring runs show {run.id}")


def _say(text: str) -> None:
    click.echo(f"mainspring: {text}", err=True)
    sys.stderr.flush()
