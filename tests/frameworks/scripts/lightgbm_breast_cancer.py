"""A script as it is found: LightGBM's own interface on a real set, with early stopping."""

import lightgbm as lgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

features, target = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(features, target, random_state=7)

train = lgb.Dataset(X_train, label=y_train)
holdout = lgb.Dataset(X_test, label=y_test, reference=train)
params = {
    "objective": "binary",
    "learning_rate": 0.05,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 7,
}
history = {}
model = lgb.train(
    params,
    train,
    num_boost_round=60,
    valid_sets=[train, holdout],
    valid_names=["train", "holdout"],
    callbacks=[
        lgb.early_stopping(5),
        lgb.log_evaluation(period=10),
        lgb.record_evaluation(history),
    ],
)
predictions = model.predict(X_test)
print(len(history["holdout"]["binary_logloss"]), model.best_iteration)
