"""How large a query may be; checked before anything of it is looked up."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    InlineFragmentNode,
    SelectionSetNode,
)

MAX_LENGTH = 200_000
"""Characters."""
MAX_TOKENS = 20_000
MAX_DEPTH = 10
MAX_SELECTIONS = 1_000
MAX_ROOT_FIELDS = 10
MAX_ALIASES = 10


def check_size(document: DocumentNode) -> None:
    """Refuse what would make the server work long for a short question."""
    roots = aliases = selections = 0
    for definition in document.definitions:
        if not isinstance(definition, ExecutableDefinitionNode):
            raise GraphQLError("Only queries and mutations are answered, no schema is changed here")
        waiting = [(definition.selection_set, 1)]
        while waiting:
            selected, depth = waiting.pop()
            if depth > MAX_DEPTH:
                raise GraphQLError(f"Query exceeds maximum depth of {MAX_DEPTH}")
            fields = list(_fields(selected))
            selections += len(fields)
            if selections > MAX_SELECTIONS:
                raise GraphQLError(f"Query exceeds maximum total selections of {MAX_SELECTIONS}")
            roots += len(fields) if depth == 1 and _starts(definition) else 0
            aliases = max(aliases, sum(one.alias is not None for one in fields))
            waiting += [(one.selection_set, depth + 1) for one in fields if one.selection_set]
    _check(roots, MAX_ROOT_FIELDS, "root fields")
    _check(aliases, MAX_ALIASES, "aliases")


def _starts(definition: ExecutableDefinitionNode) -> bool:
    """Whether its fields are those that a query starts with."""
    if isinstance(definition, FragmentDefinitionNode):
        return definition.type_condition.name.value in ("Query", "Mutation")
    return True


def _fields(selected: SelectionSetNode) -> Iterator[FieldNode]:
    """The fields of one level; those in a fragment without a name stand on the same level."""
    waiting = [selected]
    while waiting:
        for one in waiting.pop().selections:
            if isinstance(one, FieldNode):
                yield one
            elif isinstance(one, InlineFragmentNode):
                waiting.append(one.selection_set)


def _check(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise GraphQLError(
            f"GraphQL queries should have at most {limit} {what}, got {count} {what}."
        )
