"""From the table's stream: each transition of a verification becomes an event. From a queue: what could not, again."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any] | None:
    if event["Records"][0]["eventSource"] == "aws:sqs":
        return wiring.each_message(event, wiring.publish_again)
    wiring.publish(event)
    return None


wiring.ready(wiring.table)
