"""What people type for a version or an id, turned into what operations take."""

from __future__ import annotations

import re
from typing import Any

from mainspring import stages
from mainspring.core.errors import Invalid, NotFound
from mainspring.core.ids import parse_model_reference
from mainspring.core.operation import Client, Page

LISTS = {
    "run": "runs.list",
    "promotion": "promotion.list",
    "alert": "alerts.list",
    "incident": "incident.list",
    "retraining": "retrain.list",
    "token": "tokens.list",
    "webhook": "webhooks.list",
}
"""Where the things are listed whose ids tables show by their first 8 characters."""
LOOKED_THROUGH = 1000


def version_named(client: Client, reference: str) -> tuple[str, int]:
    """The version that `MODEL@V` names; a stage or an alias is looked up."""
    model, version = parse_model_reference(reference)
    if version.isascii() and version.isdigit():
        return model, int(version)
    resolve = stages.operations()["model.resolve"]
    found = client.call(resolve, resolve.request(model=model, reference=version))
    return model, found.version


def whole_id(client: Client, field: str, text: str) -> str:
    """The id that begins with what was typed, if it is an abbreviation."""
    if field not in LISTS or not re.fullmatch(r"[0-9a-f]{4,31}", text):
        return text
    listing = stages.operations()[LISTS[field]]
    limit = {"limit": LOOKED_THROUGH} if "limit" in listing.request.__struct_fields__ else {}
    answer: Any = client.call(listing, listing.request(**limit))
    rows = answer.items if isinstance(answer, Page) else answer
    found = [row.id for row in rows if row.id.startswith(text)]
    if len(found) > 1:
        raise Invalid(
            f"{field} {text!r} may be {' or '.join(found[:3])}", field=field, fix="type more of it"
        )
    if not found:
        raise NotFound(
            f"no {field} begins with {text!r} among the last {LOOKED_THROUGH}",
            field=field,
            fix=f"mainspring {LISTS[field].replace('.', ' ')}",
        )
    return str(found[0])
