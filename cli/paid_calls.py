"""`paid-calls`: the switch that stops every paid call of live mode, without a deployment."""

from __future__ import annotations

import json

import click

from callverify.providers.stop import ALLOWED, PAID_CALLS, STOPPED, without
from cli.credentials import SECRET, read_object
from cli.output import print_json
from cli.secret import change_secret
from cli.target import Target, as_json, on_stack


@click.group("paid-calls")
def paid_calls() -> None:
    """Stop and resume paid calls."""


@paid_calls.command("stop")
@as_json
@on_stack
def stop(target: Target, as_json: bool) -> None:
    """Stop every paid call of live mode. Free routes go on, and so do calls that ring already.

    \b
    Example:
      callverify paid-calls stop --stack callverify
    """
    _switch(target, STOPPED, as_json)


@paid_calls.command("resume")
@as_json
@on_stack
def resume(target: Target, as_json: bool) -> None:
    """Resume paid calls.

    \b
    Example:
      callverify paid-calls resume --stack callverify
    """
    _switch(target, ALLOWED, as_json)


def _switch(target: Target, state: str, as_json: bool) -> None:
    secret_id = f"{target.name}/{SECRET}"

    def change(text: str, turn: int) -> str | None:  # noqa: ARG001
        given = read_object(secret_id, text)
        changed = without(given) | ({PAID_CALLS: STOPPED} if state == STOPPED else {})
        return None if changed == given else json.dumps(changed, indent=1)

    change_secret(target.client("secretsmanager"), secret_id, change)
    seconds = target.parameters.get("SecretCacheSeconds", "")
    if as_json:
        print_json({PAID_CALLS: state, "within_seconds": int(seconds or 0)})
    else:
        click.echo(f"paid calls: {state} within {seconds} s, by {secret_id}")
