"""Which of the things that happen around a run are kept: what is printed, how busy the machine is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.recording.console import Console
from mainspring.recording.gauges import Gauges

if TYPE_CHECKING:
    from mainspring.recording.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What is watched beside the calls of the program itself."""

    console: bool = True
    """What this process prints."""
    machine: bool = True
    """Processor, memory, disk, network, accelerators."""
    process: int | None = None
    """The process whose tree is measured, if not this one."""

    def start(self, run: Run) -> None:
        """Watch until the run is over."""
        if self.machine:
            self._measure(run)
        if self.console:
            console = Console(run.console)
            console.start()
            run.observers.add(stop=console.stop)

    def _measure(self, run: Run) -> None:
        gauges = Gauges(self.process)

        def measure() -> None:
            found = gauges.read()
            if found:
                run.measured(found)

        run.observers.add(tick=measure, stop=measure)


NOTHING = Watching(console=False, machine=False)
