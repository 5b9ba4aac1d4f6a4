"""The gateway's authorizer: who holds this credential, and which routes it opens."""

from callverify import edge, wiring

handler = edge.authorizer(wiring.access, wiring.telemetry)

wiring.ready(wiring.credentials)
