"""The gateway's authorizer: who holds this credential, and which routes it opens."""

from typing import Any

from callverify import edge, wiring
from callverify.errors import ConfigurationFault, Unauthorized


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    try:
        caller = wiring.access().caller(event.get("authorizationToken") or "")
    except Unauthorized:
        # The exact word that API Gateway turns into a 401; any other error would be a 500.
        raise Exception("Unauthorized") from None
    except ConfigurationFault as fault:
        wiring.telemetry().configuration_fault(fault)
        raise Exception("Unauthorized") from None
    return edge.policy(caller, event["methodArn"])
