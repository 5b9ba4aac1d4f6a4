"""`completion`: what a shell needs to complete this command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a SHELL.

    \b
    Example:
      source <(callverify completion bash)
    """
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101
    click.echo(found(ctx.find_root().command, {}, "callverify", "_CALLVERIFY_COMPLETE").source())
