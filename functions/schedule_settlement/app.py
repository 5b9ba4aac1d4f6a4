"""From the table's stream: each new attempt of a verification gets a message for the end of its window."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> None:
    wiring.schedule(event)


wiring.ready()
