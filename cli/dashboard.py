"""`dashboard`: the stack's dashboard in the AWS console."""

from __future__ import annotations

import click

from cli.output import print_json
from cli.target import Target, as_json, on_stack


@click.command()
@click.option("--open", "opens", is_flag=True, help="Open it in the browser.")
@as_json
@on_stack
def dashboard(target: Target, opens: bool, as_json: bool) -> None:
    """Print the address of the stack's dashboard.

    The local stack has one too, but no console that would show it.

    \b
    Example:
      callverify dashboard --stack callverify --open
    """
    url = target.output("DashboardUrl")
    if as_json:
        print_json({"url": url})
    else:
        click.echo(url)
    if opens:
        click.launch(url)
