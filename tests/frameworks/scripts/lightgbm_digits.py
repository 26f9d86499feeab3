"""A script as it is found: an estimator with scikit-learn's interface, ten classes, a set to watch."""

import lightgbm
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

images, labels = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(images, labels, random_state=3)

model = lightgbm.LGBMClassifier(
    n_estimators=6, num_leaves=7, random_state=3, n_jobs=1, force_row_wise=True
)
model.fit(X_train, y_train, eval_set=[(X_val, y_val)], eval_metric="multi_error")
predictions = model.predict_proba(X_val)
np.save("rows.npy", X_val)
np.save("predictions.npy", predictions)
print(model.score(X_val, y_val))
