"""A script as it is found: an XGBoost estimator on a real set, stopped by a set that it watches."""

from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from xgboost import XGBClassifier

features, target = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(features, target, random_state=7)

model = XGBClassifier(
    n_estimators=60,
    max_depth=3,
    learning_rate=0.1,
    eval_metric=["auc", "logloss"],
    early_stopping_rounds=5,
    random_state=7,
    n_jobs=1,
)
model.fit(X_train, y_train, eval_set=[(X_test, y_test)], verbose=10)
predictions = model.predict_proba(X_test)[:, 1]
print(f"auc {roc_auc_score(y_test, predictions):.4f}", model.best_iteration)
