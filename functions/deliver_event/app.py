"""From the delivery queue: events to the customer's URL, again and again until it takes them."""

from typing import Any

from callverify.edge.queues import each_message
from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return each_message(event, wiring.delivery().send, wiring.telemetry(), failed=wiring.try_later)


startup.ready()
