"""The gateway's authorizer: who holds this credential, and which routes it opens."""

from callverify.edge import api
from callverify.runtime import startup, wiring

handler = api.authorizer(wiring.access, wiring.telemetry)

startup.ready(startup.credentials)
