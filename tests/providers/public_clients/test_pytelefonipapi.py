"""pytelefonipapi, as published, against the simulator of telefon-ip.ru. It writes some paths without the last slash."""

from collections.abc import Iterator

import pytest
import requests

from tests.providers.public_clients.conftest import Call, client
from vendors.telefon_ip.simulator import TOKEN

PHONE = "+7 (900) 000-00-11"


@pytest.fixture(params=["telefon_ip", "telefon-ip"])
def telefon_ip(simulators: str, request: pytest.FixtureRequest) -> Iterator[Call]:
    base_url = f"{simulators}/{request.param}/api/v1"
    with client("pytelefonipapi", "TelefonIpAPI", token=TOKEN, base_url=base_url) as call:
        yield call


@pytest.mark.parametrize(
    ("start", "more"),
    [("reverse_auth_phone_get", {}), ("reverse_auth_phone_post", {"webhook": "http://127.0.0.1:9/closed"})],
)
def test_a_reverse_call(simulators: str, telefon_ip: Call, start: str, more: dict[str, str]) -> None:
    kind, started = telefon_ip(start, phone=PHONE, **more)
    assert kind == {"reverse_auth_phone_get": "ReverseAuthPhoneGetModel"}.get(start, "ReverseAuthPhonePostModel")
    issued = started["data"]
    assert telefon_ip("reverse_auth_phone_check", id_auth=issued["id"])[1]["data"]["phone"] == ""
    dialled = {"number": issued["auth_phone"]}
    requests.post(f"{simulators}/phone/+79000000011/dial", json=dialled, timeout=60).raise_for_status()
    checked = telefon_ip("reverse_auth_phone_check", id_auth=issued["id"])[1]
    assert checked == {"success": True, "error": "", "data": {"phone": "89000000011", "id": issued["id"]}}


def test_a_flash_call_and_the_bill(simulators: str, telefon_ip: Call) -> None:
    started = telefon_ip("get_code", phone=PHONE)[1]["data"]
    (rung,) = requests.get(f"{simulators}/phone/+79000000011", timeout=60).json()["incoming_calls"]
    assert rung["from"].endswith(started["code"])
    status = telefon_ip("get_status", id_status=started["id"])[1]["data"]
    assert (status["phone"], status["status"], status["price"]) == ("89000000011", True, 0.2)
    assert telefon_ip("get_balance")[1]["data"]["balance"] == 5
    bill = telefon_ip("get_billing_record", count_record=10)[1]["data"]
    assert [(each["code_auth"], each["price"]) for each in bill] == [(started["code"], 0.2)]
    assert telefon_ip("post_billing_data", start_date="2020-01-01", end_date="2199-12-31")[1]["data"] == bill
    assert telefon_ip("post_billing_data", start_date="2020-01-01", end_date="2020-12-31")[1]["data"] == []


def test_what_goes_wrong_is_an_error_that_the_client_reads(simulators: str, telefon_ip: Call) -> None:
    unknown = {"success": False, "error": "id record not found", "data": None}
    assert telefon_ip("reverse_auth_phone_check", id_auth=1)[1] == unknown
    assert telefon_ip("get_status", id_status=1)[1] == unknown
    # Not simulated: a telephone here takes no messages.
    refused = ("GetSMSCodeModel", {"success": False, "error": "Not found", "data": None})
    assert telefon_ip("get_sms_code", phone=PHONE) == refused
    with client("pytelefonipapi", "TelefonIpAPI", token="other", base_url=f"{simulators}/telefon_ip/api/v1") as call:
        assert call("get_balance")[1]["error"] == "Invalid token"
