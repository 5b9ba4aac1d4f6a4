"""Start, repeat, switch and cancel: whatever asks a provider for a call, or ends a verification."""

from callverify.edge.api import Api, Response
from callverify.runtime import settings, startup, wiring

api = Api(
    wiring.telemetry,
    now=lambda: wiring.service().now(),
    public_base_url=settings.public_base_url,
    origins=wiring.allowed_origins,
)
handler = api.handler


@api.route("/verifications", "POST")
def start() -> Response[str]:
    caller = api.caller
    started = wiring.service().start(caller, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url)
    return api.reply(
        started.verification,
        caller,
        status=201,
        replayed=started.replayed,
        skipped=started.skipped,
        **started.told,
    )


@api.route("/verifications/{id}/repeat", "POST")
def repeat(verification_id: str) -> Response[str]:
    caller = api.caller
    repeated = wiring.service().repeat(
        caller, verification_id, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url
    )
    return api.reply(repeated.verification, caller, replayed=repeated.replayed)


@api.route("/verifications/{id}/switch", "POST")
def switch(verification_id: str) -> Response[str]:
    caller = api.caller
    switched = wiring.service().switch(
        caller, verification_id, api.body, idempotency_key=api.idempotency_key, base_url=api.base_url
    )
    return api.reply(switched.verification, caller, replayed=switched.replayed, skipped=switched.skipped)


@api.route("/verifications/{id}/cancel", "POST")
def cancel(verification_id: str) -> Response[str]:
    caller = api.caller
    return api.reply(wiring.service().cancel(caller, verification_id, api.body), caller)


startup.ready(startup.secrets, imported=[startup.vendors, startup.phones])
