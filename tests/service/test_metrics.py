"""What is counted of a verification, of its vendors and of strangers: what the alarms and the dashboard go by."""

from __future__ import annotations

import pytest

from callverify.store.counters import FAILURES_IN_A_ROW
from tests.support.gateway import PHONE, Api, smsc_webhook
from tests.support.surroundings import TEST_KEY, THREE_ROUTES

PARAMETERS = THREE_ROUTES

FLASH = {"method": "flash_call"}


def test_a_call_that_verifies(api: Api) -> None:
    started = api.start(**FLASH)
    api.advance(7)
    api.check(started.id, api.wrong_code(PHONE))
    api.check(started.id, api.code(PHONE))
    assert api.measured("Verified") == [(1, "ucaller", "flash_call")]
    assert api.measured("Conversion") == [(1, "ucaller")]
    assert api.measured("SecondsToVerify") == [(7, "ucaller", "flash_call")]
    assert api.measured("PaidCalls") == [(1, "ucaller")]


def test_a_call_that_meets_wrong_codes_alone(api: Api) -> None:
    started = api.start(**FLASH)
    for _ in range(6):
        api.check(started.id, api.wrong_code(PHONE))
    assert api.measured("Failed") == [(1, "ucaller", "flash_call")]
    assert api.measured("Conversion") == [(0, "ucaller")]


def test_a_call_that_is_left_for_another(api: Api) -> None:
    started = api.start(provider="telefon_ip")
    api.advance(21)
    api.switch(started.id, PHONE, "flash_call")
    api.advance(5)
    api.check(started.id, api.code(PHONE))
    assert api.measured("Conversion") == [(0, "telefon_ip"), (1, "ucaller")]
    assert api.measured("SecondsToVerify") == [(5, "ucaller", "flash_call")]


def test_a_switch_that_is_refused_leaves_no_call(api: Api) -> None:
    started = api.start(provider="telefon_ip")
    assert api.switch(started.id, PHONE, "flash_call")["limit"] == "phone_cooldown"
    api.set_credentials({})
    api.advance(21)
    assert api.switch(started.id, PHONE, "flash_call")["code"] == "no_provider_available"
    assert api.measured("Conversion") == []


def test_a_switch_that_every_provider_refuses_has_left_its_call(api: Api) -> None:
    started = api.start(provider="telefon_ip")
    api.advance(21)
    api.simulators.fault("ucaller", "no_money")
    assert api.switch(started.id, PHONE, "flash_call")["code"] == "provider_unavailable"
    assert api.measured("Conversion") == [(0, "telefon_ip")]


def test_a_start_that_fails_says_nothing_of_conversion(api: Api) -> None:
    api.simulators.fault("ucaller", "no_money")
    api.start(**FLASH)
    assert api.measured("Failed") == [(1, "ucaller", "flash_call")]
    assert api.measured("VendorErrors") == [(1, "ucaller", "no_money")]
    assert api.measured("ConfigurationFaults") == [(1,)]
    assert api.metrics()["Conversion"] == api.metrics()["PaidCalls"] == 0


def test_a_verification_that_is_canceled_says_nothing_of_conversion(api: Api) -> None:
    api.cancel(api.start().id)
    assert api.measured("Canceled") == [(1, "telefon_ip", "reverse_call")]
    assert api.metrics()["Conversion"] == 0


def test_test_mode_is_not_counted(api: Api) -> None:
    started = api.start("+79000000101", credential=TEST_KEY)
    assert api.check(started.id, "0000", credential=TEST_KEY)["valid"] is True
    assert not api.metrics()


def test_repeats_may_cost_money_unless_they_are_refused(api: Api) -> None:
    started = api.start(**FLASH)
    api.advance(61)
    api.repeat(started.id)
    api.simulators.fault("ucaller", "repeat_405")
    api.advance(61)
    api.repeat(started.id)
    assert api.measured("PaidCalls") == [(1, "ucaller")] * 2
    assert api.measured("VendorErrors") == [(1, "ucaller", "not_supported")]
    assert [labels for _, *labels in api.measured("VendorLatency")] == [
        ["ucaller", "start"],
        *[["ucaller", "repeat"]] * 2,
    ]


def test_a_flash_call_that_may_be_ringing_may_have_cost_money(api: Api) -> None:
    api.simulators.fault("ucaller", "malformed_json", times=2)
    api.start(**FLASH)
    assert api.measured("PaidCalls") == [(1, "ucaller")]
    assert api.measured("VendorErrors") == [(1, "ucaller", "unreadable_answer")]
    assert api.measured("ProviderFailures") == [(1, "ucaller")]


def test_the_share_of_starts_that_fail(api: Api) -> None:
    api.simulators.fault("telefon_ip", "bad_credentials", times=1)
    api.start()
    api.simulators.fault("telefon_ip", "number_refused", times=1)
    api.start("+79000000012", provider="telefon_ip")
    assert api.measured("ProviderFailures") == [(1, "telefon_ip"), (0, "smsc"), (0, "telefon_ip")]


def test_a_provider_that_is_sent_to_rest(api: Api) -> None:
    api.simulators.fault("telefon_ip", "no_money", times=FAILURES_IN_A_ROW)
    for number in range(FAILURES_IN_A_ROW):
        assert api.metrics()["BreakerOpened"] == 0
        api.start(f"+790000002{number:02}")
    assert api.measured("BreakerOpened") == [(1, "telefon_ip")]


@pytest.mark.parametrize(
    ("phone", "cause"),
    [("+74950000000", "invalid_phone"), ("nonsense", "invalid_phone"), ("+380500000000", "country_not_allowed")],
)
def test_a_number_that_is_refused_before_any_vendor_is_asked(api: Api, phone: str, cause: str) -> None:
    assert api.start(phone)["code"] == cause
    assert api.measured("NumbersRefused") == [(1, cause)]


def test_a_read_back_without_a_readable_answer(api: Api) -> None:
    started = api.start()
    api.simulators.fault("telefon_ip", "malformed_json", on="check")
    api.ask(started.id)
    assert [labels for _, *labels in api.measured("VendorLatency")] == [
        ["telefon_ip", "start"],
        ["telefon_ip", "check"],
    ]
    assert api.measured("VendorErrors") == [(1, "telefon_ip", "unreadable_answer")]


def test_reports_that_are_refused_are_counted_by_what_is_wrong_with_them(api: Api) -> None:
    api.start(provider="smsc")
    right = smsc_webhook(PHONE, api.now)
    stranger = type(right)("smsc", right.url.rsplit("/", 1)[0] + "/guessed", 300, right.form)
    for webhook in (stranger, smsc_webhook(PHONE, api.now, md5="0" * 32), smsc_webhook(PHONE, api.now - 60)):
        api.send_webhook(webhook)
    assert api.measured("ForgedWebhooks") == [(1, "smsc", cause) for cause in ("token", "signature", "time")]
    assert api.send_webhook(right).status == 200
    assert api.measured("Conversion") == [(1, "smsc")]
