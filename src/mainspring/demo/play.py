"""Play the year: the whole loop on real flights, told as it happens."""

from __future__ import annotations

import sys
import textwrap
import time

import msgspec
import numpy as np

from mainspring.core.errors import Unavailable
from mainspring.demo.arguments import DemoArguments
from mainspring.demo.flights import NIGHT_MICROS, Flights, load_flights
from mainspring.demo.own_words import LOOP, RECIPE, SHELL
from mainspring.demo.report import Report, report
from mainspring.demo.setting import MODEL, Setting, moment, prepare
from mainspring.demo.stage import Stage
from mainspring.demo.story import Story
from mainspring.demo.table import told
from mainspring.demo.traffic import Traffic
from mainspring.demo.watch import Watch
from mainspring.interfaces.remote import RemoteClient
from mainspring.interfaces.sdk.client import Client

DAY_MICROS = 86_400_000_000
PACED_S = 0.15
"""Between two steps of a day's traffic while a new version is made; at the end of the day the year
waits for the loop."""
RETRAINING_S = 300.0


def main(arguments: DemoArguments) -> int:
    """Play, print the result, leave the server up if asked to."""
    story = Story(quiet=arguments.quiet)
    stage = Stage(arguments.home, arguments.port, story)
    story.tell("Mainspring plays a year of New York's flights: will a flight be late?")
    stage.start()
    try:
        result = _played(arguments, stage, story)
    except BaseException:
        stage.stop()
        raise
    if arguments.as_json:
        sys.stdout.write(msgspec.json.encode(result).decode() + "\n")
    else:
        story.end()
        sys.stdout.write(told(result) + "\n")
    if arguments.keep:
        _say_what_next(stage)
    else:
        stage.stop()
    return 0


def _played(arguments: DemoArguments, stage: Stage, story: Story) -> Report:
    flights = load_flights()
    token = stage.home.token()
    author = Client(url=stage.url, token=token)
    assert isinstance(author.files, RemoteClient)
    author.files.on_away = stage.bring_back
    setting = prepare(author, flights, story, (arguments.seed, arguments.level))
    chosen, days = _days(flights, arguments.days)
    story.chapter(f"5  The year goes by: {int(chosen.sum()):,} flights in {len(days)} days")
    traffic = Traffic(flights, chosen, stage)
    watch = Watch(setting, story, moment(days[0]))
    for number, day in enumerate(days):
        began = time.monotonic()
        story.progress(
            number / len(days), f"{moment(day):%b %d}  {traffic.tally.predictions:,} flights"
        )
        _play_day(setting, traffic, watch, day)
        if arguments.speed is not None:
            time.sleep(max(0.0, 1 / arguments.speed - (time.monotonic() - began)))
    _finish(setting, traffic, watch, days[-1] + DAY_MICROS)
    story.progress(1.0, "the year is over")
    story.chapter("6  What the year came to")
    return report(setting, flights, chosen, traffic.tally, story.seconds)


def _days(flights: Flights, count: int | None) -> tuple[np.ndarray, list[int]]:
    """The flights after February, and the starts of their days by New York's night."""
    chosen = flights.month > 2
    dates = np.unique(flights.local_date[chosen])[:count]
    chosen = chosen & (flights.local_date <= dates[-1])
    starts = dates.astype("datetime64[us]").astype(np.int64) + NIGHT_MICROS
    # In winter time a day starts at 05:00 UTC, in summer time at 04:00: the first flight of a
    # summer's day may leave in that hour, so the first day is begun early enough for both.
    return chosen, [int(start) for start in starts]


def _play_day(setting: Setting, traffic: Traffic, watch: Watch, day: int) -> None:
    """A day's traffic; then the day before is judged, and the loop is given time to act."""
    _send(setting, traffic, watch, day)
    watch.settle()
    watch.close_day(moment(day + DAY_MICROS))


def _send(setting: Setting, traffic: Traffic, watch: Watch, day: int) -> None:
    paced = watch.active() is not None
    for span in traffic.beats(day, day + DAY_MICROS):
        traffic.play(setting.author, setting.endpoint, span)
        if paced:
            time.sleep(PACED_S)
            paced = watch.active() is not None
    if paced:
        _await_retraining(watch)


def _await_retraining(watch: Watch) -> None:
    """The year does not run away from its loop."""
    deadline = time.monotonic() + RETRAINING_S
    while watch.active() is not None:
        if time.monotonic() > deadline:
            raise Unavailable(
                f"a retraining is not done after {RETRAINING_S:.0f} s",
                fix="the home's training.log and worker.log say why",
            )
        time.sleep(0.1)


def _finish(setting: Setting, traffic: Traffic, watch: Watch, end: int) -> None:
    """The last landings, the last days, and whatever they lead to."""
    traffic.land(setting.author, setting.endpoint, np.iinfo(np.int64).max)
    watch.settle()
    for extra in (0, 1):
        watch.close_day(moment(end + extra * DAY_MICROS))
        watch.settle()
    _await_retraining(watch)


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")


def _say_what_next(stage: Stage) -> None:
    home = stage.home.folder
    sys.stdout.write(
        f"""
The server is still up: {stage.url}  (home {home})

  export MAINSPRING_HOME={home}
  mainspring status                              what is in production now
  mainspring runs list                           every training run
  mainspring model versions {MODEL}
  mainspring model lineage {MODEL}@production
  mainspring monitor windows --deployment {MODEL}
  mainspring alerts list
  mainspring events list --model {MODEL}   the whole story in order
  mainspring down                                stop it

The same loop in your own Python, against this server. recipe.py:

{_indented(RECIPE)}
loop.py:

{_indented(LOOP)}
and then, with a second person to approve:

{_indented(SHELL)}"""
    )
