"""The list of events, read as a receiver that was down would read it."""

from typing import Any

from tests.support.client import Api


def events_after(api: Api, key: str = "", cursor: str = "0") -> tuple[list[dict[str, Any]], str]:
    """Every event after the cursor, page by page, and the cursor behind the last."""
    found: list[dict[str, Any]] = []
    while True:
        page = api.send("GET", f"/events?after={cursor}&limit=100", key=key).expect(200)
        found += page["events"]
        cursor = page["next"]
        if not page["has_more"]:
            return found, cursor
