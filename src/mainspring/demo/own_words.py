"""The same loop in a user's own lines, as the README prints them; a test compares the two."""

RECIPE = """\
import lightgbm
import numpy as np

INPUTS = ["hour", "minute", "day_of_week", "block_minutes", "departures_in_hour"]
INPUTS += ["dewp", "humid", "wind_speed", "wind_gust", "precip", "visib"]


def train(run, rows):
    cut = rows.num_rows * 4 // 5  # the last fifth in time is what the gate judges by
    fit, holdout = rows.slice(0, cut), rows.slice(cut)
    run.log_dataset(fit, name="flights", role="training")
    run.log_dataset(holdout, name="flights", role="holdout")
    matrix = np.column_stack([fit[name].to_numpy() for name in INPUTS])
    data = lightgbm.Dataset(matrix, fit["label"].to_numpy())
    settings = {"objective": "binary", "num_leaves": 15, "num_threads": 2, "verbosity": -1}
    run.log_params(settings)
    curves = {}
    model = lightgbm.train(
        settings,
        data,
        run.config["rounds"],
        valid_sets=[data],
        callbacks=[lightgbm.record_evaluation(curves)],
    )
    for step, loss in enumerate(curves["training"]["binary_logloss"]):
        run.log({"training_log_loss": loss}, step=step)
    run.log_model(model, sample=fit.select(INPUTS))
"""

LOOP = """\
import os
from datetime import UTC, datetime

import mainspring as ms
from mainspring.demo.flights import load_flights
from mainspring.demo.setting import rows_of
from recipe import train

flights = load_flights()
ms.suite("late", checks={"performance": {"metric": "auc", "minimum": 0.55}, "data": {},
                         "latency": {"p99_ms": 50}, "non_inferiority": {"margin": 0.02}})
with ms.run("winter", config={"rounds": 50}) as run:
    train(run, rows_of(flights, flights.month <= 2))
outcome = ms.promote(ms.register(run, "late"), to="production")  # waits for the checks
if isinstance(outcome, ms.Pending):  # they have passed; a second person has to agree
    ms.Client(token=os.environ["ADA_TOKEN"]).approve(outcome, reason="plausible numbers")
service = ms.deploy("late")
week = rows_of(flights, flights.month == 3).slice(0, 5000)
ids = week["request_id"].to_pylist()
answer = service.predict(week, request_ids=ids, event_times=week["event_time"].to_pylist())
truth = dict(zip(ids, week["label"].to_pylist()))  # late, as truth is
service.log_truth(truth, event_time=datetime(2013, 3, 8, tzinfo=UTC))
ms.runbook("late-auc", "Check the traffic. Impact: wrong warnings. Remedy: roll back.")
ms.monitor("late", kind="performance", metric="auc_drop", threshold=0.02,
           runbook="late-auc", action="incident")
ms.retrain_policy("late", level=2, recipe="recipe.py:train", config={"rounds": 50})
print(answer["score"][:3])
"""

SHELL = """\
mainspring people add --name ada --roles approver
export ADA_TOKEN=$(mainspring -q tokens create --owner ada --days 30)
python loop.py
"""
