"""The progress of diabetes, foretold by a forest; looked at from several sides."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.preprocessing import StandardScaler


def main() -> tuple[RandomForestRegressor, np.ndarray]:
    features, target = load_diabetes(return_X_y=True)
    train, test, train_target, test_target = train_test_split(features, target, random_state=7)
    scaler = StandardScaler().fit(train)
    forest = RandomForestRegressor(n_estimators=30, random_state=7, n_jobs=2)
    print(cross_val_score(forest, scaler.transform(train), train_target, cv=3).round(3))
    forest.fit(scaler.transform(train), train_target)
    found = forest.predict(scaler.transform(test))
    print(mean_absolute_error(test_target, found), r2_score(test_target, found))
    print(r2_score(train_target, forest.predict(scaler.transform(train))))
    return forest, found


model, predictions = main()
