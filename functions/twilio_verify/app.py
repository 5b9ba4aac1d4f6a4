"""Twilio Verify's v2 API for its official SDKs, in front of the same verifications."""

from callverify.edge.api import Response
from callverify.edge.twilio_verify import Facade
from callverify.runtime import settings, startup, wiring

api = Facade(
    lambda: wiring.service(),
    wiring.telemetry,
    now=lambda: wiring.service().now(),
    public_base_url=settings.public_base_url,
)
handler = api.handler


@api.route("/twilio/v2/Services/{service}/Verifications", "POST")
def create(service: str) -> Response[str]:
    return api.of(service).create()


@api.route("/twilio/v2/Services/{service}/Verifications/{verification}", "GET")
def fetch(service: str, verification: str) -> Response[str]:
    return api.of(service).fetch(verification)


@api.route("/twilio/v2/Services/{service}/Verifications/{verification}", "POST")
def update(service: str, verification: str) -> Response[str]:
    return api.of(service).update(verification)


@api.route("/twilio/v2/Services/{service}/VerificationCheck", "POST")
def check(service: str) -> Response[str]:
    return api.of(service).check()


@api.route("/twilio/v2/Services", "GET")
def services() -> Response[str]:
    return api.services()


@api.route("/twilio/v2/Services/{service}", "GET")
def read_service(service: str) -> Response[str]:
    return api.service(service)


@api.route("/twilio/v2/Attempts", "GET")
def attempts() -> Response[str]:
    return api.attempts()


@api.route("/twilio/v2/{rest+}", "GET", "POST", "DELETE")
def nothing(_: str) -> Response[str]:
    return api.nothing()


startup.ready(startup.secrets, imported=[startup.vendors, startup.phones])
