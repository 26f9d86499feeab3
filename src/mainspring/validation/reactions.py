"""A requested promotion runs its checks by itself, in a worker."""

from __future__ import annotations

from mainspring.core.jobs import Reaction, add_reaction

add_reaction(
    Reaction(
        "validation.run-checks",
        "promotion.requested",
        "worker",
        "mainspring.validation.execution:run_checks",
    )
)
