"""Failures as people and programs read them: what, why, what to do, the code; never a traceback."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import click

from mainspring.core.errors import Invalid, MainspringError
from mainspring.interfaces.cli.frame import Choices


@dataclass(frozen=True, slots=True)
class Style:
    """How a failure is told."""

    as_json: bool
    traceback: bool
    color: bool

    @classmethod
    def chosen_by(cls, choices: Choices, given: Sequence[str]) -> Style:
        """What the person chose; arguments that could not be read are looked at as text."""
        return cls(
            as_json=choices.as_json or "--json" in given,
            traceback=choices.verbose or "-v" in given or "--verbose" in given,
            color=sys.stderr.isatty() and not choices.no_color and "--no-color" not in given,
        )


def explained(error: MainspringError, style: Style) -> int:
    """Tell an error that Mainspring raised on purpose."""
    if style.traceback:
        traceback.print_exception(error)
    tell(error, style)
    return error.exit_code


def of_usage(error: click.ClickException, style: Style) -> int:
    """Tell that the command line was not understood."""
    text = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "mainspring"
    fix, near = f"{path} --help", getattr(error, "possibilities", None)
    if near:
        text = getattr(error, "message", text).rstrip(".")
        fix = f"did you mean {' or '.join(near)}? else: {fix}"
    verbs = getattr(context.command, "helps", None) if context else None
    if verbs and text == "Missing command":
        fix = f"{path} with one of: {', '.join(verbs)}"
    tell(Invalid(text[:1].lower() + text[1:], fix=fix), style)
    return Invalid.exit_code


def unexpected(error: Exception, style: Style) -> int:
    """Tell of a fault of ours."""
    if style.traceback:
        traceback.print_exception(error)
    fault = MainspringError(
        f"unexpected: {type(error).__name__}: {error}",
        fix="run it again with -v to see the traceback, and report it",
    )
    tell(fault, style)
    return fault.exit_code


def tell(error: MainspringError, style: Style) -> None:
    """Write the error to stderr."""
    if style.as_json:
        sys.stderr.write(json.dumps(error.as_json()) + "\n")
        return
    # Messages often end with their reasons, for those who see only the message.
    what = error.message.removesuffix("; ".join(error.reasons)).removesuffix(": ")
    lines = [("error", what)]
    lines += [("why", reason) for reason in error.reasons]
    lines += [("fix", error.fix or f"mainspring explain {error.code}"), ("code", error.code)]
    for word, text in lines:
        colored = click.style(word, fg="red" if word == "error" else None, bold=True)
        sys.stderr.write(f"{colored if style.color else word}: {text}\n")
