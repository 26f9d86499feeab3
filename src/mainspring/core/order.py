"""The order that a search asks for: `metrics.loss DESC`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.core.errors import Invalid
from mainspring.core.grammar import Grammar, Order, checked_text, shown, unquoted

MAX_ORDERS = 20
_PART = r"""(?:`(?:``|[^`])*`|"(?:""|\\"|[^"])*"|[^\s.`"]+)"""
_CLAUSE = re.compile(rf"(?P<name>{_PART}(?:\.{_PART})*)(?:\s+(?P<way>\w+))?")


def parse_order(clauses: Sequence[str], grammar: Grammar) -> list[Order]:
    """What to sort by, checked against the grammar; nothing may be named twice."""
    if len(clauses) > MAX_ORDERS:
        raise Invalid(f"order_by: more than {MAX_ORDERS} clauses", field="order_by")
    found = [_order(clause, grammar) for clause in clauses]
    if len({(order.kind, order.key) for order in found}) < len(found):
        raise Invalid(f"`order_by` contains duplicate fields: {list(clauses)}", field="order_by")
    return found


def written_order(name: str, *, ascending: bool) -> str:
    """A clause for a name as it is spoken, with quotes around what stands behind the dot."""
    entity, dot, key = name.partition(".")
    if dot:
        quote = '"' if "`" in key else "`"
        name = f"{entity}.{quote}{unquoted(key)}{quote}"
    return f"{name.strip()} {'ASC' if ascending else 'DESC'}"


def _order(clause: str, grammar: Grammar) -> Order:
    checked_text(clause, "order_by")
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        raise Invalid(
            f"Invalid order_by clause {shown(clause)}. Could not be parsed.", field="order_by"
        )
    way = (match["way"] or "asc").lower()
    if way not in ("asc", "desc"):
        raise Invalid(f"Invalid ordering key in order_by clause {shown(clause)}.", field="order_by")
    kind, key = grammar.named(match["name"], "order_by")
    if kind not in grammar.order_kinds:
        raise Invalid(f"Invalid order_by entity type: {kind}", field="order_by")
    if kind == "attribute" and key not in grammar.orders:
        raise Invalid(
            grammar.bad_order.format(found=key[:100], wanted=sorted(grammar.orders)),
            field="order_by",
        )
    return Order(kind, key, way == "asc")
