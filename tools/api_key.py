"""`make api-key` and `make revoke-api-key`: the keys in the stack's secret `api-keys`.

A key is printed once and kept nowhere: the secret holds its SHA-256. To rotate one, make another under a new name,
move its users over, and revoke the old one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from callverify.domain.text import is_plain
from callverify.domain.words import Scope
from tools.target import target_stack

TURNS = 5
MAX_NAME = 64
USUAL_SCOPES = ("verifications:read", "verifications:write")


class Refused(Exception):
    """What was asked can't be done; the message says what would be right."""


def add_key(client: Any, secret_id: str, name: str, mode: str, scopes: list[str], *, all_keys: bool = False) -> str:
    """Make a key of 256 random bits, add it to the secret beside those in force, and return it. Raises Refused.

    name: 1 to 64 characters, none of them a control character or a Unicode non-character. all_keys: it finds what all
    keys of its mode have started.
    """
    if not 1 <= len(name) <= MAX_NAME or not is_plain(name):
        raise Refused(
            f"a key's name must have 1 to {MAX_NAME} characters, none of them a control character or a Unicode "
            "non-character"
        )
    key = f"cv_{mode}_{secrets.token_urlsafe(32)}"
    added: dict[str, Any] = {
        "name": name,
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "scopes": scopes,
        "mode": mode,
    }
    if all_keys:
        added["all_keys"] = True

    def add(entries: list[Any], turn: int) -> list[Any] | None:
        if turn and added in entries:  # the answer to our own write was lost
            return None
        if name in map(_name, entries):
            raise Refused(f"a key named {name!r} is in force: choose another name, or revoke that one first")
        return [*entries, added]

    _change(client, secret_id, add)
    return key


def revoke_key(client: Any, secret_id: str, name: str) -> None:
    """Take a key out of the secret. It dies within 5 minutes: the secret's cache time and the gateway's 60 s."""

    def remove(entries: list[Any], turn: int) -> list[Any] | None:
        left = [entry for entry in entries if _name(entry) != name]
        if len(left) < len(entries):
            return left
        if turn:  # somebody did it meanwhile, perhaps we ourselves
            return None
        names = ", ".join(repr(_name(entry)) for entry in entries) or "none"
        raise Refused(f"no key is named {name!r}; in force: {names}")

    _change(client, secret_id, remove)


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, dict) else None


def _change(client: Any, secret_id: str, change: Callable[[list[Any], int], list[Any] | None]) -> None:
    """Write what `change` makes of the list, unless somebody wrote in between: then change theirs.

    change: gets the list and how often it was asked before; None for nothing to do. Else a key that is made could
    bring back one that is revoked at the same time.
    """
    for turn in range(TURNS):
        current = client.get_secret_value(SecretId=secret_id, VersionStage="AWSCURRENT")
        changed = change(_entries(secret_id, current["SecretString"]), turn)
        if changed is None:
            return
        # A version under a label of its own counts for nothing. It becomes the current one in place of what was read
        # alone.
        label = f"callverify-{secrets.token_hex(8)}"
        version = client.put_secret_value(
            SecretId=secret_id, SecretString=json.dumps(changed, indent=1), VersionStages=[label]
        )["VersionId"]
        try:
            client.update_secret_version_stage(
                SecretId=secret_id,
                VersionStage="AWSCURRENT",
                MoveToVersionId=version,
                RemoveFromVersionId=current["VersionId"],
            )
            return
        except (
            client.exceptions.InvalidParameterException,
            client.exceptions.InvalidRequestException,
            client.exceptions.ResourceNotFoundException,
        ):
            continue
        finally:
            client.update_secret_version_stage(SecretId=secret_id, VersionStage=label, RemoveFromVersionId=version)
    raise Refused(f"others keep writing the secret {secret_id}: try again")


def _entries(secret_id: str, text: str) -> list[Any]:
    try:
        entries = json.loads(text or "[]")
    except ValueError:
        entries = None
    if not isinstance(entries, list):
        raise Refused(f"the secret {secret_id} is not a JSON list: mend it first")
    return entries


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.api_key", description=__doc__)
    parser.add_argument("--stack", default="", help="default: the local stack where one runs, else callverify")
    parser.add_argument("--dev-dir", default=".dev")
    parser.add_argument("--name", required=True)
    parser.add_argument("--mode", choices=("live", "test"), default="live")
    parser.add_argument("--scopes", default=",".join(USUAL_SCOPES), help="separated by commas (default: %(default)s)")
    parser.add_argument("--all-keys", action="store_true", help="finds what all keys of its mode have started")
    parser.add_argument("--revoke", action="store_true")
    chosen = parser.parse_args(arguments)
    scopes = [scope.strip() for scope in chosen.scopes.split(",") if scope.strip()]
    if not scopes or not set(scopes) <= set(Scope):
        parser.error(f"--scopes takes {', '.join(Scope)}")
    secret_id = f"{target_stack(chosen.stack, chosen.dev_dir)}/api-keys"
    try:
        client = boto3.client("secretsmanager")
        if chosen.revoke:
            revoke_key(client, secret_id, chosen.name)
            print(f"revoked {chosen.name!r} in {secret_id}")
        else:
            key = add_key(client, secret_id, chosen.name, chosen.mode, scopes, all_keys=chosen.all_keys)
            print(f"added {chosen.name!r} to {secret_id}; this is the only time that it is shown:", file=sys.stderr)
            print(key)
    except (Refused, BotoCoreError, ClientError) as error:
        print(f"api-key: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
