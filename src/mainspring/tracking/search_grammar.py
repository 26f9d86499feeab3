"""What of runs, experiments and trained models may be searched by. Times are in milliseconds."""

from __future__ import annotations

from mainspring.core.grammar import LISTS, PRESENCE, SIZES, Grammar, Kind

FOLDS: tuple[Kind, ...] = (
    "first_metric",
    "min_metric",
    "max_metric",
    "best_metric",
    "count_metric",
)
"""What else than a metric's last value may be compared and sorted by."""
METRICS: tuple[Kind, ...] = ("metric", *FOLDS)

RUNS = Grammar(
    entities={
        "metric": "metric",
        "parameter": "param",
        "tag": "tag",
        "attribute": "attribute",
        "dataset": "dataset",
        "metrics": "metric",
        "parameters": "param",
        "param": "param",
        "params": "param",
        "tags": "tag",
        "attributes": "attribute",
        "attr": "attribute",
        "run": "attribute",
        "datasets": "dataset",
        **{f"{fold}s": fold for fold in FOLDS},
        **{fold: fold for fold in FOLDS},
    },
    attributes={
        "run_id": LISTS,
        "run_name": LISTS,
        "parent_run_id": LISTS,
        "user_id": LISTS,
        "status": LISTS,
        "artifact_uri": LISTS,
        "start_time": SIZES,
        "end_time": SIZES,
    },
    numbers=frozenset({"start_time", "end_time"}),
    comparators={
        **dict.fromkeys(METRICS, SIZES),
        "param": PRESENCE,
        "tag": PRESENCE,
        "dataset": LISTS,
    },
    aliases={
        "created": "start_time",
        "Created": "start_time",
        "run name": "run_name",
        "Run name": "run_name",
        "Run Name": "run_name",
    },
    orders=frozenset(
        {"run_id", "run_name", "user_id", "status", "artifact_uri", "start_time", "end_time"}
    ),
    order_kinds=frozenset({"attribute", "param", "tag", *METRICS}),
    dataset_keys=("name", "digest", "context"),
)
EXPERIMENTS = Grammar(
    entities={"attribute": "attribute", "tag": "tag", "tags": "tag", "attributes": "attribute"},
    attributes={
        "name": LISTS,
        "experiment_id": LISTS,
        "creation_time": SIZES,
        "last_update_time": SIZES,
    },
    numbers=frozenset({"creation_time", "last_update_time"}),
    comparators={"tag": PRESENCE},
    orders=frozenset({"name", "experiment_id", "creation_time", "last_update_time"}),
)
TRAINED_MODELS = Grammar(
    entities={
        "attributes": "attribute",
        "metrics": "metric",
        "params": "param",
        "tags": "tag",
    },
    attributes={
        "name": LISTS,
        "model_id": LISTS,
        "model_type": LISTS,
        "status": LISTS,
        "source_run_id": LISTS,
        "experiment_id": LISTS,
        "creation_timestamp": SIZES,
        "last_updated_timestamp": SIZES,
    },
    numbers=frozenset({"creation_timestamp", "last_updated_timestamp"}),
    comparators={"metric": SIZES, "param": LISTS, "tag": LISTS},
    aliases={
        "creation_time": "creation_timestamp",
        "creation_timestamp_ms": "creation_timestamp",
        "last_updated_time": "last_updated_timestamp",
        "last_updated_timestamp_ms": "last_updated_timestamp",
    },
    orders=frozenset(
        {
            "name",
            "model_id",
            "model_type",
            "status",
            "source_run_id",
            "creation_timestamp",
            "last_updated_timestamp",
        }
    ),
    order_kinds=frozenset({"attribute", "metric"}),
    bad_clause="Invalid filter string: at {found}. Expected a list of comparisons separated by "
    "'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').",
    bad_comparator="Invalid comparison operator for {entity}: {found!r}. Expected one of {wanted}.",
    bad_order="Invalid order by field name: {found}. Valid names are {wanted}",
)
"""Parameters and metrics of a trained model are searched in its own words, not in those of runs."""
