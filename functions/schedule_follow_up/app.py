"""From the table's stream: each new attempt of a verification gets a message for the end of its window."""

from typing import Any

from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], _context: Any) -> None:
    wiring.follow_ups().schedule(event)


startup.ready()
