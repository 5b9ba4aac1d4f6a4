"""Between AppSync and the tokens for updates: who may connect, and listen to which channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callverify.domain.channels import channel
from callverify.domain.keys import Keys
from callverify.domain.words import Clock

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def authorizer(keys: Callable[[], Keys], clock: Clock) -> Handler:
    """The handler of an AppSync Lambda authorizer.

    A token connects, and subscribes to its own channel; publishing is IAM's. No answer is cached: a token ends on time.
    """

    def allows(token: str, operation: str, wanted: str | None) -> bool:
        opened = keys().open_updates_token(token)
        if opened is None or clock() >= opened[1]:
            return False
        return operation == "EVENT_CONNECT" or (operation == "EVENT_SUBSCRIBE" and wanted == channel(opened[0]))

    def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
        asked = event.get("requestContext") or {}
        token, operation = event.get("authorizationToken") or "", asked.get("operation") or ""
        return {"isAuthorized": allows(token, operation, asked.get("channel")), "ttlOverride": 0}

    return handler
