"""From the table's stream: each transition of a verification becomes an event."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> None:
    wiring.publisher().publish(wiring.changes(event))


wiring.ready(wiring.table)
