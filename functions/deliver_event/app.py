"""From the delivery queue: events to the customer's URL, again and again until it takes them."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return wiring.each_message(event, wiring.delivery().send, failed=wiring.try_later)


wiring.ready()
