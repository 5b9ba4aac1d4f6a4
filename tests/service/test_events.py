"""The files in events/: what each is answered on a fresh stack, and that they are shaped as the gateway shapes them."""

from __future__ import annotations

import base64
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from functions.authorize import app as authorize
from functions.authorize_updates import app as authorize_updates
from functions.check_status import app as check_status
from functions.receive_webhook import app as receive_webhook
from functions.serve_docs import app as serve_docs
from functions.serve_page import app as serve_page
from functions.start_verification import app as start_verification
from tests.support.gateway import CUSTOM_DOMAIN, EVENTS, custom_domain, load_event
from tests.support.handlers import HANDLERS, Answer, answer_of
from tests.support.samples import JOURNEYS
from tests.support.surroundings import LIVE_KEY
from tests.support.template import FUNCTIONS
from tests.support.twilio_verify import basic

# The same requests as they come at a custom domain: what each is answered is what it is answered at the other address.
AT_CUSTOM_DOMAIN = {"start_telefon_ip", "webhook_smsc", "page", "docs"}
# No journey of the API: for `sam local invoke` alone.
OTHERS = {
    "authorize",
    "authorize_updates",
    "cognito_sign_up",
    "cognito_define",
    "cognito_create",
    "cognito_verify",
    "page",
    "openapi",
    "docs",
    "transition",
    "follow_up",
    "follow_up_question",
    "delivery",
}


def as_it_is(name: str) -> Answer:
    event = load_event(name)
    return answer_of(HANDLERS[event["httpMethod"], event["resource"]](event, None))


def test_every_file_is_a_journey() -> None:
    at_custom_domain = {f"{name}_custom_domain" for name in AT_CUSTOM_DOMAIN}
    assert {path.stem for path in EVENTS.glob("*.json")} == JOURNEYS.keys() | OTHERS | at_custom_domain


@pytest.mark.parametrize("name", sorted(AT_CUSTOM_DOMAIN))
def test_an_event_of_a_custom_domain_differs_in_its_address_alone(name: str) -> None:
    event = load_event(f"{name}_custom_domain")
    assert event == custom_domain(load_event(name))
    assert event["path"] == event["requestContext"]["path"]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("name", sorted(AT_CUSTOM_DOMAIN & JOURNEYS.keys()))
def test_an_event_of_a_custom_domain_is_answered_alike(name: str) -> None:
    status, code = JOURNEYS[name]
    answer = as_it_is(f"{name}_custom_domain")
    assert (answer.status, answer.body.get("code") if code else None) == (status, code)
    if status == 201:
        assert answer["page_url"].startswith(f"https://{CUSTOM_DOMAIN}/v1/page#")


@pytest.mark.parametrize(("app", "name"), [(serve_page, "page"), (serve_docs, "docs")])
def test_files_are_served_at_a_custom_domain_too(app: Any, name: str) -> None:
    own, custom = (app.handler(load_event(event), None) for event in (name, f"{name}_custom_domain"))
    assert (own["statusCode"], custom["statusCode"]) == (200, 200)
    domain = load_event(name)["requestContext"]["domainName"]
    assert custom["body"] == own["body"].replace(domain, CUSTOM_DOMAIN)


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(
    "path", ["/v1/verifications/", "/verifications", "/%76erifications", "/v1/events", "/phones/v1/verifications", ""]
)
def test_the_gateways_resource_decides_whatever_the_path_looks_like(path: str) -> None:
    event = load_event("start_telefon_ip") | {"path": path}
    assert answer_of(HANDLERS["POST", "/verifications"](event, None)).status == 201


def test_every_route_of_the_template_has_its_function() -> None:
    """Before anybody is asked who they are: 404 where a function doesn't know a resource that the gateway sends it."""
    routed = 0
    for app in (check_status, receive_webhook, start_verification):
        for method, resource in routes_of(app):
            parameters = {"id": "vrf_x", "provider": "x", "rest": "x"}
            event = load_event("status") | {"httpMethod": method, "resource": resource, "pathParameters": parameters}
            with mock.patch.object(app.wiring, "service", side_effect=RuntimeError), redirect_stdout(io.StringIO()):
                status = app.handler(event, None)["statusCode"]
            assert status == (204 if method == "OPTIONS" else 500), (method, resource)
            routed += 1
    assert routed >= 13


def routes_of(app: Any) -> list[tuple[str, str]]:
    folder = f"functions/{Path(app.__file__).parent.name}/"
    (function,) = [each for each in FUNCTIONS.values() if each["CodeUri"] == folder]
    events = [event["Properties"] for event in function["Events"].values() if event["Type"] == "Api"]
    return [(event["Method"].upper(), event["Path"]) for event in events]


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("name", "status", "code"), [(name, *answer) for name, answer in JOURNEYS.items()])
def test_what_an_event_is_answered_on_a_fresh_stack(name: str, status: int, code: str | int | None) -> None:
    answer = as_it_is(name)
    assert answer.status == status
    if code:
        assert answer["code"] == code
    if isinstance(code, str):
        assert answer["request_id"] == load_event(name)["requestContext"]["requestId"]


@pytest.mark.usefixtures("api")
def test_the_starts_do_not_get_in_each_others_way() -> None:
    assert [as_it_is(name).status for name in ("start_telefon_ip", "start_smsc", "start_ucaller", "start_twilio")] == [
        201
    ] * 4
    assert as_it_is("start_telefon_ip").replayed


@pytest.mark.usefixtures("api")
def test_an_unknown_key_is_unauthorized() -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize.handler(load_event("authorize"), None)


@pytest.mark.usefixtures("api")
def test_a_token_for_updates_with_another_signature_is_refused() -> None:
    assert not authorize_updates.handler(load_event("authorize_updates"), None)["isAuthorized"]


@pytest.mark.usefixtures("api")
def test_a_token_for_updates_opens_its_channel() -> None:
    started = as_it_is("start_telefon_ip")
    event = load_event("authorize_updates")
    event["authorizationToken"] = started["updates"]["authorization"]["Authorization"]
    event["requestContext"]["channel"] = started["updates"]["channel"]
    assert authorize_updates.handler(event, None) == {"isAuthorized": True, "ttlOverride": 0}


@pytest.mark.usefixtures("api")
def test_the_events_hold_what_the_authorizer_gives() -> None:
    def given_for(name: str) -> dict[str, str]:
        authorization = load_event(name)["headers"]["Authorization"]
        if authorization.startswith("Basic "):
            account = base64.b64decode(authorization.split()[1]).decode().split(":")[0]
            credential = basic(account, LIVE_KEY)
        else:
            credential = f"Bearer {LIVE_KEY}"
        event = load_event("authorize") | {"authorizationToken": credential}
        event["methodArn"] = event["methodArn"].replace("POST/verifications", "GET/twilio/v2/Services")
        context = json.loads(json.dumps(authorize.handler(event, None)["context"]))
        return {name: str(value) for name, value in context.items()}

    for name in JOURNEYS:
        context = load_event(name)["requestContext"].get("authorizer")
        if name.startswith("webhook_"):
            assert context is None
        else:
            held = {key: value for key, value in context.items() if key not in ("principalId", "integrationLatency")}
            given = given_for(name)
            own = {key: given[key] for key in ("key_id", "key_name", "scopes")}
            assert held | own == given


@pytest.mark.parametrize("name", JOURNEYS)
def test_an_event_is_consistent(name: str) -> None:
    event: dict[str, Any] = load_event(name)
    context = event["requestContext"]
    assert context["resourcePath"] == event["resource"]
    assert context["httpMethod"] == event["httpMethod"]
    assert context["path"] == f"/{context['stage']}{event['path']}"
    assert event["resource"].replace("+}", "}").format(**(event["pathParameters"] or {})) == event["path"]
    assert {key: values[-1] for key, values in event["multiValueHeaders"].items()} == event["headers"]
    query = event["multiValueQueryStringParameters"] or {}
    assert {key: values[-1] for key, values in query.items()} == (event["queryStringParameters"] or {})
    assert context["identity"]["sourceIp"] == event["headers"]["X-Forwarded-For"]
