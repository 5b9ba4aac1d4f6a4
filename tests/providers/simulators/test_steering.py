"""Faults, webhooks, the record of requests, the telephone, and what the log may say."""

import json
import logging

import pytest
import requests

from simulators.faults import MODES
from simulators.webhooks import Webhook
from tests.support.simulators import BEARER, HOOK, TELEFON_IP, Simulators


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"mode": "timeout"}, "provider must be one of"),
        ({"provider": "other", "mode": "timeout"}, "provider must be one of"),
        ({"provider": "smsc", "mode": "other"}, "mode must be one of"),
        ({"provider": "smsc", "mode": ["timeout"]}, "mode must be one of"),
        ({"provider": "smsc", "mode": "timeout", "on": ["start"]}, "on must be"),
        ({"provider": "smsc", "mode": "repeat_405"}, "smsc cannot show repeat_405"),
        ({"provider": "ucaller", "mode": "webhook_lost"}, "ucaller cannot show webhook_lost"),
        ({"provider": "smsc", "mode": "timeout", "times": "1"}, "times must be"),
        ({"provider": "smsc", "mode": "timeout", "times": -1}, "times must be"),
        ({"provider": "smsc", "mode": "timeout", "times": True}, "times must be"),
        ({"provider": "smsc", "mode": "no_money", "on": "check"}, "on must be"),
        ({"provider": "smsc", "mode": "timeout", "on": "dial"}, "on must be"),
        ({"provider": "smsc", "mode": "webhook_late", "delay": "1"}, "delay must be"),
        ({"provider": "telefon_ip", "mode": "pending_echoes_phone", "status": 1}, "status must be"),
        ({"provider": "smsc", "mode": "timeout", "phone": "me"}, "a phone number is"),
        ({"provider": "smsc", "mode": "timeout", "time": 1}, "unknown field: time"),
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


def test_a_fault_can_be_kept_for_one_phone(simulators: Simulators) -> None:
    phone, other = "79000000011", "79000000012"
    for provider in ("ucaller", "telefon_ip", "smsc"):
        simulators.fault(provider, "http_500", phone=f"+{phone}", on="start")
    simulators.fault("telefon_ip", "http_500", phone=f"+{phone}", on="check")
    simulators.fault("telefon_ip", "webhook_lost", phone=f"+{phone}")
    assert simulators.get("/faults")["faults"][0]["phone"] == f"+{phone}"

    simulators.ucaller("initCall", phone=int(other))
    asked = {"phone": int(phone), "code": "1234"}
    assert simulators.client.post("/ucaller/v1.0/initCall", json=asked, headers=BEARER).status_code == 500
    for start in (simulators.start_telefon_ip, simulators.start_smsc):
        first = "8" if start == simulators.start_telefon_ip else "7"
        assert [start(first + each[1:]).status_code for each in (other, phone, phone)] == [200, 500, 200]

    issued = simulators.start_telefon_ip("8" + phone[1:]).get_json()["data"]
    assert simulators.client.get(f"{TELEFON_IP}/reverse_auth_phone_check/{issued['id']}").status_code == 500
    assert simulators.dial(other, issued["auth_phone"])["webhook"] == "sent"
    assert simulators.dial(phone, issued["auth_phone"])["webhook"] == "lost"
    assert simulators.get("/faults") == {"faults": []}


def test_faults_last_as_often_as_said_or_until_cleared(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "http_500", times=2)
    assert [simulators.start_telefon_ip().status_code for _ in range(3)] == [500, 500, 200]
    for times in (None, 0):
        simulators.fault("telefon_ip", "http_500", times=times)
        assert [simulators.start_telefon_ip().status_code for _ in range(3)] == [500, 500, 500]
        assert simulators.client.delete("/faults").status_code == 200
        assert simulators.start_telefon_ip().status_code == 200


def test_a_fault_spoils_the_next_answer_of_its_provider(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.fault("telefon_ip", "http_500")
    simulators.start_smsc()
    assert simulators.client.get(f"{TELEFON_IP}/reverse_auth_phone_check/{data['id']}").status_code == 500
    assert simulators.start_telefon_ip().status_code == 200


def test_a_fault_aimed_at_a_start_waits_for_one(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.fault("telefon_ip", "http_500", on="start")
    simulators.check_telefon_ip(data["id"])
    assert simulators.start_telefon_ip().status_code == 500


@pytest.mark.parametrize("mode", ["http_500", "refused", "timeout", "malformed_json", "drip_headers", "drip_body"])
@pytest.mark.parametrize("provider", ["ucaller", "telefon_ip", "smsc"])
def test_only_a_500_and_a_refused_connection_take_no_effect(simulators: Simulators, provider: str, mode: str) -> None:
    simulators.fault(provider, mode)
    if provider == "ucaller":
        body = simulators.client.post("/ucaller/v1.0/initCall", json={"phone": 79000000003}, headers=BEARER).data
    else:
        body = (simulators.start_telefon_ip() if provider == "telefon_ip" else simulators.start_smsc()).data
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    journal = simulators.get(f"/requests?provider={provider}")
    assert journal["paid_calls"] == (0 if mode in ("http_500", "refused") else 1)
    assert journal["requests"][0]["answer"] == {"http_500": 500, "malformed_json": 200}.get(mode, mode)
    assert simulators.holds == (1 if mode == "timeout" else 0)


def _dial_telefon_ip(simulators: Simulators) -> str:
    data = simulators.start_telefon_ip().get_json()["data"]
    return str(simulators.dial("79000000001", data["auth_phone"])["webhook"])


def test_a_lost_webhook_is_listed_but_not_sent(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "webhook_lost")
    assert _dial_telefon_ip(simulators) == "lost"
    assert simulators.sent == []
    (listed,) = simulators.get("/webhooks")["webhooks"]
    assert listed["outcome"] == "lost"
    assert listed["url"].startswith(HOOK)
    assert _dial_telefon_ip(simulators) == "sent"


def test_a_webhook_can_come_twice(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "webhook_twice")
    assert _dial_telefon_ip(simulators) == "twice"
    assert len(simulators.sent) == 2
    assert simulators.sent[0] == simulators.sent[1]


def test_a_late_webhook_comes_after_the_window_or_the_asked_delay(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "webhook_late")
    assert _dial_telefon_ip(simulators) == "late"
    simulators.advance(120)
    assert simulators.sent == []
    assert simulators.get("/webhooks")["webhooks"][0]["outcome"] == "waiting"
    simulators.advance(1)
    assert len(simulators.sent) == 1
    simulators.fault("telefon_ip", "webhook_late", delay=5)
    _dial_telefon_ip(simulators)
    simulators.advance(5)
    assert len(simulators.sent) == 2


def test_a_late_smsc_webhook_tells_the_time_of_the_call(simulators: Simulators) -> None:
    simulators.set_smsc_handler()
    simulators.fault("smsc", "webhook_late")
    simulators.dial("79000000001", simulators.start_smsc().get_json()["phone"])
    simulators.advance(301)
    assert (simulators.sent[0].form or {})["ts"] == "1800000000"


@pytest.mark.parametrize("provider", ["telefon_ip", "smsc"])
def test_a_webhook_can_be_answered_before_the_start_is(simulators: Simulators, provider: str) -> None:
    simulators.set_smsc_handler()
    answers_at_webhook: list[object] = []

    def receive(_: Webhook) -> tuple[int, str]:
        # The vendor can be asked meanwhile: nothing is locked.
        answers_at_webhook.append(simulators.get("/requests")["requests"][0]["answer"])
        if provider == "telefon_ip":
            assert simulators.check_telefon_ip(22760)["status"] == "ok"
        return 404, "not yet"

    simulators.on_webhook = receive
    simulators.fault(provider, "webhook_before_reply")
    response = simulators.start_telefon_ip() if provider == "telefon_ip" else simulators.start_smsc()
    assert response.status_code == 200
    assert answers_at_webhook == [None]
    (listed,) = simulators.get("/webhooks")["webhooks"]
    assert (listed["outcome"], listed["status"], listed["body"]) == ("answered", 404, "not yet")
    assert simulators.get("/requests")["requests"][0]["answer"] == 200


def test_a_webhook_that_fails_is_noted_without_its_address(simulators: Simulators) -> None:
    def refuse(_: Webhook) -> tuple[int, str]:
        raise requests.ConnectionError("http://secret.example")

    simulators.on_webhook = refuse
    _dial_telefon_ip(simulators)
    (listed,) = simulators.get("/webhooks")["webhooks"]
    assert (listed["outcome"], listed["status"], listed["error"]) == ("failed", None, "ConnectionError")


def test_requests_are_recorded_by_provider(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.check_telefon_ip(data["id"])
    simulators.start_smsc(psw="wrong")
    telefon_ip = simulators.get("/requests?provider=telefon_ip")
    assert telefon_ip["paid_calls"] == 1
    assert telefon_ip["requests"][0] == {
        "provider": "telefon_ip",
        "method": "POST",
        "path": "/telefon-ip/api/v1/authcalls/<token>/reverse_auth_phone_post",
        "action": "reverse_auth_phone_post",
        "at": "2027-01-15T08:00:00.000Z",
        "phone": "+79000000001",
        "paid": True,
        "answer": 200,
    }
    assert [request["action"] for request in telefon_ip["requests"]] == [
        "reverse_auth_phone_post",
        "reverse_auth_phone_check",
    ]
    assert simulators.get("/requests?provider=smsc")["paid_calls"] == 0
    assert len(simulators.get("/requests")["requests"]) == 3
    assert simulators.client.get("/requests?provider=other").status_code == 400
    simulators.client.delete("/requests")
    assert simulators.get("/requests") == {"requests": [], "paid_calls": 0}


@pytest.mark.parametrize("number", ["+79000000003", "%2B79000000003", "79000000003", "89000000003"])
def test_a_telephone_has_one_number_in_every_form(simulators: Simulators, number: str) -> None:
    simulators.ucaller("initCall", phone=79000000003, code="0427")
    assert [call["from"][-4:] for call in simulators.incoming(number)] == ["0427"]
    auth_phone = simulators.start_telefon_ip("89000000003").get_json()["data"]["auth_phone"]
    assert simulators.dial(number, "8" + auth_phone[1:])["answered"] is True
    assert "phone=89000000003&" in simulators.sent[0].url


def test_a_telephone_refuses_nonsense(simulators: Simulators) -> None:
    assert simulators.client.get("/phone/abc").status_code == 400
    bodies: tuple[object, ...] = ({}, {"number": 79000000001}, {"number": "abc"}, [])
    for body in bodies:
        assert simulators.client.post("/phone/79000000001/dial", json=body).status_code == 400


def test_overview_and_unknown_paths(simulators: Simulators) -> None:
    assert simulators.client.get("/nothing").status_code == 404
    overview = simulators.get("/")
    calls = {call["call"]: call for call in overview["calls"]}
    assert calls.keys() >= {
        "GET /phone/{number}", "POST /phone/{number}/dial", "POST /faults", "DELETE /faults", "GET /requests",
    }  # fmt: skip
    assert all(call["does"] for call in overview["calls"])
    assert {"call": "POST /ucaller/v1.0/initCall"} in overview["vendors"]
    assert [mode["mode"] for mode in overview["fault_modes"]] == [*MODES]
    assert overview["faults"] == []


def test_each_body_of_the_overview_can_be_sent(simulators: Simulators) -> None:
    overview = simulators.get("/")
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
    assert json.loads(timeout.rstrip(","))["body"] == {"provider": "telefon_ip", "mode": "timeout", "times": 1}


@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_paths_of_a_vendor_are_answered_in_its_form(simulators: Simulators, method: str) -> None:
    def ask(path: str) -> tuple[int, object]:
        answer = simulators.client.open(path, method=method)
        return answer.status_code, answer.get_json()

    ucaller = {"status": False, "error": "Method Not Allowed", "code": 405}
    assert ask("/ucaller/v1.0/sendSms") == ask("/ucaller/v2.0/initCall") == (200, ucaller)
    assert ask(f"{TELEFON_IP}/get_voice/79000000001") == (404, {"success": False, "error": "Not found", "data": {}})
    assert ask("/smsc/sys/send.php?fmt=3&charset=utf-8") == (200, {"error": "ошибка в параметрах", "error_code": 1})
    (unknown, *_) = simulators.get("/requests")["requests"]
    assert (unknown["provider"], unknown["action"], unknown["paid"]) == ("ucaller", "unknown", False)


def test_a_method_that_a_path_does_not_have_is_answered_in_the_vendors_form(simulators: Simulators) -> None:
    assert simulators.client.put("/ucaller/v1.0/initCall").get_json()["code"] == 405
    assert simulators.client.post(f"{TELEFON_IP}/get_balance/").get_json()["success"] is False


def test_the_log_holds_templates_only(simulators: Simulators, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="simulators")  # whatever another test has set it to
    simulators.client.get(f"{TELEFON_IP}/reverse_auth_phone_get?phone=89000000001")
    simulators.client.get("/phone/79000000001")
    simulators.client.get("/nothing/79000000001")

    def fail(webhook: Webhook) -> tuple[int, str]:
        raise KeyError(webhook.url)

    simulators.on_webhook = fail
    simulators.fault("telefon_ip", "webhook_before_reply")
    assert simulators.start_telefon_ip().status_code == 500
    said = [record.getMessage() for record in caplog.records]
    assert said[:3] == [
        "GET /telefon-ip/api/v1/authcalls/<token>/reverse_auth_phone_get 200",
        "GET /phone/<number> 200",
        "GET (no such path) 404",
    ]
    assert "KeyError" in caplog.text
    assert "9000000001" not in caplog.text
    assert TELEFON_IP not in caplog.text


def test_the_clock_can_be_put_forward_and_back(simulators: Simulators) -> None:
    id_ = simulators.start_telefon_ip().get_json()["data"]["id"]
    for seconds, status in ((119, "pending"), (1, "expired")):
        assert simulators.client.post("/clock", json={"advance": seconds}).status_code == 200
        assert simulators.check_telefon_ip(id_)["status"] == status
    assert simulators.client.delete("/clock").get_json() == {"ahead": 0}
    assert simulators.check_telefon_ip(id_)["status"] == "pending"


@pytest.mark.parametrize("seconds", [None, "61", True, -1, 86_401])
def test_a_bad_advance_is_refused(simulators: Simulators, seconds: object) -> None:
    assert simulators.client.post("/clock", json={"advance": seconds}).status_code == 400
    assert simulators.client.delete("/clock").get_json() == {"ahead": 0}
