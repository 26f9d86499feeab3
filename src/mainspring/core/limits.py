"""What a token that is limited to some names may ask: about those, by name, and filtered lists."""

from __future__ import annotations

from typing import Any

from mainspring.core.access import Actor
from mainspring.core.errors import Forbidden
from mainspring.core.name_patterns import fits, shown
from mainspring.core.operation import Operation


def check_names(actor: Actor, operation: Operation[Any, Any], request: Any) -> None:
    """Refuse what names no model or deployment, or one that the token's patterns leave out."""
    if actor.models is None:
        return
    named = [name for field in operation.naming if (name := getattr(request, field)) is not None]
    for name in named:
        if not fits(name, actor.models):
            raise Forbidden(
                f"the token is limited to models and deployments named {shown(actor.models)}, "
                f"and {operation.name} is about {name!r}",
                fix="use a token whose patterns it fits",
            )
    if not named and not operation.filtered:
        raise Forbidden(
            f"the token is limited to models and deployments named {shown(actor.models)}, "
            f"and {operation.name} names none",
            fix="name one" if operation.naming else "use a token without such a limit",
        )
