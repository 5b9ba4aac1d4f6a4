"""pyucallerapi, as published, against the simulator of uCaller. It uses GET, a slash at the end and +7… numbers."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.providers.public_clients.conftest import Call, client
from vendors.ucaller.simulator import KEY, SERVICE_ID

PHONE = "+7 (900) 000-00-11"


@pytest.fixture
def ucaller(simulators: str) -> Iterator[Call]:
    # The slash is the client's own: so end the addresses that it knows.
    account: dict[str, Any] = {"service_id": SERVICE_ID, "key": KEY}
    with client("pyucallerapi", "UCallerAPI", base_url=f"{simulators}/ucaller/", **account) as call:
        yield call


def test_a_call_its_key_its_state_and_its_repeat(simulators: str, ucaller: Call) -> None:
    wanted = {"phone": PHONE, "code": "0427", "client": "me", "unique": "one click"}
    kind, started = ucaller("init_call", **wanted)
    assert (kind, started["phone"], started["code"], started["exists"]) == (
        "InitCallModel",
        "7900***0011",
        "0427",
        None,
    )
    (rung,) = requests.get(f"{simulators}/phone/+79000000011", timeout=60).json()["incoming_calls"]
    assert rung["from"].endswith("0427")

    assert ucaller("init_call", **wanted) == ("InitCallModel", started | {"exists": True})
    kind, info = ucaller("get_info", uid=started["ucaller_id"])
    assert (kind, info["call_status"], info["client"]) == ("GetInfoModel", 1, "me")

    requests.post(f"{simulators}/clock", json={"advance": 60}, timeout=60).raise_for_status()
    kind, repeated = ucaller("init_repeat", uid=started["ucaller_id"])
    assert (kind, repeated["ucaller_id"]) == ("InitCallModel", started["ucaller_id"] + 1)


def test_a_reverse_call(simulators: str, ucaller: Call) -> None:
    kind, issued = ucaller("inbound_call_waiting", phone=PHONE, callback_url="http://127.0.0.1:9/closed")
    assert (kind, issued["phone"]) == ("InboundCallWaitingModel", "7900***0011")
    dialled = {"number": issued["confirmation_number"]}
    answer = requests.post(f"{simulators}/phone/+79000000011/dial", json=dialled, timeout=60).json()
    assert answer == {"answered": True, "provider": "ucaller", "webhook": "sent"}


def test_the_account(ucaller: Call) -> None:
    kind, service = ucaller("get_service")
    assert (kind, service["service_status"]) == ("GetServiceModel", SERVICE_ID)
    assert ucaller("get_balance")[1]["rub_balance"] == 1000
    assert ucaller("get_account")[0] == "GetAccountModel"
    kind, known = ucaller("check_phone", phone=PHONE)
    assert (kind, known["phone"], known["balance"]) == ("CheckPhoneModel", 79000000011, 999.96)
    assert ucaller("health") == ("HealthModel", {"status": True, "database": True, "providers": True})


def test_what_goes_wrong_is_an_error_that_the_client_reads(simulators: str, ucaller: Call) -> None:
    assert ucaller("get_info", uid=1)[1]["code"] == 10
    kind, refused = ucaller("inbound_call_waiting", phone=PHONE, callback_url="no address")
    assert (kind, refused["code"]) == ("ErrorResponseModel", 2)
    account: dict[str, Any] = {"service_id": 1, "key": KEY, "base_url": f"{simulators}/ucaller/"}
    with client("pyucallerapi", "UCallerAPI", **account) as stranger:
        assert stranger("init_call", phone=PHONE, code="0427")[1]["code"] == 401
