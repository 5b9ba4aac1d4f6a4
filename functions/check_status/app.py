"""What reads verifications: status, search, code check and the list of events."""

from callverify.edge.api import Api, Response
from callverify.runtime import settings, startup, wiring

api = Api(
    wiring.telemetry,
    now=lambda: wiring.service().now(),
    public_base_url=settings.public_base_url,
    origins=wiring.allowed_origins,
)
handler = api.handler


@api.route("/verifications/{id}", "GET")
def status(verification_id: str) -> Response[str]:
    caller = api.caller
    return api.reply(wiring.service().read(caller, verification_id), caller, polled=True)


@api.route("/verifications/{id}/check", "POST")
def check(verification_id: str) -> Response[str]:
    caller = api.caller
    checked = wiring.service().check(caller, verification_id, api.body)
    return api.reply(checked.verification, caller, valid=checked.valid)


@api.route("/verifications/search", "POST")
def search() -> Response[str]:
    page = wiring.records().search(api.caller, api.body)
    return api.reply_many(page.verifications, next=page.next)


@api.route("/verifications/{id}/history", "GET")
def history(verification_id: str) -> Response[str]:
    entries = wiring.records().history(api.caller, verification_id)
    return api.answer({"id": verification_id, "history": entries})


@api.route("/usage", "GET")
def usage() -> Response[str]:
    return api.answer(wiring.records().usage(api.caller, api.query("day")))


@api.route("/events", "GET")
def events() -> Response[str]:
    return api.answer(wiring.service().events(api.caller, api.query("after"), api.query("limit")))


startup.ready(startup.pepper)
