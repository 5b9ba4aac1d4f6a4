"""What a start is answered with, whenever it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from callverify.domain.channels import channel
from callverify.domain.value import value
from callverify.domain.verification import Verification
from callverify.service.context import Context
from callverify.service.dial import Skipped


@value
class Started:
    """client_token: good for this verification alone. page_url: for the person being verified.

    updates: how to listen to it, where push is on. skipped: routes that were passed over without being asked.
    """

    verification: Verification
    client_token: str
    page_url: str
    updates: Mapping[str, Any] | None = None
    replayed: bool = False
    skipped: Sequence[Skipped] = ()

    @property
    def told(self) -> dict[str, Any]:
        """What is told in this reply alone."""
        told = {"client_token": self.client_token, "page_url": self.page_url, "updates": self.updates}
        return {name: value for name, value in told.items() if value is not None}


def answer(
    ctx: Context,
    verification: Verification,
    base_url: str,
    *,
    replayed: bool = False,
    skipped: Sequence[Skipped] = (),
) -> Started:
    """`base_url` is what links to this API begin with."""
    token = ctx.keys.client_token(verification.id, verification.created_at)
    updates = _updates(ctx, verification)
    told = {
        "id": verification.id,
        "token": token,
        "locale": verification.locale,
        "brand": verification.brand,
        "methods": ",".join(verification.allowed_methods),  # for version 1's page, to which a rollback leads
        "channel": updates["channel"] if updates else None,
        "updates": updates["authorization"]["Authorization"] if updates else None,
    }
    # In the fragment, which browsers send to no server: no log and no referrer has it.
    fragment = urlencode({name: value for name, value in told.items() if value}, safe=",/")
    return Started(verification, token, f"{base_url}/page#{fragment}", updates, replayed, skipped)


def _updates(ctx: Context, verification: Verification) -> dict[str, Any] | None:
    host, url = ctx.policy.updates_host, ctx.policy.updates_url
    if not (host and url):
        return None
    token = ctx.keys.updates_token(verification.id, verification.created_at)
    return {
        "url": url,
        "channel": channel(verification.id),
        "authorization": {"host": host, "Authorization": token},
    }
