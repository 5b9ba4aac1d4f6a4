"""Twilio's simulator: what the vendor checks, and what the telephone hears with a key and without one."""

import pytest
import requests

from callverify.providers.twilio.twiml import ask_for_key, say_code
from simulators.webhooks import Webhook
from tests.support.simulators import HOOK, Simulators
from vendors.twilio.cases import WEBHOOK_URL
from vendors.twilio.simulator import ACCOUNT_SID, APPLICATION_ERROR, AUTH_TOKEN, FROM
from vendors.twilio.situations import ask

PHONE = "+79000000001"
ACCOUNT = f"/twilio/2010-04-01/Accounts/{ACCOUNT_SID}"


def heard(simulators: Simulators) -> str | None:
    spoken: str | None = simulators.incoming(PHONE)[-1]["spoken"]
    return spoken


def test_a_key_is_posted_signed_and_its_answer_is_heard(simulators: Simulators) -> None:
    simulators.on_webhook = lambda _: (200, say_code("042742", "en"))
    created = ask(simulators, Twiml=ask_for_key(HOOK, "ru")).get_json()
    assert heard(simulators) is None
    said = simulators.press(PHONE, "5")
    assert said == heard(simulators) == "Your code is: 0, 4, 2, 7, 4, 2. Once more: 0, 4, 2, 7, 4, 2."
    (sent,) = simulators.sent
    assert (sent.url, sent.method) == (HOOK, "POST")
    assert sent.form
    assert (sent.form["Digits"], sent.form["CallSid"], sent.form["To"]) == ("5", created["sid"], PHONE)
    assert len(sent.headers["X-Twilio-Signature"]) == 28


def test_a_mailbox_hears_nothing_of_the_code(simulators: Simulators) -> None:
    ask(simulators, Twiml=ask_for_key(HOOK, "ru"))
    simulators.advance(60)
    assert heard(simulators) is None
    assert simulators.sent == []


def test_what_is_said_without_a_key_is_heard_by_anybody(simulators: Simulators) -> None:
    ask(simulators, Twiml=say_code("042742", "en"))
    assert "0, 4, 2" in (heard(simulators) or "")


@pytest.mark.parametrize("answer", [(403, "{}"), (200, "OK"), (200, "<Other/>"), (500, "")])
def test_an_answer_that_is_no_twiml(simulators: Simulators, answer: tuple[int, str]) -> None:
    simulators.on_webhook = lambda _: answer
    ask(simulators, Twiml=ask_for_key(HOOK, "ru"))
    assert simulators.press(PHONE) == APPLICATION_ERROR


def test_a_call_takes_one_key(simulators: Simulators) -> None:
    simulators.on_webhook = lambda _: (200, say_code("042742", "en"))
    ask(simulators, Twiml=ask_for_key(HOOK, "ru"))
    simulators.press(PHONE)
    again = simulators.client.post(f"/phone/{PHONE}/press", json={"key": "1"})
    assert again.status_code == 400


@pytest.mark.parametrize(
    "twiml",
    [
        "<Response><Gather",
        "<Wrong/>",
        ask_for_key("/relative", "en"),
        ask_for_key(HOOK, "en").replace('method="POST"', 'method="GET"'),
    ],
)
def test_a_document_that_can_not_be_run(simulators: Simulators, twiml: str) -> None:
    assert ask(simulators, Twiml=twiml).status_code == 201
    assert heard(simulators) == APPLICATION_ERROR


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"To": ""}, 21201),
        ({"To": "abc"}, 21211),
        ({"From": ""}, 21213),
        ({"From": "+15005550001"}, 21210),
        ({"Timeout": "0"}, 21208),
        ({"Timeout": "soon"}, 21208),
        ({"Twiml": ""}, 21205),
        ({"Twiml": "x" * 4001}, 21205),
    ],
)
def test_what_is_refused(simulators: Simulators, changed: dict[str, str], code: int) -> None:
    refused = ask(simulators, **changed)
    assert (refused.status_code, refused.get_json()["code"]) == (400, code)
    assert simulators.incoming(PHONE) == []


@pytest.mark.parametrize("auth", [None, (ACCOUNT_SID, "wrong"), ("AC" + "9" * 32, AUTH_TOKEN)])
def test_credentials(simulators: Simulators, auth: tuple[str, str] | None) -> None:
    for path in ("Calls.json", "Balance.json"):
        method = "POST" if path == "Calls.json" else "GET"
        answer = simulators.client.open(f"{ACCOUNT}/{path}", method=method, auth=auth)
        assert (answer.status_code, answer.get_json()["code"]) == (401, 20003)


def test_a_call_can_be_looked_up(simulators: Simulators) -> None:
    created = ask(simulators).get_json()
    path = created["uri"]
    found = simulators.client.get(f"/twilio{path}", auth=(ACCOUNT_SID, AUTH_TOKEN)).get_json()
    assert (created["status"], found["status"], found["from"]) == ("queued", "in-progress", FROM)
    unknown = simulators.client.get(f"{ACCOUNT}/Calls/CA{'f' * 32}.json", auth=(ACCOUNT_SID, AUTH_TOKEN))
    assert (unknown.status_code, unknown.get_json()["code"]) == (404, 20404)


def test_the_service_that_can_not_be_reached(simulators: Simulators) -> None:
    def refuse(_: Webhook) -> tuple[int, str]:
        raise requests.ConnectionError(WEBHOOK_URL)

    simulators.on_webhook = refuse
    ask(simulators, Twiml=ask_for_key(HOOK, "ru"))
    assert simulators.press(PHONE) == APPLICATION_ERROR
