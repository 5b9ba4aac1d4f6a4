"""A call for an earlier session must not verify the next, at a vendor whose reports name the phone alone."""

from __future__ import annotations

import pytest

from tests.support.gateway import PHONE, Api, smsc_webhook
from tests.support.simulators import CREDENTIALS
from tests.support.surroundings import THREE_ROUTES

PARAMETERS = THREE_ROUTES

SMSC = {"provider": "smsc"}
WINDOW, HELD = 300, 600


def without_telefon_ip(api: Api) -> None:
    api.set_credentials({name: value for name, value in CREDENTIALS.items() if name != "telefon_ip"})


def test_a_late_call_does_not_verify_the_next_session(api: Api) -> None:
    api.start(**SMSC)
    api.advance(WINDOW + 1)
    second = api.start()
    assert second["provider"] == "telefon_ip"
    api.advance(10)
    assert api.send_webhook(smsc_webhook(PHONE, api.now)).status == 200
    assert api.status(second.id)["status"] == "pending"


def test_the_vendor_is_passed_over_until_ten_minutes_after_the_window(api: Api) -> None:
    api.start(**SMSC)
    api.advance(WINDOW)
    for advance, left in ((0, HELD), (HELD - 1, 1)):
        api.advance(advance)
        refused = api.start(**SMSC)
        assert (refused.status, refused["code"], refused["retry_after"]) == (503, "no_provider_available", left)
    assert api.requests("smsc") == ["wait_call"]
    api.advance(1)
    assert api.start(**SMSC).status == 201


def test_a_redial_after_a_verified_call_does_not_verify_the_next_session(api: Api) -> None:
    first = api.start(**SMSC)
    api.advance(25)
    api.dial(first, PHONE)
    assert api.status(first.id)["status"] == "verified"
    api.advance(5)
    refused = api.start(**SMSC)
    assert (refused["code"], refused["retry_after"]) == ("no_provider_available", 115)
    second = api.start()
    assert second["provider"] == "telefon_ip"
    api.send_webhook(smsc_webhook(PHONE, api.now))
    assert api.status(second.id)["status"] == "pending"
    api.cancel(second.id)
    api.advance(115)
    assert api.start(**SMSC).status == 201


@pytest.mark.parametrize("end", ["canceled", "switched", "verified otherwise"])
def test_however_the_earlier_session_ended(api: Api, end: str) -> None:
    first = api.start(allowed_methods=["reverse_call", "flash_call"], **SMSC)
    api.advance(21)
    match end:
        case "canceled":
            api.cancel(first.id)
        case "switched":
            api.switch(first.id, PHONE, "flash_call")
            api.cancel(first.id)
        case "verified otherwise":
            api.switch(first.id, PHONE, "flash_call")
            assert api.check(first.id, api.code(PHONE))["valid"] is True
    api.advance(21)
    assert api.start(**SMSC)["retry_after"] == WINDOW + HELD - 42
    second = api.start(allowed_methods=["reverse_call"])
    assert second["provider"] == "telefon_ip"
    # Nor can it switch there.
    api.simulators.fault("telefon_ip", "no_money")
    api.advance(21)
    switched = api.switch(second.id, PHONE, "reverse_call")
    assert (switched.status, switched["code"]) == (503, "provider_unavailable")
    assert api.requests("smsc") == ["wait_call"]


def test_a_switch_that_finds_the_only_vendor_held_says_until_when(api: Api) -> None:
    api.start(**SMSC)
    api.advance(WINDOW)
    second = api.start(method="flash_call", allowed_methods=["flash_call", "reverse_call"])
    api.advance(21)
    without_telefon_ip(api)
    refused = api.switch(second.id, PHONE, "reverse_call")
    assert (refused.status, refused["code"], refused["retry_after"]) == (503, "no_provider_available", HELD - 21)


def test_a_later_attempt_of_the_same_session_is_not_held(api: Api) -> None:
    started = api.start(allowed_methods=["reverse_call", "flash_call"], **SMSC)
    api.advance(21)
    api.switch(started.id, PHONE, "flash_call")
    without_telefon_ip(api)
    api.advance(21)
    again = api.switch(started.id, PHONE, "reverse_call")
    assert (again.status, again["provider"]) == (200, "smsc")
    api.send_webhook(smsc_webhook(PHONE, api.now))
    assert api.status(started.id)["status"] == "verified"


def test_a_vendor_that_certainly_waits_for_no_call_is_not_held(api: Api) -> None:
    api.simulators.fault("smsc", "no_money")
    assert api.start(**SMSC)["code"] == "provider_unavailable"
    api.advance(21)
    assert api.start(**SMSC).status == 201


def test_an_attempt_that_was_refused_leaves_the_hold_of_the_one_before(api: Api) -> None:
    started = api.start(allowed_methods=["reverse_call", "flash_call"], **SMSC)
    api.advance(21)
    api.switch(started.id, PHONE, "flash_call")
    without_telefon_ip(api)
    api.simulators.fault("smsc", "no_money")
    api.advance(21)
    assert api.switch(started.id, PHONE, "reverse_call")["code"] == "provider_unavailable"
    assert api.requests("smsc") == ["wait_call"] * 2
    api.advance(21)
    assert api.start(**SMSC)["code"] == "no_provider_available"


def test_a_vendor_that_may_be_waiting_is_held(api: Api) -> None:
    api.simulators.fault("smsc", "malformed_json")
    assert api.start(**SMSC)["code"] == "provider_unavailable"
    api.advance(21)
    assert api.start(**SMSC)["code"] == "no_provider_available"
