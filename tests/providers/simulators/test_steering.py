"""Faults, webhooks, the record of requests and the telephone: the same for every vendor."""

import pytest
import requests

from callverify.domain.words import Method, Outcome, Reason
from callverify.providers.base import Line, Per
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from simulators import accounts
from simulators.registry import fault_modes, prefixes, simulator
from simulators.webhooks import Webhook
from tests.support.simulators import CODE, CREDENTIALS, PHONE, Simulators, code_in

MODES = fault_modes()
ROUTES = [(name, route) for name in NAMES for route in manifest(name).routes]
each_route = pytest.mark.parametrize(("name", "method"), [(name, route.method) for name, route in ROUTES])
each_report = pytest.mark.parametrize(
    ("name", "method"), [(name, route.method) for name, route in ROUTES if route.webhook and not route.webhook.say]
)
# The first of each kind, where one is as good as another.
REPORTING, REPORTED_METHOD = next((name, route.method) for name, route in ROUTES if route.webhook)
SILENT = next(name for name in NAMES if not manifest(name).webhook)
OTHER = next(name for name in NAMES if name != REPORTING)
OTHER_PHONE = "+79000000009"


def line_of(simulators: Simulators, name: str, method: Method) -> Line:
    return next(line for line in simulators.lines(name) if line.method is method)


def reporting(simulators: Simulators) -> Line:
    return line_of(simulators, REPORTING, REPORTED_METHOD)


def called(simulators: Simulators, name: str = REPORTING, method: Method = REPORTED_METHOD) -> str:
    """A phone calls the number that it was given: what became of the report."""
    simulators.fill_cabinets()
    challenge = simulators.started(name, method).challenge
    assert challenge
    assert challenge.number
    return str(simulators.dial(PHONE, challenge.number)["webhook"])


# Faults


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mode": "timeout"}, f"provider must be one of {', '.join(NAMES)}"),
        ({"provider": "other", "mode": "timeout"}, "provider must be one of"),
        ({"provider": ["other"], "mode": "timeout"}, "provider must be one of"),
        ({"provider": REPORTING, "mode": "other"}, "mode must be one of"),
        ({"provider": REPORTING, "mode": ["timeout"]}, "mode must be one of"),
        ({"provider": REPORTING, "mode": "timeout", "on": ["start"]}, "on must be"),
        ({"provider": SILENT, "mode": "webhook_lost"}, f"{SILENT} cannot show webhook_lost; only {REPORTING}"),
        ({"provider": REPORTING, "mode": "timeout", "times": "1"}, "times must be"),
        ({"provider": REPORTING, "mode": "timeout", "times": -1}, "times must be"),
        ({"provider": REPORTING, "mode": "timeout", "times": True}, "times must be"),
        ({"provider": REPORTING, "mode": "no_money", "on": "check"}, "on must be"),
        ({"provider": REPORTING, "mode": "timeout", "on": "dial"}, "on must be"),
        ({"provider": REPORTING, "mode": "number_refused", "on": "start"}, "on must be one of: nothing"),
        ({"provider": REPORTING, "mode": "webhook_late", "delay": "1"}, "delay must be a number of seconds"),
        ({"provider": REPORTING, "mode": "timeout", "phone": "me"}, "a phone number must begin with"),
        ({"provider": REPORTING, "mode": "timeout", "time": 1}, "unknown field: time"),
        ({"provider": REPORTING, "mode": "timeout", "delay": 1}, "unknown field: delay"),
        ([], "JSON object"),
    ],
)
def test_bad_faults_are_named(simulators: Simulators, body: object, said: str) -> None:
    response = simulators.client.post("/faults", json=body)
    assert response.status_code == 400
    assert said in response.get_json()["error"]
    assert simulators.get("/faults") == {"faults": []}


def test_a_body_that_is_no_json(simulators: Simulators) -> None:
    assert simulators.client.post("/faults", data="mode=timeout").status_code == 400


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_can_be_set(simulators: Simulators, mode: str) -> None:
    for provider in MODES[mode].providers:
        simulators.fault(provider, mode)


@pytest.mark.parametrize("name", NAMES)
def test_the_modes_of_a_provider_follow_from_its_manifest(name: str) -> None:
    modes = {mode for mode, known in MODES.items() if name in known.providers}
    assert modes >= {"timeout", "refused", "drip_headers", "drip_body", "http_500", "malformed_json"}
    assert modes >= {"no_money", "bad_credentials", "number_refused", *simulator(name).modes}
    reports = {"webhook_lost", "webhook_twice", "webhook_late", "webhook_before_reply"}
    hook = manifest(name).webhook
    assert modes & reports == (reports if hook and not hook.say else set())


@each_route
def test_a_fault_can_be_kept_for_one_phone(simulators: Simulators, name: str, method: Method) -> None:
    line = line_of(simulators, name, method)
    simulators.fault(name, "http_500", phone=PHONE, on="start")
    assert simulators.get("/faults")["faults"][0]["phone"] == PHONE
    assert simulators.order(line, OTHER_PHONE).outcome is Outcome.STARTED
    assert simulators.order(line, PHONE).reason is Reason.HTTP_ERROR
    assert simulators.order(line, PHONE).outcome is Outcome.STARTED
    assert simulators.get("/faults") == {"faults": []}


def test_a_fault_for_one_phone_names_it_in_the_record(simulators: Simulators) -> None:
    line = line_of(simulators, REPORTING, Method.REVERSE_CALL)
    simulators.fault(REPORTING, "refused", phone=PHONE, on="start")
    simulators.order(line, PHONE)
    assert [(each["phone"], each["answer"]) for each in simulators.get("/requests")["requests"]] == [(PHONE, "refused")]


def test_the_faults_for_one_phone_can_be_cleared(simulators: Simulators) -> None:
    for phone in (PHONE, OTHER_PHONE):
        simulators.fault(REPORTING, "http_500", phone=phone)
    assert simulators.client.delete(f"/faults?phone={PHONE.removeprefix('+')}").status_code == 200
    assert [fault["phone"] for fault in simulators.get("/faults")["faults"]] == [OTHER_PHONE]
    assert simulators.client.delete("/faults?phone=me").status_code == 400


def test_a_lost_report_can_be_kept_for_one_caller(simulators: Simulators) -> None:
    simulators.fill_cabinets()
    simulators.fault(REPORTING, "webhook_lost", phone=OTHER_PHONE)
    assert called(simulators) == "sent"
    challenge = simulators.started(REPORTING, REPORTED_METHOD, OTHER_PHONE).challenge
    assert challenge
    assert challenge.number
    assert simulators.dial(OTHER_PHONE, challenge.number)["webhook"] == "lost"


def test_faults_last_as_often_as_said_or_until_cleared(simulators: Simulators) -> None:
    line = reporting(simulators)

    def outcomes() -> list[Reason | None]:
        return [simulators.order(line).reason for _ in range(3)]

    simulators.fault(REPORTING, "http_500", times=2)
    assert outcomes() == [Reason.HTTP_ERROR, Reason.HTTP_ERROR, None]
    for times in (None, 0):
        simulators.fault(REPORTING, "http_500", times=times)
        assert outcomes() == [Reason.HTTP_ERROR] * 3
        assert simulators.client.delete("/faults").status_code == 200
        assert outcomes() == [None] * 3


def test_a_fault_spoils_the_next_answer_of_its_provider(simulators: Simulators) -> None:
    line, (other, *_) = reporting(simulators), simulators.lines(OTHER)
    simulators.fault(REPORTING, "http_500")
    assert simulators.order(other).outcome is Outcome.STARTED
    assert simulators.order(line).reason is Reason.HTTP_ERROR


def test_a_fault_of_another_action_waits_for_it(simulators: Simulators) -> None:
    simulators.fault(REPORTING, "http_500", on="repeat")
    assert simulators.order(reporting(simulators)).outcome is Outcome.STARTED
    assert len(simulators.get("/faults")["faults"]) == 1


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("no_money", Reason.NO_MONEY),
        ("bad_credentials", Reason.BAD_CREDENTIALS),
        ("number_refused", Reason.NUMBER_REFUSED),
    ],
)
@each_route
def test_a_refusal_is_the_vendors_own_and_costs_nothing(
    simulators: Simulators, name: str, method: Method, mode: str, reason: Reason
) -> None:
    simulators.fault(name, mode)
    assert simulators.order(line_of(simulators, name, method)).reason is reason
    assert simulators.get(f"/requests?provider={name}")["paid_calls"] == 0
    assert simulators.incoming(PHONE) == []


@pytest.mark.parametrize("mode", ["http_500", "refused", "timeout", "malformed_json", "drip_headers", "drip_body"])
@each_route
def test_only_a_500_and_a_refused_connection_take_no_effect(
    simulators: Simulators, name: str, method: Method, mode: str
) -> None:
    simulators.fault(name, mode)
    assert simulators.order(line_of(simulators, name, method)).outcome is Outcome.UNKNOWN
    journal = simulators.get(f"/requests?provider={name}")
    assert journal["paid_calls"] == (0 if mode in ("http_500", "refused") else 1)
    answers = {"http_500": [500], "malformed_json": [200, 201]}.get(mode, [mode])
    assert journal["requests"][0]["answer"] in answers
    assert simulators.holds == (1 if mode == "timeout" else 0)


# Reports


@each_report
def test_a_call_is_reported_to_our_address(simulators: Simulators, name: str, method: Method) -> None:
    assert called(simulators, name, method) == "sent"
    (report,) = simulators.sent
    assert report.provider == name
    webhook = manifest(name).webhook
    assert webhook
    if webhook.per is Per.ACCOUNT:
        assert report.url == accounts.webhook_url(name, CREDENTIALS[name], "http://receiver.example")


@each_report
def test_a_lost_webhook_is_listed_but_not_sent(simulators: Simulators, name: str, method: Method) -> None:
    simulators.fault(name, "webhook_lost")
    assert called(simulators, name, method) == "lost"
    assert simulators.sent == []
    (listed,) = simulators.get("/webhooks")["webhooks"]
    assert listed["outcome"] == "lost"
    assert listed["url"].startswith("http://receiver.example/webhooks/")
    assert called(simulators, name, method) == "sent"


@each_report
def test_a_webhook_can_come_twice(simulators: Simulators, name: str, method: Method) -> None:
    simulators.fault(name, "webhook_twice")
    assert called(simulators, name, method) == "twice"
    assert len(simulators.sent) == 2
    assert simulators.sent[0] == simulators.sent[1]


@each_report
def test_a_late_webhook_comes_after_the_window_or_the_asked_delay(
    simulators: Simulators, name: str, method: Method
) -> None:
    simulators.fault(name, "webhook_late")
    assert called(simulators, name, method) == "late"
    simulators.advance(line_of(simulators, name, method).window)
    assert simulators.sent == []
    assert simulators.get("/webhooks")["webhooks"][0]["outcome"] == "waiting"
    simulators.advance(1)
    assert len(simulators.sent) == 1
    simulators.jobs.clear()  # a vendor that wants another answer sends it again
    simulators.fault(name, "webhook_late", delay=5)
    called(simulators, name, method)
    simulators.advance(5)
    assert len(simulators.sent) == 2


@each_report
def test_a_webhook_can_be_answered_before_the_start_is(simulators: Simulators, name: str, method: Method) -> None:
    simulators.fill_cabinets()
    answers_at_webhook: list[object] = []

    def receive(_: Webhook) -> tuple[int, str]:
        # The vendor can be asked meanwhile: nothing is locked.
        answers_at_webhook.append(simulators.get("/requests")["requests"][0]["answer"])
        return 404, "not yet"

    simulators.on_webhook = receive
    simulators.fault(name, "webhook_before_reply")
    simulators.started(name, method)
    assert answers_at_webhook == [None]
    listed = simulators.get("/webhooks")["webhooks"][0]
    assert (listed["outcome"], listed["status"], listed["body"]) == ("answered", 404, "not yet")
    assert simulators.get("/requests")["requests"][0]["answer"] == 200


def test_a_webhook_that_fails_is_noted_without_its_address(simulators: Simulators) -> None:
    def refuse(_: Webhook) -> tuple[int, str]:
        raise requests.ConnectionError("http://secret.example")

    simulators.on_webhook = refuse
    called(simulators)
    (listed,) = simulators.get("/webhooks")["webhooks"]
    assert (listed["outcome"], listed["status"], listed["error"]) == ("failed", None, "ConnectionError")


@pytest.mark.parametrize("name", NAMES)
def test_a_vendor_with_one_address_for_an_account_has_a_cabinet(simulators: Simulators, name: str) -> None:
    webhook = manifest(name).webhook
    per_account = webhook is not None and webhook.per is Per.ACCOUNT
    body = accounts.cabinet(name, CREDENTIALS[name], "http://receiver.example")
    assert (body is not None) == per_account
    answer = simulators.client.post(f"/{name}/cabinet", json=body)
    assert (answer.get_json(silent=True) == {"saved": True}) == per_account


# The record of requests


def test_requests_are_recorded_by_provider(simulators: Simulators) -> None:
    line, (other, *_) = reporting(simulators), simulators.lines(OTHER)
    simulators.order(line)
    simulators.fault(OTHER, "bad_credentials")
    simulators.order(other)
    (recorded,) = simulators.get(f"/requests?provider={REPORTING}")["requests"]
    assert recorded["path"].startswith(f"/{REPORTING}/")
    assert (recorded["provider"], recorded["phone"], recorded["paid"]) == (REPORTING, PHONE, True)
    assert (recorded["answer"], recorded["at"]) == (200, "2027-01-15T08:00:00.000Z")
    assert simulators.get(f"/requests?provider={OTHER}")["paid_calls"] == 0
    assert len(simulators.get("/requests")["requests"]) == 2
    assert simulators.client.get("/requests?provider=other").status_code == 400
    simulators.client.delete("/requests")
    assert simulators.get("/requests") == {"requests": [], "paid_calls": 0}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_dashes_is_the_same_vendor(simulators: Simulators, name: str) -> None:
    (line, *_) = simulators.lines(name)
    simulators.order(line)
    for written in prefixes(name):
        assert len(simulators.get(f"/requests?provider={written}")["requests"]) == 1
        simulators.fault(written, "timeout")
    assert {fault["provider"] for fault in simulators.get("/faults")["faults"]} == {name}
    paths = {call["call"].split(" ")[1].split("/")[1] for call in simulators.get("/")["vendors"]}
    assert paths & {*prefixes(name)} == {name}  # listed once


# The telephone


def test_no_two_vendors_lend_the_same_numbers(simulators: Simulators) -> None:
    lent = []
    for name, route in ROUTES:
        challenge = simulators.started(name, route.method).challenge
        lent += [challenge.number[:-4]] if challenge and challenge.number else []
    assert len(lent) == len({*lent}) > 1


@pytest.mark.parametrize(("name", "method"), [(name, route.method) for name, route in ROUTES if route.code])
def test_a_call_tells_the_code(simulators: Simulators, name: str, method: Method) -> None:
    """By the number that it rings from, or in words. What follows a key is the service's to say."""
    route = next(route for each, route in ROUTES if (each, route.method) == (name, method))
    assert route.code
    picked = simulators.started(name, method).code
    (call,) = simulators.incoming(PHONE)
    assert call["at"] == "2027-01-15T08:00:00.000Z"
    if not route.webhook or not route.webhook.say:
        assert code_in(call, route.code.digits) == (picked or CODE[: route.code.digits])


def test_a_telephone_refuses_nonsense(simulators: Simulators) -> None:
    assert simulators.client.get("/phone/abc").status_code == 400
    bodies: tuple[object, ...] = ({}, {"number": 79000000001}, {"number": "abc"}, [])
    for body in bodies:
        assert simulators.client.post("/phone/79000000001/dial", json=body).status_code == 400


def test_nobody_waits_for_a_call_to_any_number(simulators: Simulators) -> None:
    assert simulators.dial(PHONE, "+79000009999") == {"answered": False, "provider": None, "webhook": "none"}
