"""What the prediction log keeps: which requests, which columns, and which only as a hash."""

from __future__ import annotations

from typing import Annotated

import msgspec

from mainspring.core.errors import Invalid
from mainspring.core.signature import Signature
from mainspring.serving.reserved import ENTITY_KEY, EVENT_TIME, REQUEST_ID


class LogPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of each prediction is kept."""

    sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    """The share of requests that are recorded, chosen by their ids: the same id, the same choice."""
    redact: tuple[str, ...] = ()
    """Inputs and outputs that are not kept; `mainspring.entity_key` may be one."""
    hashed: tuple[str, ...] = ()
    """Inputs and outputs of which a keyed hash is kept; `mainspring.entity_key` may be one.

    Entity keys are hashed if either that name or the input that holds them is here."""
    key: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){16,64}$")] | None = None
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
        for name in (*self.redact, *self.hashed):
            if name in {REQUEST_ID, EVENT_TIME}:
                raise Invalid(
                    f"the log's policy names {name!r}, by which a prediction is found again",
                    field="log",
                    fix="choose ids that tell nothing",
                )
        if self.entity_key is not None and {self.entity_key, ENTITY_KEY} & {*self.redact}:
            raise Invalid(
                f"{self.entity_key!r} is the entity key and is to be left out",
                field="redact",
                fix="hash it instead: equal keys stay equal",
            )

    def check_against(self, *signatures: Signature) -> None:
        """Refuse names that none of the models of one log has: a typo would keep them.

        Of a model that declares no columns any name may be one.
        """
        for signature in signatures:
            self._check_entity_key(signature)
        if any(not signature.inputs or not signature.outputs for signature in signatures):
            return
        known = {ENTITY_KEY}
        for signature in signatures:
            known |= {column.name for column in (*signature.inputs, *signature.outputs)}
        named = [*self.redact, *self.hashed, *([self.entity_key] if self.entity_key else [])]
        for name in named:
            if name not in known:
                models = "the model has" if len(signatures) == 1 else "the models have"
                raise Invalid(
                    f"the log's policy names {name!r}; {models} {', '.join(sorted(known))}",
                    field="log",
                )

    def _check_entity_key(self, signature: Signature) -> None:
        for column in signature.inputs:
            if column.name == self.entity_key and column.shape not in {(), (1,)}:
                raise Invalid(
                    f"the entity key {column.name!r} has the shape {list(column.shape)} a row; "
                    "one value a row is wanted",
                    field="log",
                )
