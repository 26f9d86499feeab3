"""Asking a fitted model what it takes leaves everything as it was."""

from __future__ import annotations

import random

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

from mainspring.core.signature import Column, Signature
from mainspring.engines.object_parts import chance_kept, sources_in
from mainspring.engines.scikit_learn import ScikitLearnEngine


class Holder:
    def __init__(self, old: np.random.RandomState, new: np.random.Generator) -> None:
        self.inner = [{"source": old}]
        self.new = new

    def draw(self) -> list[float]:
        """A number from each source."""
        old = self.inner[0]["source"]
        return [random.random(), np.random.random(), old.random_sample(), self.new.random()]


def test_every_source_of_chance_is_where_it_was() -> None:
    random.seed(7)
    np.random.seed(7)
    model = Holder(np.random.RandomState(7), np.random.default_rng(7))

    with chance_kept(sources_in(model)):
        first = model.draw()
        second = model.draw()

    assert model.draw() == first != second


def test_a_model_that_draws_is_asked_without_a_trace() -> None:
    own = np.random.RandomState(7)
    rows = np.arange(20, dtype=np.float64).reshape(-1, 1)
    fitted = DummyClassifier(strategy="stratified", random_state=own).fit(rows, [0, 1] * 10)
    state = own.get_state(legacy=False)["state"]["pos"]

    ScikitLearnEngine(fitted, None).narrowed_signature()

    assert own.get_state(legacy=False)["state"]["pos"] == state


def test_a_text_that_a_model_cannot_do_without_is_wanted() -> None:
    fitted = make_pipeline(CountVectorizer(), MultinomialNB()).fit(["good", "bad"], ["yes", "no"])
    text = Column(name="input", datatype="BYTES", nullable=True)
    given = Signature(inputs=(text,), outputs=(Column(name="predict", datatype="BYTES"),))

    (column,) = ScikitLearnEngine(fitted, given).narrowed_signature().inputs

    assert not column.nullable
