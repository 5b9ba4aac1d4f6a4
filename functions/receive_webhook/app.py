"""Providers' reports. What they prove, and whether they prove anything, is for the provider's client to say."""

from callverify.edge.api import Api, Response
from callverify.runtime import settings, startup, wiring

api = Api(wiring.telemetry, now=lambda: wiring.service().now(), public_base_url=settings.public_base_url)
handler = api.handler


@api.route("/webhooks/{provider}/{rest+}", "GET", "POST")
def report(provider: str, rest: str) -> Response[str]:
    return api.acknowledge(wiring.service().report(api.report(provider, rest)))


startup.ready(startup.secrets, imported=[startup.vendors])
