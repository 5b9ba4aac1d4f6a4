"""From the follow-up queue: questions to the provider, and the end of the window."""

from typing import Any

from callverify.edge.queues import each_message
from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return each_message(event, wiring.follow_ups().follow_up, wiring.telemetry())


startup.ready(startup.secrets, imported=[startup.vendors])
