"""What of models and versions may be searched by. Times are in milliseconds."""

from __future__ import annotations

from mainspring.core.grammar import LIKENESS, LISTS, SIZES, Grammar

MODELS = Grammar(
    entities={"attribute": "attribute", "attributes": "attribute", "tag": "tag", "tags": "tag"},
    attributes={
        "name": LISTS,
        "creation_timestamp": SIZES,
        "last_updated_timestamp": SIZES,
    },
    numbers=frozenset({"creation_timestamp", "last_updated_timestamp"}),
    comparators={"tag": LIKENESS},
    aliases={"timestamp": "last_updated_timestamp"},
    orders=frozenset({"name", "last_updated_timestamp"}),
    bad_order="Invalid order by key {found!r} specified. Valid keys are ['name', 'timestamp']",
)
VERSIONS = Grammar(
    entities=MODELS.entities,
    attributes={
        "name": LISTS,
        "version_number": SIZES,
        "run_id": LISTS,
        "source_path": LISTS,
        "creation_timestamp": SIZES,
        "last_updated_timestamp": SIZES,
    },
    numbers=frozenset({"version_number", "creation_timestamp", "last_updated_timestamp"}),
    comparators={"tag": LIKENESS},
    orders=frozenset({"name", "version_number", "creation_timestamp", "last_updated_timestamp"}),
)
