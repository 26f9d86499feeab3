"""The search grammar: `metrics.loss < 0.1 AND tags.team = 'a'`. MLflow's, read by a parser of our own.

A filter is comparisons joined by AND. What may be compared, and how, is a `Grammar`: one for each kind
of thing that is searched. The words of the errors are those that MLflow's clients look for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mainspring.core.errors import Invalid
from mainspring.core.grammar import Comparison, Grammar, Kind, checked_text, shown

MAX_COMPARISONS = 1_000
MAX_PATTERN_BYTES = 16_000
"""SQLite matches no pattern beyond 50,000 bytes, and ours grow when they are written its way."""
_QUOTED = r"""`(?:``|[^`])*`|"(?:""|\\"|[^"])*\""""
_TOKEN = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<text>'(?:''|\\'|[^'])*')
  | (?P<word>(?:{_QUOTED}|[^\W\d][\w$\#@]*)(?:\.(?:{_QUOTED}|[\w$\#@]+))*)
  | (?P<number>-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
  | (?P<comparator>[<>=!~]+)
  | (?P<mark>[(),;])
    """,
    re.VERBOSE,
)
_WORDS = frozenset({"LIKE", "ILIKE", "RLIKE", "IN"})
_NO_VALUES = frozenset({"TRUE", "FALSE", "NULL", "AND", "OR", "NOT"})


@dataclass(frozen=True, slots=True)
class _Token:
    sort: str
    text: str


def parse_filter(text: str, grammar: Grammar) -> list[Comparison]:
    """The comparisons of a filter, checked against the grammar; an empty filter has none."""
    checked_text(text, "filter")
    tokens = list(_tokens(text, grammar))
    parser = _Parser(tokens, grammar)
    found: list[Comparison] = []
    while not parser.at_end:
        if found:
            parser.expect_and()
        found.append(parser.comparison())
        if len(found) > MAX_COMPARISONS:
            raise Invalid(f"filter: more than {MAX_COMPARISONS} comparisons", field="filter")
    return found


def _tokens(text: str, grammar: Grammar) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _bad_clause(grammar, text[place:])
        place = match.end()
        sort = match.lastgroup or ""
        if match.group() == ";":
            raise Invalid(
                f"Search filter contained multiple expression {shown(text)}. "
                "Provide AND-ed expression list.",
                field="filter",
            )
        if sort != "space":
            yield _Token(sort, match.group())


def _bad_clause(grammar: Grammar, found: str) -> Invalid:
    return Invalid(grammar.bad_clause.format(found=shown(found)), field="filter")


class _Parser:
    """Reads comparisons off the tokens, one after another."""

    def __init__(self, tokens: list[_Token], grammar: Grammar) -> None:
        self._tokens = tokens
        self._grammar = grammar
        self._place = 0

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._place == len(self._tokens)

    def expect_and(self) -> None:
        """Read the AND between two comparisons."""
        if self._word() != "AND":
            raise self._bad()
        self._place += 1
        if self.at_end:
            raise _bad_clause(self._grammar, "AND")

    def comparison(self) -> Comparison:
        """Read one comparison and check it."""
        first = self._next()
        if first.sort != "word" or first.text.upper() in _NO_VALUES:
            if first.sort in ("text", "number") and self._at("comparator"):
                raise Invalid(
                    f"Invalid comparison clause. Expected 'Identifier' found {shown(first.text)}",
                    field="filter",
                )
            raise _bad_clause(self._grammar, first.text)
        comparator = self._comparator(first)
        token = None
        if comparator not in ("IS NULL", "IS NOT NULL", "IN", "NOT IN"):
            token = self._value_token(first)
        kind, key = self._grammar.named(first.text)
        wanted = self._grammar.allowed(kind, key)
        if comparator not in wanted:
            raise Invalid(
                self._grammar.bad_comparator.format(
                    found=comparator, wanted=list(wanted), entity=first.text[:100]
                ),
                field="filter",
            )
        if comparator in ("IN", "NOT IN"):
            return Comparison(kind, key, comparator, self._list())
        if token is None:
            return Comparison(kind, key, comparator, None)
        return Comparison(kind, key, comparator, self._value(kind, key, comparator, token))

    def _comparator(self, first: _Token) -> str:
        if self.at_end:
            raise _bad_clause(self._grammar, first.text)
        token = self._next()
        word = token.text.upper()
        if token.sort == "comparator":
            return token.text
        if token.sort == "word" and word in _WORDS:
            return self._before_list(word, first) if word == "IN" else word
        if token.sort == "word" and word == "NOT" and self._word() == "IN":
            self._place += 1
            return self._before_list("NOT IN", first)
        if token.sort == "word" and word == "IS":
            negated = self._word() == "NOT"
            self._place += negated
            if self._word() == "NULL":
                self._place += 1
                return "IS NOT NULL" if negated else "IS NULL"
        raise _bad_clause(self._grammar, f"{first.text} {token.text}")

    def _before_list(self, word: str, first: _Token) -> str:
        if self.at_end or self._tokens[self._place].text != "(":
            raise _bad_clause(self._grammar, f"{first.text} {word}")
        return word

    def _value_token(self, first: _Token) -> _Token:
        if self.at_end:
            raise _bad_clause(self._grammar, first.text)
        token = self._next()
        if token.sort in ("comparator", "mark"):
            raise _bad_clause(self._grammar, f"{first.text} {token.text}")
        if token.sort == "word" and token.text.upper() in _NO_VALUES:
            raise _bad_clause(self._grammar, f"{first.text} {token.text}")
        return token

    def _value(self, kind: Kind, key: str, comparator: str, token: _Token) -> str | float:
        if self._grammar.is_number(kind, key):
            if token.sort != "number":
                what = f"numeric attribute: {key}" if kind == "attribute" else "metric"
                raise Invalid(
                    f"Expected numeric value type for {what}. Found {token.text[:100]}",
                    field="filter",
                )
            return _number(token.text)
        if token.sort == "number":
            what = "attributes" if kind == "attribute" else _SPOKEN.get(kind, kind)
            raise Invalid(
                f"Expected a quoted string value for {what} (e.g. 'my-value'). "
                f"Got value {token.text[:100]}",
                field="filter",
            )
        if token.text[0] not in "'\"" or token.text[-1] != token.text[0] or len(token.text) < 2:
            raise Invalid(
                "Parameter value is either not quoted or unidentified quote types used for "
                f"string value {token.text[:100]}. Use either single or double quotes.",
                field="filter",
            )
        value = token.text[1:-1]
        if "LIKE" in comparator and len(value.encode()) > MAX_PATTERN_BYTES:
            raise Invalid(
                f"filter: a pattern longer than {MAX_PATTERN_BYTES} bytes", field="filter"
            )
        return value

    def _list(self) -> tuple[str, ...]:
        self._place += 1
        found: list[str] = []
        wants_value = True
        while True:
            if self.at_end:
                raise _bad_clause(self._grammar, "(")
            token = self._next()
            if token.text == ")" and (found or wants_value):
                break
            if (token.text == ",") is wants_value:
                raise Invalid(
                    f"{_LIST} a non-empty list of string values, but got ill-formed list.",
                    field="filter",
                )
            if token.text != ",":
                found.append(self._list_item(token))
            wants_value = not wants_value
        if not found:
            raise Invalid(
                f"{_LIST} a non-empty list of string values, but got empty list", field="filter"
            )
        return tuple(found)

    def _list_item(self, token: _Token) -> str:
        if token.sort == "number":
            raise Invalid(
                f"{_LIST} string value, punctuation, or whitespace, but got different type in "
                f"list: {token.text[:100]}",
                field="filter",
            )
        if token.text[0] not in "'\"" or token.text[-1] != token.text[0]:
            raise Invalid(
                f"{_LIST} a non-empty list of string values, but got ill-formed list.",
                field="filter",
            )
        return token.text[1:-1]

    def _next(self) -> _Token:
        token = self._tokens[self._place]
        self._place += 1
        return token

    def _word(self) -> str:
        if self.at_end or self._tokens[self._place].sort != "word":
            return ""
        return self._tokens[self._place].text.upper()

    def _at(self, sort: str) -> bool:
        return not self.at_end and self._tokens[self._place].sort == sort

    def _bad(self) -> Invalid:
        return _bad_clause(self._grammar, self._tokens[self._place].text)


_LIST = "While parsing a list in the query, expected"
_SPOKEN = {"param": "parameter"}


def _number(text: str) -> float:
    """The number; a whole one that a database's integers hold stays exact."""
    whole = len(text) <= 18 and text.lstrip("-").isdigit()
    return int(text) if whole else float(text)


def written(comparisons: Sequence[Comparison]) -> str:
    """A filter that says the same again."""
    return " AND ".join(map(_written, comparisons))


def _written(one: Comparison) -> str:
    entity = "" if one.kind == "attribute" else f"{one.kind}."
    quote = '"' if "`" in one.key else "`"
    name = f"{entity}{quote}{one.key}{quote}"
    if one.value is None:
        return f"{name} {one.comparator}"
    if isinstance(one.value, tuple):
        return f"{name} {one.comparator} ({', '.join(map(_quoted, one.value))})"
    value = (
        _quoted(one.value)
        if isinstance(one.value, str)
        else repr(one.value).replace("inf", "1e999")
    )
    return f"{name} {one.comparator} {value}"


def _quoted(value: str) -> str:
    """A literal as it was: between single quotes if it can stand there, else between double ones."""
    text = f"'{value}'"
    match = _TOKEN.match(text)
    return text if match is not None and match.end() == len(text) else f'"{value}"'
