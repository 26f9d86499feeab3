"""What surrounds a run and nobody should have to write down: code, packages, machine."""

from mainspring.recording.capture.code import Code, code
from mainspring.recording.capture.entry import Entry, entry_of, entry_point
from mainspring.recording.capture.environment import environment

__all__ = ["Code", "Entry", "code", "entry_of", "entry_point", "environment"]
