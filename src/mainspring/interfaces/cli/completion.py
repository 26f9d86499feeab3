"""`mainspring completion bash`: what makes the shell complete our words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from mainspring.interfaces.cli.frame import Command, note

WHERE = {
    "bash": 'put into ~/.bashrc: eval "$(mainspring completion bash)"',
    "zsh": 'put into ~/.zshrc: eval "$(mainspring completion zsh)"',
    "fish": "mainspring completion fish > ~/.config/fish/completions/mainspring.fish",
}


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(list(WHERE)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    program = context.find_root().command
    click.echo(kind(program, {}, "mainspring", "_MAINSPRING_COMPLETE").source())
    note(WHERE[shell])
