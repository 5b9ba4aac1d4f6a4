"""The files in events/: what each is answered on a fresh stack, and that they are shaped as the gateway shapes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.authorize import app as authorize
from tests.functional.harness import EVENTS, HANDLERS, LIVE_KEY, Answer, answer_of, load_event

JOURNEYS = {
    "start_telefon_ip": (201, None),
    "start_smsc": (201, None),
    "start_ucaller": (201, None),
    "status": (404, "not_found"),
    "check_right": (404, "not_found"),
    "check_wrong": (404, "not_found"),
    "repeat": (404, "not_found"),
    "repeat_another_way": (404, "not_found"),
    "cancel": (404, "not_found"),
    "webhook_telefon_ip": (404, "not_found"),
    "webhook_smsc": (404, "not_found"),
}
# No journey of the API: for `sam local invoke` alone.
OTHERS = {"authorize", "page", "openapi", "docs", "transition", "settlement", "delivery"}


def as_it_is(name: str) -> Answer:
    event = load_event(name)
    return answer_of(HANDLERS[event["httpMethod"], event["resource"]](event, None))


def test_every_file_is_a_journey() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == JOURNEYS.keys() | OTHERS


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize(("name", "status", "code"), [(name, *answer) for name, answer in JOURNEYS.items()])
def test_what_an_event_is_answered_on_a_fresh_stack(name: str, status: int, code: str | None) -> None:
    answer = as_it_is(name)
    assert answer.status == status
    if code:
        assert answer["code"] == code
        assert answer["request_id"] == load_event(name)["requestContext"]["requestId"]


@pytest.mark.usefixtures("api")
def test_the_starts_do_not_get_in_each_others_way() -> None:
    assert [as_it_is(name).status for name in ("start_telefon_ip", "start_smsc", "start_ucaller")] == [201] * 3
    assert as_it_is("start_telefon_ip").replayed


@pytest.mark.usefixtures("api")
def test_an_unknown_key_is_unauthorized() -> None:
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        authorize.handler(load_event("authorize"), None)


@pytest.mark.usefixtures("api")
def test_the_events_hold_what_the_authorizer_gives() -> None:
    event = load_event("authorize") | {"authorizationToken": f"Bearer {LIVE_KEY}"}
    given = {
        name: str(value) for name, value in json.loads(json.dumps(authorize.handler(event, None)["context"])).items()
    }
    for name in JOURNEYS:
        context = load_event(name)["requestContext"].get("authorizer")
        if name.startswith("webhook_"):
            assert context is None
        else:
            held = {key: value for key, value in context.items() if key not in ("principalId", "integrationLatency")}
            assert held | {"key_id": given["key_id"]} == given


@pytest.mark.parametrize("name", JOURNEYS)
def test_an_event_is_consistent(name: str) -> None:
    event: dict[str, Any] = load_event(name)
    context = event["requestContext"]
    assert context["resourcePath"] == event["resource"]
    assert context["httpMethod"] == event["httpMethod"]
    assert context["path"] == f"/{context['stage']}{event['path']}"
    assert event["resource"].format(**(event["pathParameters"] or {})) == event["path"]
    assert {key: values[-1] for key, values in event["multiValueHeaders"].items()} == event["headers"]
    query = event["multiValueQueryStringParameters"] or {}
    assert {key: values[-1] for key, values in query.items()} == (event["queryStringParameters"] or {})
    assert context["identity"]["sourceIp"] == event["headers"]["X-Forwarded-For"]
