"""The statements of metrics, prepared: each is small, and most requests are a handful of them."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from mainspring.core.prepared import Prepared
from mainspring.tracking.tables import bucket_table, metric_table, point_table

_M, _P, _B = metric_table.c, point_table.c, bucket_table.c
_FOLD_COLUMNS = (
    "count", "first", "last", "minimum", "maximum", "best", "best_step",
    "first_step", "first_at", "last_step", "last_at", "bucket_size",
)  # fmt: skip
_SHOWN = (_M.key, _M.number, *(metric_table.c[name] for name in _FOLD_COLUMNS))
_RUN = _M.run_id == bindparam("run")
FOLD = Prepared(select(*_SHOWN).where(_RUN, _M.key == bindparam("key")), "run", "key")
FOLDS = Prepared(select(*_SHOWN).where(_RUN).order_by(_M.key), "run")
NEXT_NUMBER = Prepared(select(func.coalesce(func.max(_M.number) + 1, 0)).where(_RUN), "run")
ADD_METRIC = Prepared(
    insert(metric_table).values(
        {name: bindparam(name) for name in ("run_id", "key", "number", *_FOLD_COLUMNS)}
    ),
    "run_id", "key", "number", *_FOLD_COLUMNS,
)  # fmt: skip
SET_METRIC = Prepared(
    update(metric_table)
    .where(_RUN, _M.key == bindparam("metric"))
    .values({name: bindparam(f"new_{name}") for name in _FOLD_COLUMNS}),
    *(f"new_{name}" for name in _FOLD_COLUMNS), "run", "metric",
)  # fmt: skip
_POINT_COLUMNS = ("run_id", "number", "step", "at", "value")
ADD_POINT = Prepared(
    insert(point_table).values({name: bindparam(name) for name in _POINT_COLUMNS}), *_POINT_COLUMNS
)
_SERIES = (_P.run_id == bindparam("run")) & (_P.number == bindparam("number"))
AT_PLACE = Prepared(
    select(_P.at, _P.value)
    .where(_SERIES, _P.step == bindparam("step"), _P.at.between(bindparam("a"), bindparam("b")))
    .order_by(_P.at),
    "run", "number", "step", "a", "b",
)  # fmt: skip
POINTS = Prepared(
    select(_P.step, _P.at, _P.value)
    .where(_SERIES, tuple_(_P.step, _P.at) > tuple_(bindparam("step"), bindparam("at")))
    .order_by(_P.step, _P.at)
    .limit(bindparam("many")),
    "run", "number", "step", "at", "many",
)  # fmt: skip
SPAN = Prepared(
    select(_P.step, _P.at, _P.value)
    .where(_SERIES, _P.step.between(bindparam("a"), bindparam("b")))
    .order_by(_P.step, _P.at)
    .limit(bindparam("many")),
    "run", "number", "a", "b", "many",
)  # fmt: skip
_BUCKET_COLUMNS = (
    "run_id", "number", "step", "at", "count",
    "minimum", "minimum_step", "minimum_at", "maximum", "maximum_step", "maximum_at",
)  # fmt: skip
_STRETCH = (_B.run_id == bindparam("run")) & (_B.number == bindparam("number"))
BUCKETS = Prepared(
    select(*(bucket_table.c[name] for name in _BUCKET_COLUMNS[2:]))
    .where(_STRETCH)
    .order_by(_B.step, _B.at),
    "run", "number",
)  # fmt: skip
BUCKET_BEFORE = Prepared(
    select(*(bucket_table.c[name] for name in _BUCKET_COLUMNS[2:]))
    .where(_STRETCH, tuple_(_B.step, _B.at) <= tuple_(bindparam("step"), bindparam("at")))
    .order_by(_B.step.desc(), _B.at.desc())
    .limit(bindparam("many")),
    "run", "number", "step", "at", "many",
)  # fmt: skip
DROP_BUCKETS = Prepared(delete(bucket_table).where(_STRETCH), "run", "number")
DROP_BUCKET = Prepared(
    delete(bucket_table).where(_STRETCH, _B.step == bindparam("step"), _B.at == bindparam("at")),
    "run", "number", "step", "at",
)  # fmt: skip
_put = upsert(bucket_table).values({name: bindparam(name) for name in _BUCKET_COLUMNS})
PUT_BUCKET = Prepared(
    _put.on_conflict_do_update(
        index_elements=["run_id", "number", "step", "at"],
        set_={name: _put.excluded[name] for name in _BUCKET_COLUMNS[4:]},
    ),
    *_BUCKET_COLUMNS,
)
