"""What of one kind of thing may be compared and sorted by, and what a filter says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mainspring.core.errors import Invalid

MAX_LENGTH = 100_000

Kind = Literal[
    "attribute",
    "metric",
    "first_metric",
    "min_metric",
    "max_metric",
    "best_metric",
    "count_metric",
    "param",
    "tag",
    "dataset",
]
SIZES = ("=", "!=", "<", "<=", ">", ">=")
LIKENESS = ("=", "!=", "LIKE", "ILIKE")
LISTS = (*LIKENESS, "IN", "NOT IN")
PRESENCE = (*LIKENESS, "IS NULL", "IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition. A metric's or numeric attribute's value is a number, a list's a tuple."""

    kind: Kind
    key: str
    comparator: str
    value: str | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to sort by."""

    kind: Kind
    key: str
    ascending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """What of one kind of thing may be compared and sorted by."""

    entities: Mapping[str, Kind]
    """The words before the dot; without a dot an attribute is meant."""
    attributes: Mapping[str, tuple[str, ...]]
    """Each attribute that may be compared, and by which comparators."""
    numbers: frozenset[str] = frozenset()
    """The attributes that are numbers."""
    comparators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind, for all kinds but attributes."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of attributes."""
    orders: frozenset[str] = frozenset()
    """The attributes that may be sorted by."""
    order_kinds: frozenset[Kind] = frozenset({"attribute"})
    dataset_keys: tuple[str, ...] = ()
    bad_clause: str = "Invalid clause(s) in filter string: {found}"
    bad_comparator: str = "Invalid comparator {found!r} not one of {wanted}"
    bad_order: str = "Invalid attribute key {found!r} specified. Valid keys are {wanted}"

    def named(self, word: str, place: str = "filter") -> tuple[Kind, str]:
        """The kind and key that an identifier names; errors say where it stood."""
        entity, dot, rest = word.partition(".")
        if not dot:
            return "attribute", self._attribute(unquoted(word))
        kind = self.entities.get(_without(entity, "`"))
        if kind is None:
            raise Invalid(
                f"Invalid entity type {shown(_without(entity, '`'))}. "
                f"Valid values are {list(self.entities)}",
                field=place,
            )
        key = unquoted(rest)
        return kind, self._attribute(key) if kind == "attribute" else key

    def allowed(self, kind: Kind, key: str) -> tuple[str, ...]:
        """The comparators that fit; refuses a key that this kind does not have."""
        if kind == "attribute":
            if key not in self.attributes:
                raise Invalid(
                    f"Invalid attribute key {shown(key)} specified. "
                    f"Valid keys are {sorted(self.attributes)}",
                    field="filter",
                )
            return self.attributes[key]
        if kind == "dataset" and key not in self.dataset_keys:
            raise Invalid(
                f"Invalid dataset key {shown(key)} specified. "
                f"Valid keys are {sorted(self.dataset_keys)}",
                field="filter",
            )
        return self.comparators[kind]

    def is_number(self, kind: Kind, key: str) -> bool:
        """Whether it is compared with numbers."""
        return key in self.numbers if kind == "attribute" else kind.endswith("metric")

    def _attribute(self, key: str) -> str:
        return self.aliases.get(key, key)


def checked_text(text: str, name: str) -> None:
    """Refuse what is too long, and characters that no database stores."""
    if len(text) > MAX_LENGTH:
        raise Invalid(f"{name}: longer than {MAX_LENGTH} characters", field=name)
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise Invalid(f"{name}: a character that cannot be stored", field=name)


def shown(text: str) -> str:
    """What was found, short enough for an error."""
    return repr(text if len(text) <= 100 else f"{text[:100]}...")


def unquoted(text: str) -> str:
    """A key without the back-ticks or quotes around it."""
    return _without(_without(_without(text, "'"), '"'), "`")


def _without(text: str, quote: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == quote:
        return text[1:-1]
    return text
