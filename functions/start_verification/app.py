"""Start, repeat and cancel: whatever asks a provider for a call, or ends a verification."""

from callverify import edge, wiring

api = edge.Api(wiring.telemetry, now=lambda: wiring.service().now(), origins=wiring.allowed_origins)
handler = api.handler


@api.route("/verifications", "POST")
def start() -> edge.Response[str]:
    reply = wiring.service().start(api.caller, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url)
    return api.reply(reply, created=True)


@api.route("/verifications/{id}/repeat", "POST")
def repeat(verification_id: str) -> edge.Response[str]:
    reply = wiring.service().repeat(
        api.caller, verification_id, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url
    )
    return api.reply(reply)


@api.route("/verifications/{id}/cancel", "POST")
def cancel(verification_id: str) -> edge.Response[str]:
    return api.reply(wiring.service().cancel(api.caller, verification_id, api.body))


wiring.ready(wiring.secrets, imported=[wiring.vendors, wiring.phones])
