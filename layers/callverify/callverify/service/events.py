"""The list of events, page by page."""

from __future__ import annotations

import json
from typing import Any

from callverify.domain.errors import CursorUnknown
from callverify.domain.words import Caller, Scope
from callverify.service import requests
from callverify.service.context import Context

MAX_EVENTS = 100


def page(ctx: Context, caller: Caller, after: str | None, limit: str | None) -> dict[str, Any]:
    """One page of the events of the key's mode, in order; none is left out.

    `next` is what to pass as `after` for the following page; `has_more` says whether there is one already. Raises
    CursorUnknown for an `after` that can't be placed.
    """
    ctx.require(caller, Scope.READ)
    cursor = requests.parse_cursor(after)
    most = requests.parse_number("limit", limit, default=MAX_EVENTS, most=MAX_EVENTS, least=1)
    found, latest = ctx.store.events_after(caller.mode, cursor, limit=most, now=ctx.now())
    if cursor > latest:
        raise CursorUnknown(requests.UNKNOWN_CURSOR)
    last = found[-1][0] if found else latest
    return {
        "events": [json.loads(body) for _, body in found],
        "next": str(last),
        "has_more": bool(found) and last < latest,
    }
