"""`trigger`: makes an event happen, in test mode."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from cli.api import Api, Problem
from cli.output import print_json, summary, without_tokens
from cli.target import TEST, Target, as_json, on_stack

FLASH_CALL, EXPIRES, REFUSED = "+79000000101", "+79000000102", "+79000000104"


def _start(api: Api, phone: str = FLASH_CALL) -> Any:
    return api.call("POST", "/verifications", {"phone": phone})


def _then(action: str, body: Mapping[str, Any] | None = None) -> Callable[[Api], Any]:
    def run(api: Api) -> Any:
        return api.call("POST", f"/verifications/{_start(api)['id']}/{action}", body)

    return run


def _failed(api: Api) -> Any:
    try:
        return _start(api, REFUSED)
    except Problem as problem:
        if "verification_id" not in problem.body:
            raise
        return api.call("GET", f"/verifications/{problem.body['verification_id']}")


def _erased(api: Api) -> Any:
    resource = _then("cancel")(api)
    api.call("DELETE", f"/verifications/{resource['id']}")
    return resource


EVENTS: Mapping[str, Callable[[Api], Any]] = {
    "verification.created": _start,
    "verification.started": _start,
    "verification.verified": _then("check", {"code": "0000"}),
    "verification.failed": _failed,
    "verification.expired": lambda api: _start(api, EXPIRES),
    "verification.canceled": _then("cancel"),
    "verification.erased": _erased,
}


@click.command()
@click.argument("event", type=click.Choice(list(EVENTS)))
@as_json
@on_stack
def trigger(target: Target, event: str, as_json: bool) -> None:
    """Make an EVENT happen, with the events that precede it.

    It verifies a test number with a test key, so that nobody is called and nothing is paid for.

    \b
    Example:
      callverify trigger verification.expired
    """
    resource = EVENTS[event](target.api(TEST))
    if as_json:
        print_json(without_tokens(resource))
    else:
        click.echo(f"{event}  {resource['id']}  {summary(resource)}")
