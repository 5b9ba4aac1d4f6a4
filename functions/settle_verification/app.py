"""From the settlement queue: the last question to the provider, and the end of the window."""

from typing import Any

from callverify import wiring


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return wiring.each_message(event, wiring.settlement().settle)


wiring.ready(wiring.secrets, imported=[wiring.vendors])
