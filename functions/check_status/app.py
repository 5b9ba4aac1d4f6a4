"""Status, code check and the list of events: what clients ask again and again."""

from callverify import edge, wiring

api = edge.Api(wiring.telemetry, now=lambda: wiring.service().now(), origins=wiring.allowed_origins)
handler = api.handler


@api.route("/verifications/{id}", "GET")
def status(verification_id: str) -> edge.Response[str]:
    caller = api.caller
    return api.reply(wiring.service().status(caller, verification_id), caller)


@api.route("/verifications/{id}/check", "POST")
def check(verification_id: str) -> edge.Response[str]:
    caller = api.caller
    return api.reply(wiring.service().check(caller, verification_id, api.body), caller)


@api.route("/events", "GET")
def events() -> edge.Response[str]:
    return api.answer(wiring.service().events(api.caller, api.query("after"), api.query("limit")))


wiring.ready(wiring.secrets, imported=[wiring.vendors])
