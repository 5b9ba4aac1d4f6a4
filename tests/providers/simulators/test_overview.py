"""What the simulators say of themselves, the vendors' clock, and what the log may say."""

import json
import logging

import pytest

from callverify.domain.words import Outcome
from callverify.providers.names import NAMES
from callverify.providers.registry import manifest
from simulators.registry import fault_modes, prefixes
from simulators.webhooks import Webhook
from tests.support.simulators import CREDENTIALS, PHONE, Simulators

MODES = fault_modes()
REPORTING = [name for name in NAMES if (hook := manifest(name).webhook) and not hook.say]


# The overview


def test_overview_and_unknown_paths(simulators: Simulators) -> None:
    assert simulators.client.get("/nothing").status_code == 404
    overview = simulators.get("/")
    calls = {call["call"]: call for call in overview["calls"]}
    assert calls.keys() >= {
        "GET /phone/{number}", "POST /phone/{number}/dial", "POST /faults", "DELETE /faults", "GET /requests",
    }  # fmt: skip
    assert all(call["does"] for call in overview["calls"])
    ours = {call.split(" ")[1].split("/")[1] for call in calls}
    assert not ours & {prefix for name in NAMES for prefix in prefixes(name)}
    theirs = [call["call"].split(" ")[1].split("/")[1] for call in overview["vendors"]]
    assert set(theirs) == set(NAMES), "each vendor under one spelling"
    assert [mode["mode"] for mode in overview["fault_modes"]] == [*MODES]
    assert overview["faults"] == []


def test_each_body_of_the_overview_can_be_sent(simulators: Simulators) -> None:
    overview = simulators.get("/")
    simulators.telephone.ask_for_key("79000001234", lambda _: None)
    sent = 0
    for call in overview["calls"]:
        if "body" in call:
            method, path = call["call"].split(" ")
            answer = simulators.client.open(path.format(number="+79000001234"), method=method, json=call["body"])
            assert answer.status_code < 300, answer.text
            sent += 1
    simulators.client.delete("/faults")
    for mode in overview["fault_modes"]:
        assert mode["does"]
        for more in ({}, *({"on": aim} for aim in mode.get("on", ()))):
            simulators.fault(**mode["body"] | more)
            sent += 1
    described = simulators.get("/")["faults"]
    assert {fault["mode"] for fault in described} == {*MODES}
    assert sent > len(MODES) + 3


def test_a_line_of_the_overview_is_one_call_or_mode(simulators: Simulators) -> None:
    lines = simulators.client.get("/").text.splitlines()
    (timeout,) = [line for line in lines if line.startswith('  {"mode": "timeout"')]
    assert json.loads(timeout.rstrip(","))["body"] == {"provider": NAMES[0], "mode": "timeout", "times": 1}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_path_of_a_vendor_is_answered_by_the_vendor(simulators: Simulators, name: str, method: str) -> None:
    answer = simulators.client.open(f"/{name}/no/such/path", method=method)
    assert answer.get_json(silent=True) != {"error": "Not Found"}
    (unknown,) = simulators.get("/requests")["requests"]
    assert (unknown["provider"], unknown["action"], unknown["paid"]) == (name, "unknown", False)


# The log and the clock


@pytest.mark.parametrize("name", NAMES)
def test_the_log_holds_templates_only(simulators: Simulators, caplog: pytest.LogCaptureFixture, name: str) -> None:
    caplog.set_level(logging.DEBUG, logger="simulators")  # whatever another test has set it to
    for line in simulators.lines(name):
        simulators.order(line)
        simulators.advance(60)
    simulators.client.get(f"/phone/{PHONE}")
    simulators.client.get(f"/nothing/{PHONE}")
    said = [record.getMessage() for record in caplog.records]
    assert said[-2:] == ["GET /phone/<number> 200", "GET (no such path) 404"]
    assert all(f" /{name}/" in line for line in said[:-2])
    assert len(said) > 2
    for secret in (PHONE[1:], *map(str, CREDENTIALS[name].values())):
        assert secret not in caplog.text


def test_an_exception_is_logged_without_what_it_says(simulators: Simulators, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="simulators")

    def fail(webhook: Webhook) -> tuple[int, str]:
        raise KeyError(webhook.url)

    simulators.fill_cabinets()
    simulators.on_webhook = fail
    simulators.fault(REPORTING[0], "webhook_before_reply")
    line = next(line for line in simulators.lines(REPORTING[0]) if line.route.webhook)
    assert simulators.order(line).outcome is Outcome.UNKNOWN
    assert "KeyError" in caplog.text
    assert PHONE[2:] not in caplog.text
    assert "receiver.example" not in caplog.text


@pytest.mark.parametrize("name", REPORTING)
def test_the_vendors_clock_can_be_put_forward_and_back(simulators: Simulators, name: str) -> None:
    simulators.fill_cabinets()
    (line, *_) = [line for line in simulators.lines(name) if line.route.webhook]
    challenge = simulators.started(name, line.method).challenge
    assert challenge
    assert challenge.number
    window = line.route.window.default
    for seconds, answered in ((window - 1, True), (1, False)):
        assert simulators.client.post("/clock", json={"advance": seconds}).status_code == 200
        assert simulators.dial(PHONE, challenge.number)["answered"] is answered
    assert simulators.client.delete("/clock").get_json() == {"ahead": 0}
    assert simulators.dial(PHONE, challenge.number)["answered"] is True


@pytest.mark.parametrize("seconds", [None, "61", True, -1, 86_401])
def test_a_bad_advance_is_refused(simulators: Simulators, seconds: object) -> None:
    assert simulators.client.post("/clock", json={"advance": seconds}).status_code == 400
    assert simulators.client.delete("/clock").get_json() == {"ahead": 0}
