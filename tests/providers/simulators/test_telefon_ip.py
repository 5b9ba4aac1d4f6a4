import json

import pytest

from simulators.webhooks import Webhook
from tests.support.simulators import HOOK, TELEFON_IP, Simulators


def test_a_start_issues_a_number_with_the_vendors_oddities(simulators: Simulators) -> None:
    response = simulators.start_telefon_ip()
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
    data = simulators.start_telefon_ip().get_json()["data"]
    assert simulators.check_telefon_ip(data["id"]) == {"phone": "", "id": data["id"], "status": "pending"}
    dialled = simulators.dial("+79000000001", f"+{data['auth_phone']}")
    assert dialled == {"answered": True, "provider": "telefon_ip", "webhook": "sent"}
    assert simulators.sent == [Webhook("telefon_ip", f"{HOOK}?success=True&phone=89000000001&id=022760", 120)]
    assert simulators.check_telefon_ip(data["id"]) == {"phone": "89000000001", "id": data["id"], "status": "ok"}


def test_whoever_calls_is_the_caller(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.dial("79000000009", data["auth_phone"])
    assert "phone=89000000009&" in simulators.sent[0].url
    assert simulators.check_telefon_ip(data["id"])["phone"] == "89000000009"


def test_numbers_are_not_shared_while_they_wait(simulators: Simulators) -> None:
    first, second = (simulators.start_telefon_ip().get_json()["data"] for _ in range(2))
    assert first["auth_phone"] != second["auth_phone"]
    simulators.dial("79000000001", second["auth_phone"])
    assert simulators.check_telefon_ip(first["id"])["status"] == "pending"


def test_a_flash_call_and_what_is_known_of_it(simulators: Simulators) -> None:
    called = simulators.get(f"{TELEFON_IP}/get_code/89000000001")["data"]
    (rung,) = simulators.incoming("+79000000001")
    assert rung["from"].endswith(called["code"])
    assert simulators.get(f"{TELEFON_IP}/get_status/{called['id']}/")["data"] == {
        "id": called["id"], "created_at": "2027-01-15T08:00:00", "phone": "89000000001", "status": 1,
        "status_info": "Ok: SIP 200 OK", "price": 0.2,
    }  # fmt: skip
    assert simulators.get("/requests?provider=telefon_ip")["paid_calls"] == 1


def test_a_number_is_flash_called_three_times_a_day(simulators: Simulators) -> None:
    path = f"{TELEFON_IP}/get_code/89000000001/"
    assert [simulators.client.get(path).status_code for _ in range(4)] == [200, 200, 200, 400]
    simulators.advance(86_400)
    assert simulators.client.get(path).status_code == 200
    assert simulators.client.get(f"{TELEFON_IP}/get_code/+79000000001/").status_code == 400


def test_both_names_lead_to_the_same_vendor(simulators: Simulators) -> None:
    id_ = simulators.start_telefon_ip().get_json()["data"]["id"]
    other = TELEFON_IP.replace("telefon-ip", "telefon_ip")
    assert simulators.get(f"{other}/reverse_auth_phone_check/{id_}")["data"]["status"] == "pending"


def test_a_number_lives_120_seconds(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.advance(119.9)
    assert simulators.check_telefon_ip(data["id"])["status"] == "pending"
    simulators.advance(0.1)
    assert simulators.check_telefon_ip(data["id"]) == {"phone": "", "id": data["id"], "status": "expired"}
    dialled = simulators.dial("79000000001", data["auth_phone"])
    assert dialled == {"answered": False, "provider": None, "webhook": "none"}
    assert simulators.sent == []


def test_a_start_by_get_has_no_webhook(simulators: Simulators) -> None:
    data = simulators.get(f"{TELEFON_IP}/reverse_auth_phone_get?phone=89000000001")["data"]
    assert simulators.dial("89000000001", data["auth_phone"])["webhook"] == "none"
    assert simulators.check_telefon_ip(data["id"])["status"] == "ok"


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
    response = simulators.client.post(f"{TELEFON_IP}/reverse_auth_phone_post", json=body)
    assert response.status_code == status
    reply = response.get_json()
    assert (reply["success"], reply["data"]) == (False, {})
    assert reply["error"]


def test_unknown_id_and_wrong_token(simulators: Simulators) -> None:
    unknown = simulators.client.get(f"{TELEFON_IP}/reverse_auth_phone_check/1")
    assert (unknown.status_code, unknown.get_json()["error"]) == (400, "id record not found")
    wrong = simulators.client.get("/telefon-ip/api/v1/authcalls/other/reverse_auth_phone_check/1")
    assert (wrong.status_code, wrong.get_json()["error"]) == (401, "Invalid token")
    assert simulators.get(f"{TELEFON_IP}/get_balance/")["data"]["price"] == 0.2


@pytest.mark.parametrize(("mode", "status"), [("no_money", 400), ("bad_credentials", 401), ("number_refused", 400)])
def test_refusals(simulators: Simulators, mode: str, status: int) -> None:
    simulators.fault("telefon_ip", mode)
    response = simulators.start_telefon_ip()
    assert response.status_code == status
    assert response.get_json()["success"] is False
    assert simulators.get("/requests")["paid_calls"] == 0


def test_the_malformed_answer_is_the_documented_sample(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "malformed_json")
    text = simulators.start_telefon_ip().text
    with pytest.raises(json.JSONDecodeError, match="Expecting ',' delimiter"):
        json.loads(text)
    assert simulators.dial("79000000001", "79000012760")["answered"] is True  # it took effect


def test_a_pending_check_can_echo_the_claimed_phone(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.fault("telefon_ip", "pending_echoes_phone")
    assert simulators.check_telefon_ip(data["id"]) == {"phone": "89000000001", "id": data["id"]}
    simulators.fault("telefon_ip", "pending_echoes_phone", status=True)
    echoed = {"phone": "89000000001", "id": data["id"], "status": "pending"}
    assert simulators.check_telefon_ip(data["id"]) == echoed
    assert simulators.check_telefon_ip(data["id"])["phone"] == ""


def test_with_the_echo_a_check_after_the_call_names_the_caller_without_a_status(simulators: Simulators) -> None:
    data = simulators.start_telefon_ip().get_json()["data"]
    simulators.fault("telefon_ip", "pending_echoes_phone", times=None)
    simulators.dial("79000000009", data["auth_phone"])
    assert simulators.check_telefon_ip(data["id"]) == {"phone": "89000000009", "id": data["id"]}


def test_a_fault_can_be_aimed_at_checks(simulators: Simulators) -> None:
    simulators.fault("telefon_ip", "http_500", on="check")
    data = simulators.start_telefon_ip().get_json()["data"]
    path = f"{TELEFON_IP}/reverse_auth_phone_check/{data['id']}"
    assert [simulators.client.get(path).status_code for _ in range(2)] == [500, 200]
