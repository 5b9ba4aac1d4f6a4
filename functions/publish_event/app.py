"""From the table's stream: each transition of a verification becomes an event. From a queue: what could not, again."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    if any(record.get("eventSource") == "aws:sqs" for record in event["Records"]):
        return wiring.each_message(event, wiring.publish_again)
    wiring.publish(event)
    return None


wiring.ready(wiring.table)
