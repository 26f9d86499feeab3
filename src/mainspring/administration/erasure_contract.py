"""What may be asked about erasing people."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.ids import PLAIN, Name
from mainspring.core.operation import Operation, Request

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=PLAIN)]


class ErasePerson(Request, frozen=True, kw_only=True):
    """A person whose name is to be nowhere any more."""

    name: Name
    reason: Reason
    """Why; the log keeps it for good, so it must not name the person."""
    dry_run: bool = False
    """Whether only to say what would be replaced."""


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What was done with the name, or would be."""

    name: str
    """What the person is called from now on."""
    reference: str
    """How the log of events refers to them."""
    replaced: dict[str, int]
    """In how many rows of each column the name was replaced."""
    entries_with_name: int
    """Events of the first schema version that still name them: their hashes cover the name."""


erase_person = Operation(
    "people.erase", "POST", "/people/{name}/erase", ErasePerson, Erased,
    allow="admin", summary="Erase a person's name for good; what they did stays, as somebody's.",
    decision=True,
)  # fmt: skip
