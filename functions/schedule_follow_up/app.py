"""From the table's stream: each new attempt gets messages for the questions to its provider and its window's end."""

from typing import Any

from callverify.runtime import startup, wiring


def handler(event: dict[str, Any], _context: Any) -> None:
    wiring.follow_ups().schedule(event)


startup.ready()
