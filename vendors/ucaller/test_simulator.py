"""uCaller's simulator: what the vendor answers, oddities included."""

from typing import Any, cast

import pytest

from tests.support.simulators import HOOK, Simulators
from vendors.ucaller.simulator import KEY, SERVICE_ID

PHONE = 79000000003
INIT_CALL = "/ucaller/v1.0/initCall"
BEARER = {"Authorization": f"Bearer {KEY}.{SERVICE_ID}"}


def ask(simulators: Simulators, action: str, **body: object) -> dict[str, Any]:
    response = simulators.client.post(f"/ucaller/v1.0/{action}", json=body, headers=BEARER)
    assert response.status_code == 200
    return cast(dict[str, Any], response.get_json())


def test_a_call_rings_the_phone_from_a_number_that_ends_in_the_code(simulators: Simulators) -> None:
    reply = ask(simulators, "initCall", phone=79000000001, code="0427")
    # Exactly the four fields of the live capture, the number masked.
    assert reply == {"status": True, "ucaller_id": 103000, "phone": "7900***0001", "code": "0427"}
    (call,) = simulators.incoming("+79000000001")
    assert call["from"].startswith("+7")
    assert call["from"].endswith("0427")
    assert call["at"] == "2027-01-15T08:00:00.000Z"


def test_the_unreachable_number_gets_an_id_and_no_error_and_never_rings(simulators: Simulators) -> None:
    reply = ask(simulators, "initCall", phone=79000000002, code="1234")
    assert reply == {"status": False, "ucaller_id": 103000, "phone": "7900***0002", "code": "1234"}
    assert simulators.incoming("79000000002") == []
    info = ask(simulators, "getInfo", uid=103000)
    assert info == {
        "status": True, "ucaller_id": 103000, "init_time": 1_800_000_000, "call_status": 0, "is_repeated": False,
        "repeatable": True, "repeat_times": 2, "phone": "7900***0002", "code": "1234", "country_code": "RU",
        "phone_info": [], "cost": 0.0, "balance": 1000.0,
    }  # fmt: skip
    simulators.advance(301)
    later = ask(simulators, "getInfo", uid=103000)
    assert later["repeatable"] is False
    assert "repeat_times" not in later


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 1),
        ({"code": "1234"}, 2),
        ({"phone": "79000000003"}, 1),  # a string of digits
        ({"phone": 123}, 3),
        ({"phone": PHONE, "code": "0000"}, 2),
        ({"phone": PHONE, "code": "12345"}, 2),
        ({"phone": PHONE, "unique": "u" * 65}, 2),
    ],
)
def test_bad_parameters_are_errors_over_http_200(simulators: Simulators, body: dict[str, object], code: int) -> None:
    reply = ask(simulators, "initCall", **body)
    assert (reply["status"], reply["code"]) == (False, code)
    assert reply["error"]
    assert simulators.get("/requests")["paid_calls"] == 0


def test_a_post_with_no_body_at_all_is_malformed(simulators: Simulators) -> None:
    assert simulators.client.post(INIT_CALL, headers=BEARER).get_json()["code"] == 1


def test_credentials_may_be_in_the_header_the_query_or_the_body(simulators: Simulators) -> None:
    pair = {"key": KEY, "service_id": SERVICE_ID}
    call = {"phone": PHONE, "code": "0001"}
    assert simulators.client.get(INIT_CALL, query_string=pair | call).get_json()["code"] == "0001"
    simulators.advance(15)
    assert simulators.client.post(INIT_CALL, json=pair | call).get_json()["status"] is True
    simulators.advance(15)
    assert simulators.client.get(INIT_CALL, query_string=call, headers=BEARER).get_json()["status"] is True
    for wrong in ({}, {"Authorization": f"Bearer {KEY}.1"}):
        reply = simulators.client.post(INIT_CALL, json=call, headers=wrong)
        assert (reply.status_code, reply.get_json()["code"]) == (200, 401)


@pytest.mark.parametrize("phone", ["79000000003", "%2B79000000003", "+79000000003"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_call_by_get_as_public_clients_make_it(simulators: Simulators, phone: str, slash: str) -> None:
    answer = simulators.client.get(f"{INIT_CALL}{slash}?phone={phone}&code=0427", headers=BEARER)
    assert (answer.status_code, answer.get_json()["status"]) == (200, True)
    assert len(simulators.incoming(str(PHONE))) == 1


@pytest.mark.parametrize("phone", ["++79000000003", "+", "7900000000x"])
def test_a_query_without_a_number_is_refused(simulators: Simulators, phone: str) -> None:
    assert simulators.client.get(f"{INIT_CALL}?phone={phone}", headers=BEARER).get_json()["code"] == 3


def test_the_same_unique_calls_and_charges_once(simulators: Simulators) -> None:
    first = ask(simulators, "initCall", phone=PHONE, code="0427", unique="key", client="me")
    again = ask(simulators, "initCall", phone=PHONE, code="0427", unique="key", client="me")
    assert first["unique_request_id"] == "key"
    assert "exists" not in first
    assert again == first | {"exists": True}
    assert len(simulators.incoming(str(PHONE))) == 1
    assert ask(simulators, "getBalance")["rub_balance"] == 999.5
    journal = simulators.get("/requests?provider=ucaller")
    assert journal["paid_calls"] == 1
    assert [(r["unique"], r["paid"]) for r in journal["requests"][:2]] == [("key", True), ("key", False)]
    info = ask(simulators, "getInfo", uid=first["ucaller_id"])
    assert (info["unique"], info["client"], info["cost"], info["balance"]) == ("key", "me", 0.5, 1000.0)


def test_limits_of_one_number(simulators: Simulators) -> None:
    def call(phone: int = PHONE) -> object:
        return ask(simulators, "initCall", phone=phone, code="0001")["code"]

    assert call() == "0001"
    simulators.advance(14.9)
    assert call() == 19
    assert call(79000000004) == "0001"
    simulators.advance(0.1)
    for _ in range(3):
        assert call() == "0001"
        simulators.advance(15)
    assert call() == 18  # the fifth within a minute
    for _ in range(26):
        simulators.advance(60)
        assert call() == "0001"
    simulators.advance(3600)
    assert call() == 18  # the 31st of a day


def test_repeats_are_free_calls_with_ids_of_their_own(simulators: Simulators) -> None:
    first = ask(simulators, "initCall", phone=PHONE, code="0427", unique="key")
    assert ask(simulators, "initRepeat", uid=1)["code"] == 10
    simulators.advance(59)
    assert ask(simulators, "initRepeat", uid=first["ucaller_id"])["code"] == 13
    simulators.advance(1)
    repeat = ask(simulators, "initRepeat", uid=first["ucaller_id"])
    assert repeat == first | {"ucaller_id": 103001, "exists": True, "free_repeated": True}
    assert [call["from"][-4:] for call in simulators.incoming(str(PHONE))] == ["0427", "0427"]
    assert ask(simulators, "initRepeat", uid=repeat["ucaller_id"])["ucaller_id"] == 103002
    assert ask(simulators, "initRepeat", uid=first["ucaller_id"])["code"] == 12
    assert ask(simulators, "getInfo", uid=first["ucaller_id"])["repeated_ucaller_ids"] == [103001, 103002]
    info = ask(simulators, "getInfo", uid=103002)
    assert (info["is_repeated"], info["first_ucaller_id"], info["cost"]) == (True, 103000, 0.0)
    assert simulators.get("/requests?provider=ucaller")["paid_calls"] == 1


def test_a_repeat_after_five_minutes_is_too_late(simulators: Simulators) -> None:
    uid = ask(simulators, "initCall", phone=PHONE)["ucaller_id"]
    simulators.advance(300)
    assert ask(simulators, "initRepeat", uid=uid)["free_repeated"] is True
    simulators.advance(0.1)
    assert ask(simulators, "initRepeat", uid=uid)["code"] == 11


def test_repeat_405_is_what_the_vendor_answers_today(simulators: Simulators) -> None:
    uid = ask(simulators, "initCall", phone=PHONE)["ucaller_id"]
    simulators.advance(60)
    simulators.fault("ucaller", "repeat_405")
    reply = ask(simulators, "initRepeat", uid=uid)
    assert reply == {"status": False, "error": "Method Not Allowed", "code": 405}
    assert ask(simulators, "initRepeat", uid=uid)["free_repeated"] is True


def test_a_reverse_call_is_reported_in_names_of_its_own(simulators: Simulators) -> None:
    started = ask(simulators, "inboundCallWaiting", phone=PHONE, callback_url=HOOK)
    assert started.keys() == {"status", "ucaller_id", "phone", "confirmation_number"}
    assert simulators.dial(str(PHONE), started["confirmation_number"])["provider"] == "ucaller"
    (report,) = simulators.sent
    assert (report.method, report.url) == ("POST", HOOK)
    assert report.json == {
        "callId": str(started["ucaller_id"]), "callbackLink": HOOK, "clientNumber": str(PHONE),
        "confirmationNumber": started["confirmation_number"], "isMnp": False, "operatorName": None,
        "operatorNameMnp": None, "regionName": "",
    }  # fmt: skip
    simulators.advance(60)
    assert simulators.dial(str(PHONE), started["confirmation_number"])["answered"] is False


def test_service_and_health(simulators: Simulators) -> None:
    service = ask(simulators, "getService")
    assert service["service_status"] == SERVICE_ID
    assert service.keys() == {
        "status", "service_status", "name", "creation_time", "last_request", "owner", "use_direction",
    }  # fmt: skip
    assert simulators.get("/ucaller/health") == {"status": True, "database": True, "providers": True}


@pytest.mark.parametrize(("mode", "code"), [("no_money", 1002), ("bad_credentials", 401), ("number_refused", 3)])
def test_refusals(simulators: Simulators, mode: str, code: int) -> None:
    simulators.fault("ucaller", mode)
    assert ask(simulators, "initCall", phone=PHONE)["code"] == code
    assert simulators.incoming(str(PHONE)) == []


def test_a_call_whose_answer_timed_out_can_be_asked_again_by_its_key(simulators: Simulators) -> None:
    simulators.fault("ucaller", "timeout")
    body = {"phone": PHONE, "code": "0427", "unique": "key"}
    assert simulators.client.post(INIT_CALL, json=body, headers=BEARER).data == b""
    assert simulators.holds == 1
    assert ask(simulators, "initCall", **body)["exists"] is True
    assert len(simulators.incoming(str(PHONE))) == 1
    journal = simulators.get("/requests?provider=ucaller")
    assert [(r["answer"], r["paid"]) for r in journal["requests"]] == [("timeout", True), (200, False)]


@pytest.mark.parametrize("path", ["v1.0/sendSms", "v2.0/initCall"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_path_that_is_not_there_is_an_error_over_http_200(simulators: Simulators, path: str, method: str) -> None:
    answer = simulators.client.open(f"/ucaller/{path}", method=method)
    assert answer.status_code == 200
    assert answer.get_json() == {"status": False, "error": "Method Not Allowed", "code": 405}
    (unknown,) = simulators.get("/requests")["requests"]
    assert (unknown["provider"], unknown["action"], unknown["paid"]) == ("ucaller", "unknown", False)


def test_a_method_that_a_path_does_not_have_is_an_error_over_http_200(simulators: Simulators) -> None:
    assert simulators.client.put(INIT_CALL).get_json()["code"] == 405


@pytest.mark.parametrize("number", ["+79000000003", "%2B79000000003", "79000000003", "89000000003"])
def test_a_call_reaches_the_telephone_in_every_form_of_its_number(simulators: Simulators, number: str) -> None:
    ask(simulators, "initCall", phone=PHONE, code="0427")
    assert [call["from"][-4:] for call in simulators.incoming(number)] == ["0427"]
