"""`api-key`: the keys in the stack's secret `api-keys`.

A key is printed once and kept nowhere: the secret holds its SHA-256. To rotate one, make another under a new name,
move its users over, and revoke the old one.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import click

from callverify.domain.text import is_plain
from callverify.domain.words import Scope
from callverify.edge.access import parse_api_keys
from cli.errors import Refused, on_ctrl_c
from cli.output import print_json, table
from cli.secret import change_secret, text_of
from cli.target import LIVE, TEST, Target, as_json, on_stack

MAX_NAME = 64
USUAL_SCOPES = (str(Scope.READ), str(Scope.WRITE))


def secret_of(stack: str) -> str:
    return f"{stack}/api-keys"


def add_key(client: Any, secret_id: str, name: str, mode: str, scopes: list[str], **options: bool) -> str:
    """Make a key of 256 random bits, add it to the secret beside those in force, and return it. Raises Refused.

    name: 1 to 64 characters, none of them a control character or a Unicode noncharacter. options: further members of
    the entry.
    """
    if not 1 <= len(name) <= MAX_NAME or not is_plain(name):
        raise Refused(
            f"a key's name must have 1 to {MAX_NAME} characters, none of them a control character or a Unicode "
            "non-character"
        )
    key = f"cv_{mode}_{secrets.token_urlsafe(32)}"
    added = {
        "name": name,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "scopes": scopes,
        "mode": mode,
        **options,
    }

    def add(text: str, turn: int) -> str | None:
        entries = _entries(secret_id, text)
        if turn and added in entries:  # the answer to our own write was lost
            return None
        if name in map(_name, entries):
            raise Refused(f"a key named {name!r} is in force: choose another name, or revoke that one first")
        return json.dumps([*entries, added], indent=1)

    change_secret(client, secret_id, add)
    return key


def revoke_key(client: Any, secret_id: str, name: str) -> None:
    """Take a key out of the secret. It dies within 5 minutes: the secret's cache time and the gateway's 60 s."""

    def remove(text: str, turn: int) -> str | None:
        entries = _entries(secret_id, text)
        left = [entry for entry in entries if _name(entry) != name]
        if len(left) < len(entries):
            return json.dumps(left, indent=1)
        if turn:  # somebody did it meanwhile, perhaps we ourselves
            return None
        names = ", ".join(repr(_name(entry)) for entry in entries) or "none"
        raise Refused(f"no key is named {name!r}; in force: {names}")

    change_secret(client, secret_id, remove)


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, dict) else None


def _entries(secret_id: str, text: str) -> list[Any]:
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise Refused(f"the secret {secret_id} is not a JSON list: correct it first")
    return entries


@click.group()
def api_key() -> None:
    """Create, revoke and list API keys."""


@api_key.command("create")
@click.argument("name")
@click.option("--mode", type=click.Choice([LIVE, TEST]), default=LIVE, show_default=True)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(list(Scope)),
    default=USUAL_SCOPES,
    show_default=True,
    help="What the key may do. Can be repeated.",
)
@click.option("--all-keys", is_flag=True, help="Let the key find what every key of its mode has started.")
@click.option(
    "--voice-calls",
    is_flag=True,
    help="Let SDKs of Twilio Verify start voice calls with it, where no flash call can be made.",
)
@as_json
@on_stack
def create(target: Target, name: str, mode: str, scopes: tuple[str, ...], as_json: bool, **options: bool) -> None:
    """Create a key called NAME, and print it, once.

    A live key makes real calls. A test key verifies only test numbers.

    \b
    Example:
      API_KEY=$(callverify api-key create shop --mode test --stack callverify)
    """
    secret_id = secret_of(target.name)
    chosen = {option: True for option, is_on in options.items() if is_on}
    on_ctrl_c(f"stopped; a key named {name!r} may be in force: see `callverify api-key list`")
    key = add_key(target.client("secretsmanager"), secret_id, name, mode, list(scopes), **chosen)
    try:
        if as_json:
            print_json({"name": name, "mode": mode, "scopes": list(scopes), **chosen, "key": key})
            return
        click.echo(f"added {name!r} to {secret_id}; it is shown only now:", err=True)
        click.echo(key)
    except OSError as error:
        raise Refused(
            f"the key {name!r} is in force, but could not be printed ({error}): revoke it, and create another"
        ) from None


@api_key.command("revoke")
@click.argument("name")
@as_json
@on_stack
def revoke(target: Target, name: str, as_json: bool) -> None:
    """Revoke the key called NAME. It stops working within 5 minutes.

    \b
    Example:
      callverify api-key revoke shop --stack callverify
    """
    secret_id = secret_of(target.name)
    revoke_key(target.client("secretsmanager"), secret_id, name)
    if as_json:
        print_json({"revoked": name})
    else:
        click.echo(f"revoked {name!r} in {secret_id}")


@api_key.command("list")
@as_json
@on_stack
def list_(target: Target, as_json: bool) -> None:
    """List the keys in force, and malformed entries.

    \b
    Example:
      callverify api-key list --stack callverify
    """
    secret_id = secret_of(target.name)
    text = text_of(secret_id, target.client("secretsmanager").get_secret_value(SecretId=secret_id))
    keys, faults = parse_api_keys(text)
    if as_json:
        listed = [{"name": key.name, "id": key.id, "mode": key.mode, "scopes": sorted(key.scopes)} for key in keys]
        print_json({"keys": listed, "faults": [str(fault) for fault in faults]})
        return
    rows = [(key.name, key.mode, key.id, " ".join(sorted(key.scopes))) for key in keys]
    click.echo(table(rows, ("name", "mode", "id", "scopes")) if rows else f"{secret_id} holds no key")
    for fault in faults:
        click.echo(f"not usable: {fault}", err=True)
