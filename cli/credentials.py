"""`secrets set`: the vendors' credentials, looked at before they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from callverify.domain.errors import ConfigurationFault
from callverify.providers.http import VendorHttp
from callverify.providers.names import NAMES
from callverify.providers.registry import lines
from callverify.providers.stop import PAID_CALLS, is_meant, paid_calls_stopped
from cli.errors import Refused
from cli.output import print_json
from cli.secret import change_secret
from cli.target import Target, as_json, on_stack

SECRET = "provider-credentials"  # noqa: S105


def parse(text: str | bytes) -> dict[str, Any]:
    """The providers in a JSON object, each once: text, or bytes in any of Unicode's encodings. Raises Refused."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := {name for name in names if names.count(name) > 1}:
            raise Refused(f"{', '.join(sorted(twice))}: given twice")
        return dict(pairs)

    try:
        given = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise Refused(f'it is not JSON ({error}); write it as {{"vendor": {{"token": "…"}}}}') from None
    if not isinstance(given, dict):
        raise Refused("it must be a JSON object of providers")
    return given


def offered(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """The methods that each provider offers with these credentials. Raises Refused for all that is wrong with them."""
    wrong, found = list[str](), dict[str, list[str]]()
    _, fault = paid_calls_stopped(given)
    if fault:
        wrong.append(str(fault))
    for name, value in given.items():
        if is_meant(name, value):
            continue
        if name not in NAMES:
            wrong.append(f"there is no provider {name!r}; there are {', '.join(NAMES)}")
            continue
        try:
            found[name] = [str(line.method) for line in lines(name, value, VendorHttp())]
        except ConfigurationFault as fault:
            wrong.append(str(fault))
    if wrong:
        raise Refused("nothing was written: " + "; ".join(wrong))
    return found


@click.group()
def secrets() -> None:
    """Put the stack's secrets in place."""


@secrets.command("set")
@click.argument("name", type=click.Choice([SECRET]))
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    default="-",
    help="Read the JSON from this file. Default: standard input.",
)
@click.option(
    "--replace", is_flag=True, help="Remove the providers that the new JSON does not name. Default: keep them."
)
@click.option("--check", "only_check", is_flag=True, help="Check the JSON, and write nothing.")
@as_json
@on_stack
def set_(target: Target, name: str, source: Any, replace: bool, only_check: bool, as_json: bool) -> None:
    """Write the vendors' credentials, a JSON object of providers, after checking every one of them.

    It is read from standard input, so that no file and no shell history keeps it: paste it, press Enter, then
    Ctrl-D. A provider's entry is written whole.

    {"paid_calls": "stopped"} stops all paid calls, and {"paid_calls": "allowed"} lets them go on.

    \b
    Example:
      callverify secrets set provider-credentials --stack callverify
    """
    if source.isatty():
        click.echo("Paste the JSON, press Enter, then Ctrl-D:", err=True)
    given = parse(source.read())
    routes = offered(given)
    secret_id, off = f"{target.name}/{name}", list[str]()

    def change(text: str, turn: int) -> str | None:  # noqa: ARG001
        before = read_object(secret_id, text, replace=replace)
        off[:] = [each for each in before if each not in given and each != PAID_CALLS] if replace else []
        # Providers are replaced. That paid calls are stopped stays so until somebody says otherwise.
        kept = {name: value for name, value in before.items() if not replace or name == PAID_CALLS}
        return json.dumps(kept | given, indent=1)

    if not only_check:
        change_secret(target.client("secretsmanager"), secret_id, change)
    if as_json:
        print_json({"written": not only_check, "routes": routes, "switched_off": off})
        return
    for provider, methods in routes.items():
        click.echo(f"{provider}: {', '.join(methods) or 'offers no method: see `methods` and `countries`'}")
    for provider in off:
        click.echo(f"{provider}: switched off")
    if PAID_CALLS in given:
        click.echo(f"paid calls: {given[PAID_CALLS]}")
    seconds = target.parameters.get("SecretCacheSeconds", "")
    click.echo(
        f"nothing was written to {secret_id}" if only_check else f"written to {secret_id}; in use within {seconds} s"
    )


def read_object(secret_id: str, text: str, *, replace: bool = False) -> dict[str, Any]:
    """The secret's JSON object. Raises Refused for anything else, unless it is replaced anyway."""
    try:
        before = json.loads(text or "{}")
    except ValueError:
        before = None
    if isinstance(before, dict):
        return before
    if replace:
        return {}
    raise Refused(f"the secret {secret_id} is not a JSON object: correct it, or replace all of it with --replace")
