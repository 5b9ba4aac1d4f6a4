"""A secret of the stack, written only in place of what was read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cli.errors import Refused

TURNS = 5


def text_of(secret_id: str, answer: Mapping[str, Any]) -> str:
    """Raises Refused for a secret that is no text."""
    if isinstance(text := answer.get("SecretString"), str):
        return text
    raise Refused(f"the secret {secret_id} holds no text: put JSON there, or look at AWS_ENDPOINT_URL")


def change_secret(client: Any, secret_id: str, change: Callable[[str, int], str | None]) -> None:
    """Write what `change` makes of the text, unless somebody wrote in between: then change theirs. Raises Refused.

    change: gets the text and how often it was asked before; None for nothing to do. Else a key that is made could
    bring back one that is revoked at the same time.
    """
    for turn in range(TURNS):
        current = client.get_secret_value(SecretId=secret_id, VersionStage="AWSCURRENT")
        changed = change(text_of(secret_id, current), turn)
        if changed is None:
            return
        # A version under a label of its own counts for nothing. It becomes the current one in place of what was read
        # alone.
        label = f"callverify-{secrets.token_hex(8)}"
        version = client.put_secret_value(SecretId=secret_id, SecretString=changed, VersionStages=[label])["VersionId"]
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
    raise Refused(f"another command changed the secret {secret_id} at the same time; run this one again")
