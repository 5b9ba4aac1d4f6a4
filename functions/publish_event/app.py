"""From the table's stream: each transition of a verification becomes an event. From a queue: what could not, again."""

from typing import Any

from callverify.edge.queues import each_message
from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    if any(record.get("eventSource") == "aws:sqs" for record in event["Records"]):
        return each_message(event, wiring.publications().publish_again, wiring.telemetry())
    wiring.publications().publish(event)
    return None


startup.ready(startup.table)
