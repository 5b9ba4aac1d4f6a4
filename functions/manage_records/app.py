"""Block phones, erase records: what is asked for by people who support others."""

from callverify.edge.api import Api, Response, no_content
from callverify.runtime import settings, startup, wiring

api = Api(
    wiring.telemetry,
    now=lambda: wiring.service().now(),
    public_base_url=settings.public_base_url,
    origins=wiring.allowed_origins,
)
handler = api.handler


@api.route("/blocks", "PUT")
def block() -> Response[str]:
    wiring.records().block(api.caller, api.body)
    return no_content()


@api.route("/blocks", "DELETE")
def unblock() -> Response[str]:
    wiring.records().unblock(api.caller, api.body)
    return no_content()


@api.route("/verifications/{id}", "DELETE")
def erase(verification_id: str) -> Response[str]:
    wiring.records().erase(api.caller, verification_id)
    return no_content()


@api.route("/erasures", "POST")
def erase_phone() -> Response[str]:
    return api.answer(wiring.records().erase_phone(api.caller, api.body))


startup.ready(startup.pepper, imported=[startup.phones])
