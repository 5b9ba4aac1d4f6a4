"""telefon-ip.ru's simulator: what the vendor answers, oddities included."""

import json
from typing import Any, cast

import pytest
from werkzeug.test import TestResponse

from simulators.webhooks import Webhook
from tests.support.simulators import HOOK, Simulators
from vendors.telefon_ip.simulator import TOKEN

CALLS = f"/telefon_ip/api/v1/authcalls/{TOKEN}"


def start(simulators: Simulators, phone: str = "89000000001", webhook: str = HOOK) -> TestResponse:
    return simulators.client.post(f"{CALLS}/reverse_auth_phone_post", json={"phone": phone, "webhook": webhook})


def check(simulators: Simulators, id_: object) -> dict[str, Any]:
    response = simulators.client.get(f"{CALLS}/reverse_auth_phone_check/{id_}")
    assert response.status_code == 200, response.text
    return cast(dict[str, Any], response.get_json()["data"])


def test_a_start_issues_a_number_with_the_vendors_oddities(simulators: Simulators) -> None:
    response = start(simulators)
    assert response.status_code == 200
    assert response.get_json() == {
        "success": True,
        "error": "",
        "data": {
            "auth_phone": "79000012760",
            "id": 22760,
            "url_image": "https://api.telefon-ip.ru/api/v1/authcalls/get_qr_image/2741621/",
            "url_link": "<a href='tel:89000032760'>Позвони для авторизации</a>",
        },
    }


def test_a_call_is_reported_by_a_get_and_confirmed_by_a_check(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    assert check(simulators, data["id"]) == {"phone": "", "id": data["id"], "status": "pending"}
    dialled = simulators.dial("+79000000001", f"+{data['auth_phone']}")
    assert dialled == {"answered": True, "provider": "telefon_ip", "webhook": "sent"}
    assert simulators.sent == [Webhook("telefon_ip", f"{HOOK}?success=True&phone=89000000001&id=022760", 120)]
    assert check(simulators, data["id"]) == {"phone": "89000000001", "id": data["id"], "status": "ok"}


def test_any_phone_that_calls_is_the_caller(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    simulators.dial("79000000009", data["auth_phone"])
    assert "phone=89000000009&" in simulators.sent[0].url
    assert check(simulators, data["id"])["phone"] == "89000000009"


def test_numbers_are_not_shared_while_they_wait(simulators: Simulators) -> None:
    first, second = (start(simulators).get_json()["data"] for _ in range(2))
    assert first["auth_phone"] != second["auth_phone"]
    simulators.dial("79000000001", second["auth_phone"])
    assert check(simulators, first["id"])["status"] == "pending"


def test_a_flash_call_and_what_is_known_of_it(simulators: Simulators) -> None:
    called = simulators.get(f"{CALLS}/get_code/89000000001")["data"]
    (rung,) = simulators.incoming("+79000000001")
    assert rung["from"].endswith(called["code"])
    assert simulators.get(f"{CALLS}/get_status/{called['id']}/")["data"] == {
        "id": called["id"], "created_at": "2027-01-15T08:00:00", "phone": "89000000001", "status": 1,
        "status_info": "Ok: SIP 200 OK", "price": 0.2,
    }  # fmt: skip
    assert simulators.get("/requests?provider=telefon_ip")["paid_calls"] == 1


def test_a_number_is_flash_called_three_times_a_day(simulators: Simulators) -> None:
    path = f"{CALLS}/get_code/89000000001/"
    assert [simulators.client.get(path).status_code for _ in range(4)] == [200, 200, 200, 400]
    simulators.advance(86_400)
    assert simulators.client.get(path).status_code == 200
    assert simulators.client.get(f"{CALLS}/get_code/+79000000001/").status_code == 400


def test_both_names_lead_to_the_same_vendor(simulators: Simulators) -> None:
    id_ = start(simulators).get_json()["data"]["id"]
    other = CALLS.replace("telefon_ip", "telefon-ip")
    assert simulators.get(f"{other}/reverse_auth_phone_check/{id_}")["data"]["status"] == "pending"


def test_a_number_lives_120_seconds(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    simulators.advance(119.9)
    assert check(simulators, data["id"])["status"] == "pending"
    simulators.advance(0.1)
    assert check(simulators, data["id"]) == {"phone": "", "id": data["id"], "status": "expired"}
    dialled = simulators.dial("79000000001", data["auth_phone"])
    assert dialled == {"answered": False, "provider": None, "webhook": "none"}
    assert simulators.sent == []


def test_a_start_by_get_has_no_webhook(simulators: Simulators) -> None:
    data = simulators.get(f"{CALLS}/reverse_auth_phone_get?phone=89000000001")["data"]
    assert simulators.dial("89000000001", data["auth_phone"])["webhook"] == "none"
    assert check(simulators, data["id"])["status"] == "ok"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"phone": "+79000000001", "webhook": HOOK}, 400),
        ({"phone": 89000000001, "webhook": HOOK}, 400),
        ({"webhook": HOOK}, 400),
        ({"phone": "89000000001"}, 400),
        ([], 400),
    ],
)
def test_bad_starts_are_http_errors_in_the_envelope(simulators: Simulators, body: object, status: int) -> None:
    response = simulators.client.post(f"{CALLS}/reverse_auth_phone_post", json=body)
    assert response.status_code == status
    reply = response.get_json()
    assert (reply["success"], reply["data"]) == (False, {})
    assert reply["error"]


def test_unknown_id_and_wrong_token(simulators: Simulators) -> None:
    unknown = simulators.client.get(f"{CALLS}/reverse_auth_phone_check/1")
    assert (unknown.status_code, unknown.get_json()["error"]) == (400, "id record not found")
    wrong = simulators.client.get("/telefon_ip/api/v1/authcalls/other/reverse_auth_phone_check/1")
    assert (wrong.status_code, wrong.get_json()["error"]) == (401, "Invalid token")
    assert simulators.get(f"{CALLS}/get_balance/")["data"]["price"] == 0.2


@pytest.mark.parametrize(("mode", "status"), [("no_money", 400), ("bad_credentials", 401), ("number_refused", 400)])
def test_refusals(simulators: Simulators, mode: str, status: int) -> None:
    simulators.fault("telefon_ip", mode)
    response = start(simulators)
    assert response.status_code == status
    assert response.get_json()["success"] is False
    assert simulators.get("/requests")["paid_calls"] == 0


def test_the_malformed_answer_is_the_documented_sample(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "malformed_json")
    text = start(simulators).text
    with pytest.raises(json.JSONDecodeError, match="Expecting ',' delimiter"):
        json.loads(text)
    assert simulators.dial("79000000001", "79000012760")["answered"] is True  # it took effect


def test_a_pending_check_can_echo_the_claimed_phone(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    simulators.fault("telefon_ip", "pending_echoes_phone")
    assert check(simulators, data["id"]) == {"phone": "89000000001", "id": data["id"]}
    simulators.fault("telefon_ip", "pending_echoes_phone", status=True)
    echoed = {"phone": "89000000001", "id": data["id"], "status": "pending"}
    assert check(simulators, data["id"]) == echoed
    assert check(simulators, data["id"])["phone"] == ""


def test_with_the_echo_a_check_after_the_call_names_the_caller_without_a_status(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    simulators.fault("telefon_ip", "pending_echoes_phone", times=None)
    simulators.dial("79000000009", data["auth_phone"])
    assert check(simulators, data["id"]) == {"phone": "89000000009", "id": data["id"]}


def test_a_fault_can_be_aimed_at_checks(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "http_500", on="check")
    data = start(simulators).get_json()["data"]
    path = f"{CALLS}/reverse_auth_phone_check/{data['id']}"
    assert [simulators.client.get(path).status_code for _ in range(2)] == [500, 200]


def test_a_webhook_can_come_before_the_start_is_answered(simulators: Simulators) -> None:
    seen: list[str] = []

    def receive(_: Webhook) -> tuple[int, str]:
        seen.append(check(simulators, 22760)["status"])  # nothing is locked meanwhile
        return 404, "not yet"

    simulators.on_webhook = receive
    simulators.fault("telefon_ip", "webhook_before_reply")
    assert start(simulators).status_code == 200
    assert seen == ["ok"]


def test_the_record_of_a_request_holds_no_token(simulators: Simulators) -> None:
    start(simulators)
    assert simulators.get("/requests")["requests"] == [
        {
            "provider": "telefon_ip",
            "method": "POST",
            "path": "/telefon_ip/api/v1/authcalls/<token>/reverse_auth_phone_post",
            "action": "reverse_auth_phone_post",
            "at": "2027-01-15T08:00:00.000Z",
            "phone": "+79000000001",
            "paid": True,
            "answer": 200,
        }
    ]


def test_a_fault_of_one_phone_knows_the_phone_of_an_id(simulators: Simulators) -> None:
    data = start(simulators).get_json()["data"]
    for phone, status in (("+79000000002", 200), ("+79000000001", 500)):
        simulators.fault("telefon_ip", "http_500", on="check", phone=phone)
        path = f"{CALLS}/reverse_auth_phone_check/{data['id']}"
        assert simulators.client.get(path).status_code == status


@pytest.mark.parametrize("path", ["get_voice/79000000001", "reverse_auth_phone_check"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_that_is_not_there_is_a_404_in_the_envelope(simulators: Simulators, path: str, method: str) -> None:
    answer = simulators.client.open(f"{CALLS}/{path}", method=method)
    assert (answer.status_code, answer.get_json()) == (404, {"success": False, "error": "Not found", "data": {}})


def test_a_method_that_a_path_does_not_have_is_a_404_in_the_envelope(simulators: Simulators) -> None:
    assert simulators.client.post(f"{CALLS}/get_balance/").get_json()["success"] is False


def test_the_vendors_own_clock_ends_a_number(simulators: Simulators) -> None:
    id_ = start(simulators).get_json()["data"]["id"]
    for seconds, status in ((119, "pending"), (1, "expired")):
        assert simulators.client.post("/clock", json={"advance": seconds}).status_code == 200
        assert check(simulators, id_)["status"] == status
    assert simulators.client.delete("/clock").get_json() == {"ahead": 0}
    assert check(simulators, id_)["status"] == "pending"


@pytest.mark.parametrize("number", ["+79000000003", "%2B79000000003", "79000000003", "89000000003"])
def test_a_telephone_has_one_number_in_every_form(simulators: Simulators, number: str) -> None:
    auth_phone = start(simulators, "89000000003").get_json()["data"]["auth_phone"]
    assert simulators.dial(number, "8" + auth_phone[1:])["answered"] is True
    assert "phone=89000000003&" in simulators.sent[0].url


def test_an_echo_takes_a_yes_or_a_no(simulators: Simulators) -> None:
    body = {"provider": "telefon_ip", "mode": "pending_echoes_phone", "status": 1}
    answer = simulators.client.post("/faults", json=body)
    assert (answer.status_code, answer.get_json()) == (400, {"error": "status must be true or false"})
