"""Block and unblock phones."""

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
    wiring.service().block(api.caller, api.body)
    return no_content()


@api.route("/blocks", "DELETE")
def unblock() -> Response[str]:
    wiring.service().unblock(api.caller, api.body)
    return no_content()


startup.ready(startup.pepper, imported=[startup.phones])
