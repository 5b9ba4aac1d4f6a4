"""New-Tel's simulator: what the vendor answers, oddities included."""

import hashlib
import json
import time
from typing import Any, cast

import pytest

from tests.support.simulators import Simulators
from vendors.new_tel import simulator
from vendors.new_tel.simulator import API_KEY, BALANCE, CALL_COST, SIGNING_KEY
from vendors.new_tel.situations import START, STATUS, ask, start

PHONE = "79000000001"


def details(simulators: Simulators, **changed: object) -> dict[str, Any]:
    body = start(simulators, **changed).get_json()
    assert (body["status"], body["data"]["result"]) == ("success", "success")
    return cast(dict[str, Any], body["data"]["callDetails"])


def test_a_call_rings_the_phone_from_a_number_that_ends_in_the_pin(simulators: Simulators) -> None:
    assert details(simulators) == {"callId": "2096093321622464437", "pin": "0427", "isValidNumber": True}
    (call,) = simulators.incoming(PHONE)
    assert call["from"].endswith("0427")
    (asked,) = simulators.get("/requests?provider=new_tel")["requests"]
    assert (asked["phone"], asked["paid"], asked["action"]) == (f"+{PHONE}", True, "start-password-call")


def test_without_a_pin_the_vendor_picks_one(simulators: Simulators) -> None:
    made = ask(simulators, START, dstNumber=PHONE).get_json()["data"]["callDetails"]
    assert simulators.incoming(PHONE)[0]["from"].endswith(made["pin"])


def test_integrations_write_numbers_as_text(simulators: Simulators) -> None:
    assert details(simulators, **{"async": "1", "timeout": "20", "pin": 1234})["pin"] == "1234"


@pytest.mark.parametrize("number", ["74950000001", "996700000001"])
def test_a_number_that_can_not_be_called_is_a_success_with_a_mark(simulators: Simulators, number: str) -> None:
    assert details(simulators, dstNumber=number)["isValidNumber"] is False
    assert simulators.get("/requests?provider=new_tel")["paid_calls"] == 0
    assert ask(simulators, "company/get-state").get_json()["data"]["state"]["balance"] == BALANCE


@pytest.mark.parametrize(
    "changed",
    [{"pin": "123"}, {"pin": "12345"}, {"pin": "abcd"}, {"dstNumber": "abc"}, {"timeout": 0}, {"timeout": "x"}],
)
def test_an_error_of_the_method_comes_over_http_200_with_a_message_only(
    simulators: Simulators, changed: dict[str, object]
) -> None:
    answer = start(simulators, **changed)
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["data"]["result"]) == (200, "success", "error")
    assert body["data"].keys() == {"result", "message"}
    assert simulators.incoming(PHONE) == []


# The signature


def bearer(
    method: str, body: bytes, *, key: str = API_KEY, signing_key: str = SIGNING_KEY, at: str | None = None
) -> str:
    at = at or str(int(time.time()))
    text = "\n".join([method, at, key, body.decode(), signing_key])
    return f"Bearer {key}{at}{hashlib.sha256(text.encode()).hexdigest()}"


BODY = json.dumps({"dstNumber": PHONE, "pin": "0427"}).encode()  # with spaces, which are signed and sent as they are


def post(simulators: Simulators, body: bytes, token: str | None, method: str = START) -> int:
    headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
    return simulators.client.post(f"/new_tel/{method}", data=body, headers=headers).status_code


def test_the_signature_is_over_the_bytes_of_the_body(simulators: Simulators) -> None:
    token = bearer(START, BODY)
    assert post(simulators, BODY, token) == 200
    compact = json.dumps(json.loads(BODY), separators=(",", ":")).encode()
    assert post(simulators, compact, token) == 401
    assert post(simulators, compact, bearer(START, compact)) == 200


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "Bearer ",
        f"Bearer {API_KEY}",
        bearer(START, BODY).removeprefix("Bearer "),
        bearer(STATUS, BODY),  # of another method
        bearer(f"/{START}", BODY),
        bearer(START, BODY, key="0" * 48),
        bearer(START, BODY, signing_key="0" * 48),
        bearer(START, BODY, key=API_KEY.upper()),
        bearer(START, BODY, at=f"{time.time():.3f}"),
        bearer(START, BODY)[:-1] + "g",
        bearer(START, BODY) + "0",
        bearer(START, BODY).replace(API_KEY + "1", API_KEY + "2"),  # of another time
    ],
)
def test_any_other_signature_is_refused(simulators: Simulators, token: str | None) -> None:
    assert post(simulators, BODY, token) == 401
    assert simulators.incoming(PHONE) == []


# The rest


def test_the_state_of_a_call(simulators: Simulators) -> None:
    call_id = details(simulators)["callId"]
    known = ask(simulators, STATUS, callId=call_id).get_json()["data"]["callDetails"]
    assert known == {"callId": call_id, "status": "no answer", "reasonCode": 3}
    unknown = ask(simulators, STATUS, callId="1").get_json()
    assert (unknown["status"], unknown["data"]["result"]) == ("success", "error")


def test_calls_cost_money_until_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator, "BALANCE", 3 * CALL_COST)
    simulators = Simulators()
    details(simulators)
    state = ask(simulators, "company/get-state").get_json()["data"]["state"]
    assert state == {"balance": 2 * CALL_COST, "credit": 0, "currency": "RUB"}
    for _ in range(2):
        details(simulators)
    assert start(simulators).get_json()["data"]["message"] == "Недостаточно средств на балансе"


@pytest.mark.parametrize("path", ["call-password/start-voice-password-call", "company"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_that_is_not_there_is_a_404_in_the_envelope(simulators: Simulators, path: str, method: str) -> None:
    answer = simulators.client.open(f"/new_tel/{path}", method=method)
    assert (answer.status_code, answer.get_json()["status"]) == (404, "error")


def test_no_call_to_a_number_is_awaited(simulators: Simulators) -> None:
    details(simulators)
    assert simulators.dial(PHONE, "79000009999")["answered"] is False
