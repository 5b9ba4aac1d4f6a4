"""Flash calls while all vendors but one are down: the one that is left makes the call, and the others are named."""

import pytest

from tests.support.client import Api, Vendors, new_phone

FLASH = ["ucaller", "new_tel", "telefon_ip", "sms_ru"]
# How a vendor is down, and the reason that its attempt tells.
DOWN = {"refused": "unreachable", "no_money": "no_money", "bad_credentials": "bad_credentials"}


@pytest.mark.parametrize("mode", DOWN)
@pytest.mark.parametrize("up", FLASH)
def test_the_one_that_is_left_calls(failing: Vendors, api: Api, up: str, mode: str) -> None:
    for provider in FLASH:
        if provider != up:
            failing.fault(provider, mode, times=None)
    phone = new_phone()
    started = api.started(phone, method="flash_call")
    asked = FLASH[: FLASH.index(up)]
    assert [(each["provider"], each["outcome"], each["reason"]) for each in started["attempts"]] == [
        *((provider, "unavailable", DOWN[mode]) for provider in asked),
        (up, "started", None),
    ]
    assert failing.starts(phone) == [up]  # the others have not even read the number
    assert api.check(started.id, failing.code(phone))["valid"] is True


@pytest.mark.parametrize("provider", FLASH)
def test_a_start_that_names_a_vendor_fails_while_it_is_down(failing: Vendors, api: Api, provider: str) -> None:
    failing.fault(provider, "refused", times=None)
    failed = api.start(new_phone(), provider=provider, method="flash_call").expect(503, "provider_unavailable")
    (attempt,) = api.read(failed["verification_id"])["attempts"]
    assert (attempt["outcome"], attempt["reason"]) == ("unavailable", "unreachable")
    failing.clear_faults()
    assert api.started(new_phone(), provider=provider, method="flash_call")["status"] == "pending"
