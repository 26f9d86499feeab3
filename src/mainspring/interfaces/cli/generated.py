"""`mainspring NOUN VERB`, read off the operations that a stage declares."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import click
from msgspec import inspect as types

from mainspring.core.chain import Fault
from mainspring.core.errors import Corrupt
from mainspring.core.operation import Client, Operation, operations_in
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, Group, chosen
from mainspring.interfaces.cli.loading import load
from mainspring.interfaces.cli.output import show
from mainspring.interfaces.cli.parameters import argument, documented, option
from mainspring.interfaces.cli.references import version_named, whole_id
from mainspring.interfaces.cli.requests import build
from mainspring.interfaces.cli.table import VERBS, Noun
from mainspring.stages import CONTRACTS

REFERENCE = "model_at_version"
TAKES_AWAY = frozenset({"disable", "stop", "cancel", "revoke", "withdraw", "unalias", "erase"})
"""The verbs that are asked about; a DELETE is as well."""


def noun_group(name: str, noun: Noun) -> click.Group:
    """The group of all that can be asked about a noun."""
    contracts = [place for place in CONTRACTS if place.startswith(f"{noun.stage}.")]
    found = {}
    for operation in operations_in(*(import_module(f"mainspring.{one}") for one in contracts)):
        of, _, verb = operation.name.partition(".")
        if of == name:
            found[verb] = operation
    return NounGroup(name, noun, found)


class NounGroup(Group):
    """The verbs of one noun: those by hand first; those of our own services are not listed."""

    def __init__(self, name: str, noun: Noun, found: dict[str, Operation[Any, Any]]) -> None:
        self._by_hand = VERBS.get(name, {})
        listed = {verb: one.help for verb, one in self._by_hand.items()}
        for verb, one in found.items():
            if not _is_ours(one):
                listed.setdefault(verb, one.summary)
        super().__init__(
            name,
            listed,
            help=noun.help,
            callback=self._alone,
            invoke_without_command=noun.alone is not None,
        )
        self._operations = found
        self._only = noun.alone

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by hand, else the one of the operation."""
        if cmd_name in self._by_hand:
            command: click.Command = load(self._by_hand[cmd_name].place)
            return command
        operation = self._operations.get(cmd_name)
        return OperationCommand(cmd_name, operation) if operation else None

    def _alone(self) -> None:
        context = click.get_current_context()
        if self._only and context.invoked_subcommand is None:
            perform(self._operations[self._only], {})


class OperationCommand(Command):
    """One operation as a command."""

    def __init__(self, name: str, operation: Operation[Any, Any]) -> None:
        self._operation = operation
        super().__init__(
            name,
            params=_parameters(operation),
            callback=self._perform,
            help=operation.summary,
            hidden=_is_ours(operation),
        )

    def _perform(self, **given: Any) -> None:
        perform(self._operation, {name: value for name, value in given.items() if _said(value)})

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help with what the contract says of each field; its source is read for help alone."""
        said = documented(self._operation.request)
        for parameter in self.params:
            if parameter.name in said and isinstance(parameter, click.Option):
                parameter.help = f"{said[parameter.name]} {parameter.help or ''}".strip()
        super().format_help(ctx, formatter)


def _is_ours(operation: Operation[Any, Any]) -> bool:
    return operation.allow == "operate" or operation.inside


def _said(value: Any) -> bool:
    return value is not None and value != ()


def _parameters(operation: Operation[Any, Any]) -> list[click.Parameter]:
    shape = types.type_info(operation.request)
    assert isinstance(shape, types.StructType)
    fields = {field.name: field for field in shape.fields}
    places = list(operation.path_fields)
    parameters: list[click.Parameter] = []
    if {"model", "version"} <= set(places):
        parameters.append(click.Argument([REFERENCE], metavar="MODEL@V"))
        places = [name for name in places if name not in ("model", "version")]
        fields = {name: one for name, one in fields.items() if name not in ("model", "version")}
    parameters += [argument(fields[name]) for name in places]
    parameters += [option(one) for name, one in fields.items() if name not in places]
    return parameters


def field_options(operation: Operation[Any, Any], without: Sequence[str]) -> list[click.Parameter]:
    """The options for what an operation takes, for a command by hand that asks it many times."""
    said = documented(operation.request)
    found = [one for one in _parameters(operation) if one.name not in without]
    for one in found:
        if one.name in said and isinstance(one, click.Option):
            one.help = said[one.name]
    return found


def perform(operation: Operation[Any, Any], given: dict[str, Any]) -> None:
    """Ask if need be, perform, and print the answer."""
    with connected() as connection:
        request = build(operation, resolved(connection.client, operation, given))
        ask_before(operation)
        answer = connection.client.call(operation, request)
    show(operation, answer, request)
    if operation.name == "events.verify":
        refuse_altered([(connection.workspace, answer.faults)])
    elif operation.name == "workspaces.verify":
        refuse_altered([(one.workspace, one.chain.faults) for one in answer])


def refuse_altered(verified: Iterable[tuple[str, Iterable[Fault]]]) -> None:
    """End with an error if anything was found that is not as it was written."""
    found = [f"{workspace}: {fault.found}" for workspace, faults in verified for fault in faults]
    if found:
        raise Corrupt(
            f"the log of events is not as it was written: {'; '.join(found)}",
            found,
            fix="restore a backup, and find out who wrote into the database or the checkpoints",
        )


def resolved(
    client: Client, operation: Operation[Any, Any], given: dict[str, Any]
) -> dict[str, Any]:
    """The fields with versions and ids as the operation takes them."""
    fields = dict(given)
    if REFERENCE in fields:
        fields["model"], fields["version"] = version_named(client, fields.pop(REFERENCE))
    for name in operation.path_fields:
        if isinstance(fields.get(name), str):
            fields[name] = whole_id(client, name, fields[name])
    return fields


def ask_before(operation: Operation[Any, Any]) -> None:
    """Make sure of what takes something away, when there is somebody to ask."""
    verb = operation.name.partition(".")[2]
    if operation.verb != "DELETE" and verb not in TAKES_AWAY:
        return
    if sys.stdin.isatty() and not chosen().yes:
        words = click.get_current_context().command_path
        click.confirm(f"{words}: {operation.summary} Go on?", abort=True, err=True)
