"""An estimator that is recorded can be served from its folder, where reading it runs no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mainspring.core.errors import Invalid
from mainspring.core.signature import Column, Signature
from mainspring.engines.source import load_source
from mainspring.recording.packing import NOTHING_KNOWN, pack, signature_of_call

DATA, TARGET = load_iris(return_X_y=True)
FRAME = pd.DataFrame(DATA, columns=["a", "b", "c", "d"])


def _forest() -> RandomForestClassifier:
    return RandomForestClassifier(3, n_jobs=2, random_state=1)


def test_an_estimator_with_a_sample_is_served_by_its_columns(tmp_path: Path) -> None:
    model = _forest().fit(FRAME, TARGET == 1)

    packed = pack(model, tmp_path, None, None, FRAME[:20])

    assert (packed.engine, packed.type) == ("scikit-learn", "scikit-learn")
    served = load_source(str(tmp_path))
    assert served.signature == packed.signature
    found = served.predict({name: FRAME[name].to_numpy() for name in FRAME})
    np.testing.assert_array_equal(found["score"], model.predict_proba(FRAME)[:, 1])
    assert model.n_jobs == 2


def test_an_estimator_without_a_sample_says_itself_what_it_takes(tmp_path: Path) -> None:
    model = make_pipeline(StandardScaler(), _forest()).fit(DATA, TARGET)

    packed = pack(model, tmp_path, None, None, None)

    assert packed.engine == "scikit-learn"
    assert packed.signature == Signature(
        inputs=(Column(name="input", datatype="FP64", shape=(4,), nullable=True),),
        outputs=(
            Column(name="predict", datatype="INT64"),
            Column(name="predict_proba", datatype="FP64", shape=(3,)),
        ),
    )
    found = load_source(str(tmp_path)).predict({"input": DATA})
    np.testing.assert_array_equal(found["predict"], model.predict(DATA))


def test_only_what_the_model_takes_without_a_value_may_lack_one(tmp_path: Path) -> None:
    filling = make_column_transformer(
        (SimpleImputer(), ["a", "b"]), (OneHotEncoder(), ["kind"]), remainder=StandardScaler()
    )
    frame = FRAME.assign(kind=["x", "y"] * 75)
    model = make_pipeline(filling, LogisticRegression(max_iter=1000)).fit(frame, TARGET == 1)

    packed = pack(model, tmp_path, None, None, frame[:20])

    nullable = {column.name: column.nullable for column in packed.signature.inputs}
    assert nullable == {"a": True, "b": True, "c": False, "d": False, "kind": False}
    assert packed.signature == load_source(str(tmp_path)).signature


def test_what_autologging_saw_of_a_call_is_served(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=1000).fit(FRAME, load_iris().target_names[TARGET])
    signature = signature_of_call(FRAME[:5], model.predict(FRAME[:5]))

    packed = pack(model, tmp_path, None, signature, FRAME[:5])

    assert packed.engine == "scikit-learn"
    found = load_source(str(tmp_path)).predict({name: FRAME[name].to_numpy() for name in FRAME})
    assert found["prediction"].tolist() == model.predict(FRAME).tolist()


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(max_iter=1000)),
        make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression(max_iter=1000)),
    ],
    ids=["a first guess that is not checked", "a function of its own"],
)
def test_what_runs_code_has_no_engine_but_can_be_allowed(tmp_path: Path, model: Any) -> None:
    fitted = model.fit(DATA, TARGET)

    packed = pack(fitted, tmp_path, None, None, None)

    assert packed.type == "scikit-learn"
    assert packed.engine == ""
    with pytest.raises(Invalid) as refusal:
        load_source(str(tmp_path))
    assert "--allow-code-models" in str(refusal.value.fix)


def test_what_its_signature_does_not_fit_is_kept_and_not_served(tmp_path: Path) -> None:
    model = LogisticRegression(max_iter=1000).fit(DATA, TARGET)

    short = pack(model, tmp_path, None, None, FRAME[["a", "b"]][:5])
    nothing = pack(StandardScaler().fit(DATA), tmp_path, None, None, None)

    assert (short.engine, [column.name for column in short.signature.inputs]) == ("", ["a", "b"])
    assert (nothing.engine, nothing.signature) == ("", NOTHING_KNOWN)
    assert not (tmp_path / "model.json").exists()
