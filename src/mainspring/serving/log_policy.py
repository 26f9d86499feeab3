"""What the prediction log keeps: which requests, which columns, and which only as a hash."""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.serving.reserved import ENTITY_KEY


class LogPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of each prediction is kept."""

    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of requests that are recorded, chosen by their ids: the same id, the same choice."""
    redact: tuple[str, ...] = ()
    """Inputs and outputs that are not kept."""
    hashed: tuple[str, ...] = ()
    """Inputs and outputs of which a keyed hash is kept; `mainspring.entity_key` may be one."""
    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32,128}$")] | None = None
    """The key of the hashes, in hexadecimal."""
    entity_key: str | None = None
    """The input that says whom or what a row is about."""

    def check(self) -> None:
        """Refuse what contradicts itself."""
        if self.hashed and self.key is None:
            raise Invalid("columns are to be hashed, and no key is given", field="key")
        twice = {*self.redact} & {*self.hashed}
        if twice:
            raise Invalid(f"{min(twice)!r} is to be left out and to be hashed", field="redact")
        if self.entity_key in self.redact:
            raise Invalid(
                f"{self.entity_key!r} is the entity key and is to be left out",
                field="redact",
                fix="hash it instead: equal keys stay equal",
            )

    def check_against(self, signature: Signature) -> None:
        """Refuse names that a model with declared columns does not have: a typo would keep them."""
        if not signature.inputs or not signature.outputs:
            return
        known = {column.name for column in (*signature.inputs, *signature.outputs)} | {ENTITY_KEY}
        named = [*self.redact, *self.hashed, *([self.entity_key] if self.entity_key else [])]
        for name in named:
            if name not in known:
                raise Invalid(
                    f"the log's policy names {name!r}; the model has {', '.join(sorted(known))}",
                    field="log",
                )

    def takes(self, id_: str) -> bool:
        """Whether a request of that id is recorded."""
        return self.sample >= 1 or crc32(id_.encode()) < self.sample * 2**32
