"""`mainspring people set-password`: asked for at the terminal, or read line by line; never an argument."""

from __future__ import annotations

import sys

import click

from mainspring.administration import contract
from mainspring.administration.contract import Nothing, SetPassword
from mainspring.core.errors import Invalid
from mainspring.interfaces.cli.connection import connected
from mainspring.interfaces.cli.frame import Command, chosen
from mainspring.interfaces.cli.output import show


@click.command("set-password", cls=Command)
@click.argument("person", required=False)
@click.option("--first", is_flag=True, help="You have no password yet: no old one is asked for.")
def set_password(person: str | None, *, first: bool) -> None:
    """Set a password: one's own, or as an administrator anybody's.

    It is asked for. Without PERSON it is your own, after the old one. Without a terminal, the lines
    of the input are the old password (if one is asked for) and the new one.
    """
    with connected() as connection:
        me = connection.client.call(contract.whoami, Nothing()).name
        about = person or me
        old = _asked("old password") if about == me and not first else None
        new = _asked(f"new password of {about}", again=True)
        request = SetPassword(person=about, password=new, old_password=old)
        answer = connection.client.call(contract.set_password, request)
    if chosen().as_json:
        show(contract.set_password, answer, request)
    else:
        click.echo(f"{about} has another password")


def _asked(what: str, *, again: bool = False) -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt(what, hide_input=True, confirmation_prompt=again, err=True)
        return answer
    line = sys.stdin.readline()
    if not line:
        raise Invalid(f"the input ends before the {what}", field="password")
    return line.removesuffix("\n")
