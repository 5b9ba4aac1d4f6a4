"""Start, repeat and cancel: whatever asks a provider for a call, or ends a verification."""

from callverify import edge, wiring

api = edge.Api(wiring.telemetry, now=lambda: wiring.service().now(), origins=wiring.allowed_origins)
handler = api.handler


@api.route("/verifications", "POST")
def start() -> edge.Response[str]:
    caller = api.caller
    reply = wiring.service().start(caller, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url)
    return api.reply(reply, caller, created=True)


@api.route("/verifications/{id}/repeat", "POST")
def repeat(verification_id: str) -> edge.Response[str]:
    caller = api.caller
    reply = wiring.service().repeat(
        caller, verification_id, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url
    )
    return api.reply(reply, caller)


@api.route("/verifications/{id}/cancel", "POST")
def cancel(verification_id: str) -> edge.Response[str]:
    caller = api.caller
    return api.reply(wiring.service().cancel(caller, verification_id, api.body), caller)


wiring.ready(wiring.secrets, imported=[wiring.vendors, wiring.phones])
