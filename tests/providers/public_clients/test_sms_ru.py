"""smsru-api and aiosmsru, as published, against the simulator of SMS.RU. Both know no host but the vendor's own."""

from collections.abc import Iterator

import pytest
import requests

from tests.providers.public_clients.conftest import Call, client
from vendors.sms_ru.simulator import API_ID, BALANCE

PHONE = "+79000000011"


@pytest.fixture
def reverse(simulators: str) -> Iterator[Call]:
    """smsru-api: what the vendor has for reverse calls, posted as a form."""
    environment, elsewhere = ".venv-vendors-smsru-api", f"{simulators}/sms_ru"
    with client("smsru_api", "SmsRu", environment=environment, elsewhere=elsewhere, api_id=API_ID) as call:
        yield call


@pytest.fixture
def flash(simulators: str) -> Iterator[Call]:
    """aiosmsru: calls whose number ends in a code, asked for by a query."""
    environment, elsewhere = ".venv-vendors-aiosmsru", f"{simulators}/sms_ru"
    with client("smsru", "SMSru", environment=environment, elsewhere=elsewhere, api_id=API_ID) as call:
        yield call


@pytest.mark.parametrize("phone", ["79000000011", PHONE, "+7 (900) 000-00-11"])
def test_a_reverse_call(simulators: str, reverse: Call, phone: str) -> None:
    started = reverse("callcheck_add", phone=phone)[1]
    assert (started["status"], started["status_code"]) == ("OK", 100)
    assert reverse("callcheck_status", check_id=started["check_id"])[1]["check_status"] == "400"
    dialled = {"number": started["call_phone"]}
    requests.post(f"{simulators}/phone/{PHONE}/dial", json=dialled, timeout=60).raise_for_status()
    assert reverse("callcheck_status", check_id=started["check_id"])[1]["check_status"] == "401"
    assert reverse("balance")[1]["balance"] == BALANCE


def test_a_flash_call(simulators: str, flash: Call) -> None:
    kind, started = flash("callcheck", phone="79000000011")
    assert (kind, started["status"]) == ("SMSruCallcheck", "OK")
    (rung,) = requests.get(f"{simulators}/phone/{PHONE}", timeout=60).json()["incoming_calls"]
    assert rung["from"].endswith(started["code"])
    assert started["call_id"]


def test_what_goes_wrong_is_an_error_that_the_client_reads(simulators: str, reverse: Call) -> None:
    unknown = reverse("callcheck_status", check_id="201737-1")[1]
    assert (unknown["status"], unknown["check_status"]) == ("OK", "402")
    stranger = client(
        "smsru_api", "SmsRu", environment=".venv-vendors-smsru-api", elsewhere=f"{simulators}/sms_ru", api_id="other"
    )
    with stranger as call:
        refused = call("callcheck_add", phone=PHONE)[1]
    assert (refused["status"], refused["status_code"]) == ("ERROR", 200)
