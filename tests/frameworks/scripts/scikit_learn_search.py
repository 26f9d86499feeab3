"""Tumours told apart by boosted trees, whose learning rate is searched for."""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=7)

trees = GradientBoostingClassifier(n_estimators=20, random_state=7)
model = GridSearchCV(
    make_pipeline(StandardScaler(), trees),
    {"gradientboostingclassifier__learning_rate": [0.1, 0.3]},
    cv=3,
)
model.fit(X_train, y_train)

labels = model.predict(X_test)
predictions = model.predict_proba(X_test)[:, 1]
print("accuracy", accuracy_score(y_test, labels), model.score(X_test, y_test))
print("f1", f1_score(y_test, labels, average="macro"))
print("area", roc_auc_score(y_test, predictions))
