"""The search grammar: what it reads, what it refuses and in which words."""

from __future__ import annotations

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import column

from mainspring.core.errors import Invalid
from mainspring.core.filters import MAX_COMPARISONS, parse_filter, written
from mainspring.core.grammar import MAX_LENGTH, Comparison, Grammar, Order
from mainspring.core.keyset import Slot, read_token, write_token
from mainspring.core.order import parse_order
from mainspring.registry.search_grammar import MODELS, VERSIONS
from mainspring.tracking.search_grammar import EXPERIMENTS, RUNS, TRAINED_MODELS

GRAMMARS = [RUNS, EXPERIMENTS, TRAINED_MODELS, MODELS, VERSIONS]


@pytest.mark.parametrize(
    ("text", "kind", "key", "comparator", "value"),
    [
        ("metric.acc >= 0.94", "metric", "acc", ">=", 0.94),
        ("metric.acc>=100", "metric", "acc", ">=", 100),
        ("metrics.loss < -1.5e-3", "metric", "loss", "<", -0.0015),
        ("metrics.loss < .5", "metric", "loss", "<", 0.5),
        ("params.m!='tf'", "param", "m", "!=", "tf"),
        ('params."m"!="tf"', "param", "m", "!=", "tf"),
        ('metric."legit name" >= 0.243', "metric", "legit name", ">=", 0.243),
        ('metrics."X//Y#$$@&Z" = 3', "metric", "X//Y#$$@&Z", "=", 3),
        ('metrics."accuracy.2.0" > 5', "metric", "accuracy.2.0", ">", 5),
        ("metrics.`spacey name` > 5", "metric", "spacey name", ">", 5),
        ("`metric`.a >= 0.1", "metric", "a", ">=", 0.1),
        ("`tags`.source_name = 'a notebook'", "tag", "source_name", "=", "a notebook"),
        ("tags.mlflow.source.name = 'x'", "tag", "mlflow.source.name", "=", "x"),
        ('params.m = "L\'Hosp"', "param", "m", "=", "L'Hosp"),
        ("parameters.m LIKE 'a%'", "param", "m", "LIKE", "a%"),
        ("tag.a ilike 'B%'", "tag", "a", "ILIKE", "B%"),
        ("tag.a IS NULL", "tag", "a", "IS NULL", None),
        ("param.a is not null", "param", "a", "IS NOT NULL", None),
        ("run.status = 'RUNNING'", "attribute", "status", "=", "RUNNING"),
        ("attr.artifact_uri = '1/2'", "attribute", "artifact_uri", "=", "1/2"),
        ("start_time >= 1234", "attribute", "start_time", ">=", 1234),
        ("attributes.Created < 7", "attribute", "start_time", "<", 7),
        ("attributes.`Run name` = 'a'", "attribute", "run_name", "=", "a"),
        ("run_id IN ('a','b', \"c\",)", "attribute", "run_id", "IN", ("a", "b", "c")),
        ("run_id NOT IN ('a')", "attribute", "run_id", "NOT IN", ("a",)),
        ("dataset.name = 'd'", "dataset", "name", "=", "d"),
        ("datasets.context IN ('x')", "dataset", "context", "IN", ("x",)),
        ("min_metrics.loss < 1", "min_metric", "loss", "<", 1),
        ("count_metric.loss > 10", "count_metric", "loss", ">", 10),
    ],
)
def test_a_comparison_is_read(
    text: str, kind: str, key: str, comparator: str, value: object
) -> None:
    (found,) = parse_filter(text, RUNS)

    assert (found.kind, found.key, found.comparator, found.value) == (kind, key, comparator, value)


def test_comparisons_are_joined_by_and() -> None:
    found = parse_filter("metrics.rmse < 1 and params.a = 'LR'\nAND tags.b != 'x'", RUNS)

    assert [one.key for one in found] == ["rmse", "a", "b"]


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_filter_asks_nothing(text: str) -> None:
    assert parse_filter(text, RUNS) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metric.acc >= 0.94; metrics.rmse < 1", "Search filter contained multiple expression"),
        ("m.acc >= 0.94", "Invalid entity type"),
        ("acc >= 0.94", "Invalid attribute key"),
        ("attri.x != 1", "Invalid entity type"),
        ("metrics.A > 0.1 OR params.B = 'LR'", "Invalid clause(s) in filter string"),
        ("metrics.A > 0.1 NAND params.B = 'LR'", "Invalid clause(s) in filter string"),
        ("metrics.A > 0.1 AND (params.B = 'LR')", "Invalid clause(s) in filter string"),
        ("metrics.A > 0.1 AND", "Invalid clause(s) in filter string"),
        ("AND metrics.A > 0.1", "Invalid clause(s) in filter string"),
        ("metrics.A > 0.1 metrics.B > 0.1", "Invalid clause(s) in filter string"),
        ("`metrics.A > 0.1", "Invalid clause(s) in filter string"),
        ("param`.A > 0.1", "Invalid clause(s) in filter string"),
        ("attribute.start != 1", "Invalid attribute key"),
        ("attribute.experiment_id != 1", "Invalid attribute key"),
        ("attribute.status = true", "Invalid clause(s) in filter string"),
        ("dataset.status = 'true'", "Invalid dataset key"),
        ("metric.model = 'LR'", "Expected numeric value type for metric"),
        ("metric.model = '5'", "Expected numeric value type for metric"),
        ("params.acc = 5", "Expected a quoted string value for param"),
        ("tags.acc = 5", "Expected a quoted string value for tag"),
        ("metrics.acc != metrics.acc", "Expected numeric value type for metric"),
        ("1.0 > metrics.acc", "Expected 'Identifier' found"),
        ("1=1", "Expected 'Identifier' found"),
        ("attribute.status = 1", "Expected a quoted string value for attributes"),
        ("start_time > 'a'", "Expected numeric value type for numeric attribute: start_time"),
        ("params.acc = LR", "value is either not quoted or unidentified quote types"),
        ("params.acc = `LR`", "value is either not quoted or unidentified quote types"),
        ("params.'acc = LR", "Invalid clause(s) in filter string"),
        ("params.acc = 'LR", "Invalid clause(s) in filter string"),
        ("params.acc = LR'", "Invalid clause(s) in filter string"),
        ("params.acc = \"LR'", "Invalid clause(s) in filter string"),
        ("tags.acc = = 'LR'", "Invalid clause(s) in filter string"),
        ("attribute.status IS 'RUNNING'", "Invalid clause(s) in filter string"),
        ("params.acc LR !=", "Invalid clause(s) in filter string"),
        ("params.acc LR", "Invalid clause(s) in filter string"),
        ("metric.acc !=", "Invalid clause(s) in filter string"),
        ("metrics.abc ~ 1.0", "Invalid comparator"),
        ("metrics.abc LIKE 1", "Invalid comparator"),
        ("metrics.abc IS NULL", "Invalid comparator"),
        ("params.abc > 'a'", "Invalid comparator"),
        ("tags.abc <= 'a'", "Invalid comparator"),
        ("tags.abc RLIKE 'a'", "Invalid comparator"),
        ("attributes.status > 'a'", "Invalid comparator"),
        ("attributes.start_time LIKE 1234", "Invalid comparator"),
        ("datasets.name ~ 'a'", "Invalid comparator"),
        ("run_id IN ()", "expected a non-empty list of string values, but got empty list"),
        ("run_id IN (,)", "but got ill-formed list"),
        ("run_id IN ('a',,'b')", "but got ill-formed list"),
        ("run_id IN ('a' 'b')", "but got ill-formed list"),
        ("run_id IN (a)", "but got ill-formed list"),
        ("run_id IN (1,2,3)", "but got different type in list"),
        ("run_id IN (", "Invalid clause(s) in filter string"),
        ("run_id IN", "Invalid clause(s) in filter string"),
        ("run_id NOT 'a'", "Invalid clause(s) in filter string"),
        ("run_name LIKE", "Invalid clause(s) in filter string"),
        ("params.a = 'x\x00'", "a character that cannot be stored"),
        ("params.a = '\ud800'", "a character that cannot be stored"),
        (f"params.a LIKE '{'é' * 9_000}'", "a pattern longer than"),
        ("x" * (MAX_LENGTH + 1), "longer than"),
    ],
)
def test_a_bad_filter_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_filter(text, RUNS)

    assert message in refused.value.message
    assert len(refused.value.message) < 1000
    assert refused.value.field == "filter"


def test_many_comparisons_are_read_and_too_many_are_refused() -> None:
    most = " AND ".join(["metrics.a > 1"] * MAX_COMPARISONS)

    assert len(parse_filter(most, RUNS)) == MAX_COMPARISONS
    with pytest.raises(Invalid, match="more than"):
        parse_filter(f"{most} AND metrics.a > 1", RUNS)


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (EXPERIMENTS, "metrics.a > 1", "Invalid entity type"),
        (EXPERIMENTS, "creation_time LIKE 1", "Invalid comparator"),
        (MODELS, "run_id = 'a'", "Invalid attribute key 'run_id' specified"),
        (MODELS, "name!=something", "not quoted or unidentified quote types used for string value"),
        (MODELS, "evilhax = true", "Invalid clause(s) in filter string"),
        (VERSIONS, "version_number LIKE 'a'", "Invalid comparator"),
        (TRAINED_MODELS, "Foo", "Invalid filter string"),
        (TRAINED_MODELS, "name = 'foo' OR name = 'bar'", "Invalid filter string"),
        (TRAINED_MODELS, "foo.bar = 'a'", "Invalid entity type"),
        (TRAINED_MODELS, "name > 'foo'", "Invalid comparison operator"),
        (TRAINED_MODELS, "metrics.foo LIKE 0", "Invalid comparison operator"),
    ],
)
def test_each_thing_has_its_own_words(grammar: Grammar, text: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_filter(text, grammar)

    assert message in refused.value.message


WORDS = st.sampled_from(
    ["metrics.", "params", ".", "tags.a", "`", '"', "'", "x", "=", "!=", "<", "LIKE", "IN", "NOT",
     "IS", "NULL", "AND", "(", ")", ",", "'a'", '"b"', "1", "-2.5e3", " ", "\n", ";", "\\", "run_id",
     "start_time", "\x00", "é", "0x1F", "--", "/*", "1e999", "'", "metrics.`a b`", "dataset.name"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(WORDS, max_size=30).map("".join)), st.sampled_from(GRAMMARS))
def test_whatever_is_written_is_read_or_refused(text: str, grammar: Grammar) -> None:
    try:
        found = parse_filter(text, grammar)
    except Invalid:
        return
    assert all(isinstance(one, Comparison) for one in found)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=10).map("".join)), st.sampled_from(GRAMMARS))
def test_whatever_order_is_written_is_read_or_refused(text: str, grammar: Grammar) -> None:
    try:
        (found,) = parse_order([text], grammar)
    except Invalid:
        return
    assert isinstance(found, Order)


@pytest.mark.parametrize(
    "text",
    [
        "tag.a = 'it''s' AND tag.`b c` LIKE \"x'y%\" AND name IN ('a', 'b')",
        "version_number >= 3 AND version_number < 1e999",
        'tag."a`b" != \'c"d\'',
    ],
)
def test_a_filter_can_be_written_again(text: str) -> None:
    found = parse_filter(text, VERSIONS)

    assert parse_filter(written(found), VERSIONS) == found


@pytest.mark.parametrize(
    ("clause", "wanted"),
    [
        ("metrics.`Mean Square Error`", Order("metric", "Mean Square Error")),
        ("metrics.`Mean Square Error` DESC", Order("metric", "Mean Square Error", ascending=False)),
        ("start_time\n asc", Order("attribute", "start_time")),
        ("attributes.created dEsC", Order("attribute", "start_time", ascending=False)),
        ("tags.mlflow.runName", Order("tag", "mlflow.runName")),
        ("params.val-loss", Order("param", "val-loss")),
        ("best_metrics.auc DESC", Order("best_metric", "auc", ascending=False)),
    ],
)
def test_an_order_is_read(clause: str, wanted: Order) -> None:
    assert parse_order([clause], RUNS) == [wanted]


@pytest.mark.parametrize(
    ("clause", "message"),
    [
        ("m.acc", "Invalid entity type"),
        ("acc", "Invalid attribute key"),
        ("`metrics.A", "Invalid order_by clause"),
        ("`metrics.A`", "Invalid entity type"),
        ("attribute.experiment_id", "Invalid attribute key"),
        ("metrics.A != 1", "Invalid order_by clause"),
        ("params.my_param ", "Invalid order_by clause"),
        ("", "Invalid order_by clause"),
        ("attribute.run_id ACS", "Invalid ordering key"),
        ("dataset.name", "Invalid order_by entity"),
        ("metrics.a\x00", "a character that cannot be stored"),
    ],
)
def test_a_bad_order_is_refused_in_words(clause: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_order([clause], RUNS)

    assert message in refused.value.message
    assert refused.value.field == "order_by"


def test_nothing_is_sorted_by_twice() -> None:
    with pytest.raises(Invalid, match="`order_by` contains duplicate fields"):
        parse_order(["timestamp", "last_updated_timestamp DESC"], MODELS)


def test_a_model_has_few_keys_to_sort_by() -> None:
    with pytest.raises(Invalid, match=r"Invalid order by key '.+' specified"):
        parse_order(["name ASC", "creation_timestamp DESC"], MODELS)


SLOTS = [Slot(column("a"), int), Slot(column("b"), float), Slot(column("c"), str)]
ASKED: dict[str, object] = {"Experiment IDs": ["1"], "Filter string": "", "Order by": ["b"]}


@pytest.mark.parametrize(
    "values", [(1, 0.1, "a"), (0, float("inf"), ""), (-5, None, "é"), (2, float("-inf"), "x")]
)
def test_a_token_comes_back_as_it_was(values: tuple[object, ...]) -> None:
    assert read_token(write_token(ASKED, values), ASKED, SLOTS) == values


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("Experiment IDs", "Experiment IDs in the page token do not match"),
        ("Filter string", "Filter string in the page token does not match"),
        ("Order by", "Order by in the page token does not match"),
    ],
)
def test_a_token_of_another_question_is_refused(part: str, message: str) -> None:
    token = write_token(ASKED, (1, 0.1, "a"))

    with pytest.raises(Invalid, match=message):
        read_token(token, {**ASKED, part: "other"}, SLOTS)


def forged(*values: object) -> str:
    marks, _ = msgspec.json.decode(base64.urlsafe_b64decode(write_token(ASKED, (1, 0.1, "a"))))
    return base64.urlsafe_b64encode(msgspec.json.encode([marks, values])).decode()


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("evilhax", "Invalid page token, could not base64-decode"),
        ("é", "Invalid page token, could not base64-decode"),
        (base64.urlsafe_b64encode(b"[" * 100_000).decode(), "Invalid page token"),
        (base64.urlsafe_b64encode(b"\xff\xfe").decode(), "Invalid page token"),
        (base64.urlsafe_b64encode(b'{"offset": 4}').decode(), "Invalid page token"),
        (forged(1), "Invalid page token"),
        (forged("1", {"f": "0.1"}, "a"), "Invalid page token"),
        (forged(True, {"f": "0.1"}, "a"), "Invalid page token"),
        (forged(2**63, {"f": "0.1"}, "a"), "Invalid page token"),
        (forged(1, {"f": "many"}, "a"), "Invalid page token"),
        (forged(1, 7, "a"), "Invalid page token"),
        (forged(1, {"f": "0.1"}, "a\x00"), "Invalid page token"),
    ],
)
def test_a_token_that_no_server_gave_is_refused(token: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_token(token, ASKED, SLOTS)

    assert message in refused.value.message
    assert refused.value.field == "after"
