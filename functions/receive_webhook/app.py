"""Providers' callbacks. What they prove, and whether they prove anything, is for the provider's module to say."""

from callverify import edge, wiring

api = edge.Api(wiring.telemetry, now=lambda: wiring.service().now())
handler = api.handler


@api.route("/webhooks/telefon-ip/{id}/{token}", "GET", "POST")
def telefon_ip(verification_id: str, token: str) -> edge.Response[str]:
    webhook = api.webhook(edge.ProviderName.TELEFON_IP, token, verification_id)
    wiring.service().report(edge.ProviderName.TELEFON_IP, webhook)
    return api.acknowledge()


@api.route("/webhooks/smsc/{token}", "GET", "POST")
def smsc(token: str) -> edge.Response[str]:
    webhook = api.webhook(edge.ProviderName.SMSC, token)
    wiring.service().report(edge.ProviderName.SMSC, webhook)
    return api.acknowledge()


wiring.ready(wiring.secrets, imported=[wiring.vendors])
